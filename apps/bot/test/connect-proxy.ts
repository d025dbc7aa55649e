import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

/** A tiny HTTP proxy: CONNECT alone, every name leads to `port` on this host. */
export async function startConnectProxy(t: Pick<TestContext, 'after'>, port: number, password?: string) {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((_request, response) => response.writeHead(405).end())
  server.on('connect', (request, client: Socket) => {
    sockets.add(client)
    client.on('error', () => client.destroy())
    const expected = password === undefined ? undefined : `Basic ${Buffer.from(`bot:${password}`).toString('base64')}`
    if (expected !== undefined && request.headers['proxy-authorization'] !== expected) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n')
      return
    }
    asked.push(request.url ?? '')
    const upstream = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      client.pipe(upstream).pipe(client)
    })
    sockets.add(upstream)
    upstream.on('error', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close(); for (const socket of sockets) socket.destroy() })
  const { port: own } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${own}`, port: own, asked }
}
