import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface DnsPlace { address: string; port: number }

/**
 * Hands DNS over UDP and TCP on from an address of 127.0.0.0/8 to a server elsewhere: BIND binds to addresses of an interface
 * alone, which on loopback is 127.0.0.1. Closed after the test. @throws Error when address and port are taken
 */
export async function relayDns(t: Pick<TestContext, 'after'>, { address, port }: DnsPlace, to: DnsPlace): Promise<void> {
  const open = new Set<{ destroy(): void }>()
  const tcp = createServer((client: Socket) => {
    const server = connect({ host: to.address, port: to.port })
    for (const socket of [client, server]) {
      open.add(socket)
      socket.on('error', () => {}).on('close', () => { open.delete(socket); client.destroy(); server.destroy() })
    }
    client.pipe(server).pipe(client)
  }).listen(port, address)
  await once(tcp, 'listening')
  const udp = createSocket('udp4')
  udp.on('message', (question, from) => {
    const asking = createSocket('udp4')
    const end = () => { clearTimeout(timer); open.delete(handle); asking.close() }
    const handle = { destroy: end }
    const timer = setTimeout(end, 5000)
    open.add(handle)
    asking.on('error', () => {}).on('message', (answer) => { udp.send(answer, from.port, from.address); end() })
    asking.send(question, to.port, to.address)
  })
  udp.bind(port, address)
  await once(udp, 'listening')
  t.after(async () => {
    for (const each of open) each.destroy()
    udp.close()
    tcp.close()
    await once(tcp, 'close')
  })
}
