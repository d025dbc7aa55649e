import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface Asked { path: string; payload: Record<string, unknown> | ''; url: string }
export interface Answering { status?: number; json?: unknown; body?: string; headers?: Record<string, string | string[]> }
/** In place of the usual answer; undefined: the usual one. Or writes to the response itself and gives null. */
export type Script = (asked: Asked, base: string, response: ServerResponse, count: number) => Answering | null | undefined

export interface FakeDirectory { base: string; directoryUrl: string; asked: Asked[]; count(path: string): number; stop(): Promise<void> }

const read = async (request: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}
const decoded = (text: string) => Buffer.from(text, 'base64url').toString('utf8')

export const problem = (type: string, status: number, more: Record<string, unknown> = {}): Answering => ({ status, json: { type: `urn:ietf:params:acme:error:${type}`, detail: `because of ${type}`, ...more } })
export const challenge = (base: string, type: string, more: Record<string, unknown> = {}) => ({ type, url: `${base}/challenge/${type}`, status: 'pending', token: 'abcdefghijklmnopqrstuv', ...more })
export const order = (base: string, more: Record<string, unknown> = {}) => ({ status: 'pending', expires: '2999-01-01T00:00:00Z', identifiers: [{ type: 'dns', value: 'a.example.com' }], authorizations: [`${base}/authorization`], finalize: `${base}/finalize`, ...more })

function usual({ path }: Asked, base: string): Answering {
  switch (path) {
    case '/directory': return { json: { newNonce: `${base}/nonce`, newAccount: `${base}/new-account`, newOrder: `${base}/new-order`, revokeCert: `${base}/revoke`, keyChange: `${base}/key-change`, renewalInfo: `${base}/renewal`, meta: { profiles: { short: 'a short one' }, caaIdentities: ['ca.example'] } } }
    case '/nonce': return {}
    case '/new-account': return { status: 201, json: { status: 'valid' }, headers: { location: `${base}/account/1` } }
    case '/new-order': return { status: 201, json: order(base), headers: { location: `${base}/order/1` } }
    case '/order/1': return { json: order(base) }
    case '/authorization': return { json: { status: 'pending', identifier: { type: 'dns', value: 'a.example.com' }, challenges: [challenge(base, 'http-01')] } }
    default: return problem('malformed', 404)
  }
}

/** An ACME server that believes everything and answers as the script says. It checks no signature. */
export async function fakeDirectory(t: Pick<TestContext, 'after'>, script: Script = () => undefined): Promise<FakeDirectory> {
  const asked: Asked[] = []
  let nonces = 0
  const server = createServer((request, response) => {
    void (async () => {
      const text = await read(request)
      const { payload = '' } = text === '' ? {} : JSON.parse(text) as { payload?: string }
      const one: Asked = { path: request.url ?? '', payload: payload === '' ? '' : JSON.parse(decoded(payload)) as Record<string, unknown>, url: request.method ?? '' }
      asked.push(one)
      const given = script(one, base, response, asked.filter(({ path }) => path === one.path).length)
      if (given === null) return
      const { status = 200, json, body, headers = {} } = given ?? usual(one, base)
      response.writeHead(status, { 'replay-nonce': `nonce-${++nonces}`, ...headers })
      response.end(body ?? (json === undefined ? '' : JSON.stringify(json)))
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = async () => {
    if (!server.listening) return
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  t.after(stop)
  return { base, directoryUrl: `${base}/directory`, asked, count: (path) => asked.filter((one) => one.path === path).length, stop }
}
