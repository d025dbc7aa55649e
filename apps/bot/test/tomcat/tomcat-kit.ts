import type { DetectedServer, DetectedSlot } from '@certloop/contract'
import type { TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { detect } from '../kit/kit.ts'

export const managerUser = 'reloader'
export const managerPassword = 'over & "out" 9'
const written = managerPassword.replace('&', '&amp;').replaceAll('"', '&quot;')
/** Users for `users` of a Tomcat: one for the manager, one that may only look at its pages. */
export const users = `<user username="${managerUser}" password="${written}" roles="manager-script,manager-jmx"/><user username="guest" password="guest" roles="manager-gui"/>`
export const manager = { managerUser, managerPassword }

/** `<base>/conf/<name>.crt` and `.key`, and the attributes of a Certificate that name them. */
export async function pemFiles(base: string, name: string, { certPem, keyPem }: TestPair, chainPem?: string): Promise<string> {
  await writeFile(join(base, 'conf', `${name}.crt`), certPem)
  await writeFile(join(base, 'conf', `${name}.key`), keyPem, { mode: 0o600 })
  if (chainPem !== undefined) await writeFile(join(base, 'conf', `${name}.chain`), chainPem)
  return `certificateFile="conf/${name}.crt" certificateKeyFile="conf/${name}.key"${chainPem === undefined ? '' : ` certificateChainFile="conf/${name}.chain"`}`
}

export const detectAt = (base: string): Promise<DetectedServer> => detect('tomcat', base)

/** The slot of a host, as "name" or "name TYPE". */
export function slotOf({ slots, problem }: DetectedServer, host: string, port?: number): DetectedSlot {
  const [name, type] = host.split(' ')
  const slot = slots.find(({ fields }) => fields['hostName'] === name && (type === undefined || fields['certificateType'] === type) && (port === undefined || fields['port'] === port))
  assert.ok(slot, `no slot "${host}": ${JSON.stringify([slots, problem], null, 1)}`)
  return slot
}

/** "name kind-of-key" → fingerprint, or what went wrong. */
export const seen = ({ served }: Pick<DetectedSlot, 'served'>): Record<string, string | null> =>
  Object.fromEntries(served.map(({ endpoint: { serverName, keyType }, fingerprint, error }) => [[serverName ?? '-', keyType].filter(Boolean).join(' '), fingerprint ?? error]))

/** One connection that asks several times; true when it is the one of before. */
export function visitor(t: TestContext, port: number, servername: string): () => Promise<boolean> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => { agent.destroy() })
  return async () => {
    const asked = request({ host: '127.0.0.1', port, agent, servername, rejectUnauthorized: false }).end()
    const [answer] = await once(asked, 'response') as [import('node:http').IncomingMessage]
    answer.resume()
    await once(answer, 'end')
    return asked.reusedSocket
  }
}
