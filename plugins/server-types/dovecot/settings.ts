import type { StartTls } from '@certloop/contract'

/** A condition under which settings count: protocol imap { }, local 192.0.2.1 { }, local_name mail.example { }, remote { }. */
export interface Filter { kind: 'protocol' | 'local' | 'local_name' | 'remote'; value: string }

/** TLS settings that count under all of the filters; none: everywhere. */
export interface TlsBlock { filters: Filter[]; settings: Map<string, string> }

const wanted = new Set(['ssl', 'ssl_cert', 'ssl_key', 'ssl_alt_cert', 'ssl_alt_key'])
const filterLine = /^(protocol|local|local_name|remote) (.+) \{$/

/** Reads `doveconf -nP`: what differs from the defaults, with all blocks. Values over several lines keep their first. */
export function parseTlsBlocks(text: string): TlsBlock[] {
  const root: TlsBlock = { filters: [], settings: new Map() }
  const blocks = [root]
  // undefined: within a block of another kind.
  const open: (TlsBlock | undefined)[] = [root]
  for (const line of text.split('\n').map((entry) => entry.trim())) {
    const around = open.at(-1)
    if (line.endsWith('{')) {
      const block = blockWithin(around, line)
      if (block !== undefined) blocks.push(block)
      open.push(block)
    } else if (line === '}') open.pop()
    else note(around, line)
  }
  return blocks.filter(({ settings, filters }) => filters.length === 0 || settings.size > 0)
}

function blockWithin(around: TlsBlock | undefined, line: string): TlsBlock | undefined {
  const [, kind, value = ''] = filterLine.exec(line) ?? []
  return around !== undefined && isKind(kind) ? { filters: [...around.filters, { kind, value: unquoted(value) }], settings: new Map() } : undefined
}

function note(block: TlsBlock | undefined, line: string): void {
  const [, name = '', setting = ''] = /^(\w+) = ?(.*)$/.exec(line) ?? []
  if (wanted.has(name)) block?.settings.set(name, setting)
}

const isKind = (kind: string | undefined): kind is Filter['kind'] => kind !== undefined
const unquoted = (value: string) => value.replace(/^"(.*)"$/, '$1')

/** One listening port of a service. */
export interface Listener {
  /** "imap-login/imaps" */
  name: string
  protocol: string
  /** As written; empty: those of `listen`. */
  addresses: string
  port: number
  /** undefined: no TLS there. */
  startTls: StartTls | null | undefined
  haproxy: boolean
}

export interface General { listen: string; ssl: string; listeners: Listener[] }

const startTlsOf: Readonly<Record<string, StartTls>> = { 'imap-login': 'imap', 'pop3-login': 'pop3', 'managesieve-login': 'sieve', 'submission-login': 'smtp', lmtp: 'lmtp' }

/** Reads `doveconf -S`: every setting with its defaults, as "service/imap-login/inet_listener/imaps/port=993". */
export function parseGeneral(text: string): General {
  const all = new Map(text.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const))
  const protocols = new Set((all.get('protocols') ?? '').split(/\s+/))
  const listeners = [...all.keys()].flatMap((key): Listener[] => {
    const [, service = '', name = ''] = /^service\/([^/]+)\/inet_listener\/([^/]+)\/port$/.exec(key) ?? []
    const value = (setting: string) => all.get(`service/${service}/inet_listener/${name}/${setting}`) ?? ''
    const protocol = all.get(`service/${service}/protocol`) ?? ''
    const port = Number(value('port'))
    if (service === '' || !(port > 0) || (protocol !== '' && !protocols.has(protocol))) return []
    return [{ name: `${service}/${name}`, protocol, addresses: value('address'), port, startTls: value('ssl') === 'yes' ? null : startTlsOf[service], haproxy: value('haproxy') === 'yes' }]
  })
  return { listen: all.get('listen') ?? '', ssl: all.get('ssl') ?? '', listeners }
}
