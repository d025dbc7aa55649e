import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export const systemClock = () => new Date()

/** One request as a simulated vendor reads it. */
export interface VendorRequest {
  method: string
  /** Without the query, as it was sent. */
  path: string
  query: URLSearchParams
  /** Path and query as they were sent: what signatures are made over. */
  target: string
  headers: IncomingHttpHeaders
  body: string
  /** The body as JSON; undefined when it is none. */
  json: unknown
}
/** body: an object is sent as JSON. */
export interface VendorAnswer { status: number; body?: unknown; headers?: Record<string, string> }
export interface Exchange { request: VendorRequest; answer: VendorAnswer }
export type Handler = (request: VendorRequest) => VendorAnswer | Promise<VendorAnswer>

export interface VendorServer {
  /** http://127.0.0.1:port, without a slash at the end. */
  address: string
  /** All requests so far, with what was answered. */
  exchanges: Exchange[]
  /** Answers in place of the vendor where it returns something; for quotas, faults, and changes by others in between. */
  intercept: ((request: VendorRequest) => VendorAnswer | undefined | Promise<VendorAnswer | undefined>) | undefined
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A vendor's API on loopback; stopped after the test. A handler that throws answers 500 with the reason. */
export async function startVendor(t: Pick<TestContext, 'after'>, handler: Handler): Promise<VendorServer> {
  const vendor: VendorServer = { address: '', exchanges: [], intercept: undefined }
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const target = incoming.url ?? '/'
      const url = new URL(target, 'http://vendor.invalid')
      const body = await bodyOf(incoming)
      const request: VendorRequest = { method: incoming.method ?? 'GET', path: url.pathname, query: url.searchParams, target, headers: incoming.headers, body, json: jsonOf(body) }
      const answer = await (async () => (await vendor.intercept?.(request)) ?? handler(request))().catch((error: unknown): VendorAnswer => ({ status: 500, body: String(error) }))
      vendor.exchanges.push({ request, answer })
      const isText = typeof answer.body === 'string' || answer.body === undefined
      outgoing.writeHead(answer.status, { 'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json', ...answer.headers })
      outgoing.end(isText ? answer.body : JSON.stringify(answer.body))
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  vendor.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.after(() => { server.close(); server.closeAllConnections() })
  return vendor
}

/** The values of {…} in a path like "/zones/{zone}/records", decoded; undefined when it is another path. */
export function matchPath(template: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [template.split('/'), path.split('/')]
  if (wanted.length !== given.length) return undefined
  const values: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    const other = given[index] ?? ''
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (name === undefined ? part !== other : other === '') return undefined
    if (name !== undefined) values[name] = decodeURIComponent(other)
  }
  return values
}

export type Route = readonly [method: string, template: string, answer: (values: Record<string, string>, request: VendorRequest) => VendorAnswer | Promise<VendorAnswer>]
/** The first route that fits; undefined when none does. */
export function routed(routes: readonly Route[], request: VendorRequest): VendorAnswer | Promise<VendorAnswer> | undefined {
  for (const [method, template, answer] of routes) {
    const values = method === request.method ? matchPath(template, request.path) : undefined
    if (values) return answer(values, request)
  }
  return undefined
}
