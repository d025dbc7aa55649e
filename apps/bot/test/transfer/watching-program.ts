import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { createSecureContext, createServer } from 'node:tls'

/** What uploads are for: a program that takes its files up by itself, here at each handshake. */
export async function watchingProgram(t: TestContext, files: { certPath: string; keyPath: string }): Promise<number> {
  const server = createServer({ SNICallback: (_name, done) => { done(null, createSecureContext({ cert: readFileSync(files.certPath), key: readFileSync(files.keyPath) })) } })
  server.on('tlsClientError', () => undefined).on('secureConnection', (socket) => socket.on('error', () => undefined).end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close() })
  return (server.address() as AddressInfo).port
}
