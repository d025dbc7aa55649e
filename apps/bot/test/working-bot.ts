import type { TestContext } from 'node:test'
import { botProtocolVersion, type BotTask } from '@certloop/contract'
import { eventually } from '@certloop/test-kit'
import { createControlPlane } from '../src/connection/client.ts'
import { createServerClock } from '../src/connection/server-clock.ts'
import { createTransport } from '../src/connection/transport.ts'
import type { Job } from '../src/work/handlers.ts'
import { createTaskRunner } from '../src/work/task-runner.ts'
import { workLoop } from '../src/work/work-loop.ts'
import type { ServerOptions } from './contract-server.ts'
import { joinedBot, listeningLogger } from './joined-bot.ts'

const backoff = { firstMs: 10, capMs: 50 }
const host = { hostName: 'web-1', os: 'linux', osVersion: '12', arch: 'x64', addresses: [] }
/** A result that the control plane takes. */
export const scan = { at: '2026-01-01T00:00:00.000Z', host, servers: [], listeners: [], problems: [] }

/** Loop, runner, client and server as they are; what the work consists of is the test's. */
export async function working(t: TestContext, jobFor: (task: BotTask) => Job, { limit = 4, unfinishedMs = 3_600_000, now, ...options }: ServerOptions & { limit?: number; unfinishedMs?: number }) {
  const { server, identity } = await joinedBot(t, { now, ...options })
  const logger = listeningLogger()
  const [taking, delivery] = [new AbortController(), new AbortController()]
  const transport = createTransport({ url: new URL(server.url), trust: 'system', proxy: undefined, userAgent: 'test' })
  const controlPlane = createControlPlane({ transport, clock: createServerClock({ now, logger }), botId: identity.joined.botId, key: identity.key, onDismissed: (error) => { taking.abort(error); delivery.abort(error) } })
  const runner = createTaskRunner({ controlPlane, jobFor, logger, random: () => 0, backoff, limit, unfinishedMs, takingSignal: taking.signal, deliverySignal: delivery.signal })
  const connection: boolean[] = []
  const hello = { bootId: 'boot-0001', version: '0.1.0', protocol: botProtocolVersion, host }
  const ended = workLoop({ controlPlane, runner, hello, logger, random: () => 0, backoff, signal: taking.signal, onConnection: (up) => connection.push(up) }).catch((error: unknown) => error)
  const stop = async () => {
    taking.abort(new Error('stop'))
    await ended
    delivery.abort(new Error('stop'))
    await runner.idle()
    transport.close()
  }
  t.after(stop)
  return { server, logger, runner, connection, ended, taking, stop, result: (id: BotTask['id']) => eventually(() => server.board.results.get(id), { what: 'the result' }) }
}
