import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

/**
 * A TCP port on 127.0.0.1 that nothing listens on at this moment. Somebody else may take it before you do:
 * only for servers that can't be told to take port 0; try again with another when they can't bind.
 */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Several different free ports: all are held open until the last is known. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => { server.close(); return once(server, 'close') }))
  return ports
}
