import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { childrenOf, type ConfigElement, serverOf, setValue, valueOf, writeConfig } from './config-xml.ts'
import { encryptPassphrase } from './passphrases.ts'

export interface Answer { status: number; body: unknown }
type Change = Record<string, unknown>

export const failure = (status: number, detail: string): Answer => ({
  status, body: { 'type': 'http://oracle/TBD/WlsRestMessageType', 'title': 'ERRORS', status, 'wls:errorsDetails': [{ type: 'http://oracle/TBD/WlsRestMessageType', title: 'FAILURE', detail }] },
})
const done: Answer = { status: 200, body: {} }

const serverElements = { keyStores: 'key-stores', customIdentityKeyStoreFileName: 'custom-identity-key-store-file-name', customIdentityKeyStoreType: 'custom-identity-key-store-type', listenAddress: 'listen-address', listenPort: 'listen-port' } as const
const sslElements = { enabled: 'enabled', listenPort: 'listen-port', serverPrivateKeyAlias: 'server-private-key-alias' } as const
const serverSecrets = { customIdentityKeyStorePassPhrase: 'custom-identity-key-store-pass-phrase-encrypted' } as const
const sslSecrets = { serverPrivateKeyPassPhrase: 'server-private-key-pass-phrase-encrypted' } as const

/** The tree "edit" of a domain: one session, whose lock one user has. */
export class EditSession {
  readonly #folder: string
  readonly #config: () => ConfigElement
  readonly #activated: () => void
  #owner: string | undefined
  #pending: (() => void)[] = []
  constructor(folder: string, config: () => ConfigElement, activated: () => void) {
    this.#folder = folder
    this.#config = config
    this.#activated = activated
  }

  state(): Answer {
    const locked = this.#owner !== undefined
    return { status: 200, body: { locked, mergeNeeded: false, editSession: 'default', ...(locked ? { lockOwner: this.#owner, hasChanges: this.#pending.length > 0 } : {}) } }
  }

  /** For its owner it may be repeated. */
  act(action: string, user: string): Answer {
    if (this.#owner !== undefined && this.#owner !== user) return failure(400, action === 'startEdit' ? `The edit lock is locked by ${this.#owner}` : 'Not edit lock owner')
    if (action === 'startEdit') {
      this.#owner = user
      return done
    }
    if (action !== 'activate' && action !== 'cancelEdit') return failure(404, `no action ${action}`)
    if (this.#owner === undefined) return failure(400, 'Not edit lock owner')
    if (action === 'activate') this.#apply()
    this.#pending = []
    this.#owner = undefined
    return done
  }

  /** Without a session the change is active at once. */
  change(path: readonly string[], user: string, change: Change): Answer {
    if (this.#owner !== undefined && this.#owner !== user) return failure(400, 'Not edit lock owner')
    const [, name = '', bean, ...rest] = path
    const server = serverOf(this.#config(), name)
    if (server === undefined || rest.length > 0 || (bean !== undefined && bean !== 'SSL')) return failure(404, `no bean ${path.join('/')}`)
    const known: Record<string, string> = bean === 'SSL' ? { ...sslElements, ...sslSecrets } : { ...serverElements, ...serverSecrets }
    const strange = Object.keys(change).find((property) => !(property in known))
    if (strange !== undefined) return failure(400, `unknown property ${strange}`)
    this.#pending.push(() => {
      const element = bean === 'SSL' ? childrenOf(server, 'ssl')[0] : server
      if (element !== undefined) for (const [property, value] of Object.entries(change)) setValue(element, known[property] ?? property, property.endsWith('PassPhrase') ? encryptPassphrase(this.#folder, String(value)) : String(value))
    })
    if (this.#owner === undefined) {
      this.#apply()
      this.#pending = []
    }
    return done
  }

  #apply(): void {
    for (const change of this.#pending) change()
    writeFileSync(join(this.#folder, 'config', 'config.xml'), `<?xml version='1.0' encoding='UTF-8'?>\n${writeConfig(this.#config())}`)
    this.#activated()
  }
}

/** A server, or its SSL bean, as the trees domainConfig and edit show it. No passphrases. */
export function beanOf(server: ConfigElement, bean: string | undefined): Record<string, unknown> {
  const typed = (text: string | undefined) => (text === undefined ? null : text === 'true' ? true : text === 'false' ? false : /^\d+$/.test(text) ? Number(text) : text)
  const name = valueOf(server, 'name') ?? ''
  const from = (element: ConfigElement | undefined, elements: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(elements).map(([property, tag]) => [property, typed(valueOf(element, tag))]))
  if (bean === 'SSL') return { identity: ['servers', name, 'SSL'], name, ...from(childrenOf(server, 'ssl')[0], sslElements) }
  return { identity: ['servers', name], name, ...from(server, serverElements) }
}
