import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** A way through the network to a port on loopback that can be cut and mended. */
export interface CuttableWay { readonly port: number; cut(): void; mend(): void }

export async function cuttableWay(t: Pick<TestContext, 'after'>, target: number): Promise<CuttableWay> {
  const open = new Set<Socket>()
  let whole = true
  const server = createServer((from) => {
    if (!whole) {
      from.destroy()
      return
    }
    const to = connect(target, 'localhost')
    for (const [one, other] of [[from, to], [to, from]] as const) {
      open.add(one)
      one.on('error', () => other.destroy()).on('close', () => { open.delete(one); other.destroy() }).pipe(other)
    }
  })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const cut = () => {
    whole = false
    for (const socket of open) socket.destroy()
  }
  t.after(() => { cut(); server.close() })
  return { port: (server.address() as AddressInfo).port, cut, mend: () => { whole = true } }
}
