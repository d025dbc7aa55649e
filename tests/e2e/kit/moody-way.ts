import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { RunningPebble } from '@certloop/test-kit'

export interface Misbehaviour { status: number; headers?: Record<string, string>; body: string }
/** By the beginning of the path, in order; each is taken out when it was given, and then requests pass. */
export type Answers = Record<string, Misbehaviour[]>
export interface MoodyWay { readonly directoryUrl: string; /** All requests, with the time of performance.now(). */ readonly seen: readonly { method: string; path: string; at: number }[] }

/** Stands before a Pebble with its certificate, and passes on what the script lets through. Pebble names addresses by the Host it is asked for, so all of them lead here. */
export async function moodyWay(t: Pick<TestContext, 'after'>, { pair, ports: [port] }: RunningPebble, answers: Answers): Promise<MoodyWay> {
  const seen: { method: string; path: string; at: number }[] = []
  const server = createServer({ key: await readFile(pair.keyPath), cert: pair.certPem }, (from, to) => {
    const { method = 'GET', url: path = '/', headers } = from
    seen.push({ method, path, at: performance.now() })
    const [, script] = Object.entries(answers).find(([start]) => method === 'POST' && path.startsWith(start)) ?? []
    const instead = script?.shift()
    if (instead) {
      from.resume()
      to.writeHead(instead.status, { 'content-type': 'application/problem+json', ...instead.headers }).end(instead.body)
      return
    }
    const onwards = request({ host: '127.0.0.1', port, method, path, headers, ca: pair.certPem, agent: false }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(to)
    })
    onwards.once('error', () => to.destroy())
    from.pipe(onwards)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.closeAllConnections(); server.close() })
  return { directoryUrl: `https://127.0.0.1:${(server.address() as AddressInfo).port}/dir`, seen }
}
