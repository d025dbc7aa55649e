// A small TLS server, run as a process of its own: SIGHUP makes it read its files again. Like nginx, it keeps the
// old pair and goes on when the new one can't be used, and does not start at all with a bad one.
// Arguments: certificate, key, port (0: any), pid file.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'

const [certPath = '', keyPath = '', port = '0', pidFile = ''] = process.argv.slice(2)
const read = () => ({ cert: readFileSync(certPath), key: readFileSync(keyPath) })

const server = createServer(read())
// A handshake that was given up is the client's business.
server.on('tlsClientError', () => undefined)
server.on('secureConnection', (socket) => socket.on('error', () => undefined).end())
process.on('SIGHUP', () => {
  try {
    server.setSecureContext(read())
    console.log('reloaded')
  } catch (error) {
    console.log(`kept the old pair: ${String(error)}`)
  }
})
server.listen(Number(port), '127.0.0.1', () => {
  // Never seen empty: read as a number that would be 0, the whole group of whoever signals it.
  writeFileSync(`${pidFile}.new`, String(process.pid))
  renameSync(`${pidFile}.new`, pidFile)
  console.log(`listening on ${(server.address() as AddressInfo).port}`)
})
