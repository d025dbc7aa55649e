import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** A way to a port that can be cut, or stand still. */
export async function cuttable(t: Pick<TestContext, 'after'>, port: number) {
  const sockets = new Set<Socket>()
  let way: 'open' | 'cut' | 'stalled' = 'open'
  const server = createServer((near) => {
    sockets.add(near.on('error', () => undefined))
    if (way === 'cut') near.destroy()
    if (way !== 'open') return
    const far = connect(port, '127.0.0.1').on('error', () => undefined)
    sockets.add(far)
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const drop = () => { for (const socket of sockets) socket.destroy() }
  t.after(() => { drop(); server.close() })
  return {
    port: (server.address() as AddressInfo).port,
    cut() { way = 'cut'; drop() },
    stall() { way = 'stalled'; for (const socket of sockets) socket.unpipe().pause() },
    mend() { way = 'open' },
  }
}
