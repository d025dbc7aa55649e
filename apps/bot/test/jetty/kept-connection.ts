import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { TestContext } from 'node:test'

/** A client with one connection that is kept. Each call asks once over it; false when a new one had to be made. */
export async function keptConnection(t: TestContext, port: number, servername: string): Promise<() => Promise<boolean>> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => { agent.destroy() })
  return async () => {
    const asked = request({ host: '127.0.0.1', port, agent, servername, rejectUnauthorized: false, headers: { host: servername } }).end()
    const [answer] = await once(asked, 'response') as [IncomingMessage]
    answer.resume()
    await once(answer, 'end')
    return asked.reusedSocket
  }
}
