import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import { createSecureContext, createServer, type SecureContext } from 'node:tls'

/**
 * A TLS server for the names that folders given as arguments are called by, each with tls.crt and tls.key in it. It reads
 * them at the start and at SIGHUP; what does not fit together leaves the name with what it had, as servers do.
 */
const folders = process.argv.slice(2)
const contexts = new Map<string, SecureContext>()

function load(): void {
  for (const folder of folders) {
    try {
      contexts.set(basename(folder), createSecureContext({ cert: readFileSync(join(folder, 'tls.crt')), key: readFileSync(join(folder, 'tls.key')) }))
    } catch (error) {
      process.stderr.write(`${basename(folder)} keeps what it had: ${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
}

load()
process.on('SIGHUP', load)
const server = createServer({ SNICallback: (name, done) => { done(null, contexts.get(name)) } }, (socket) => { socket.on('error', () => {}).end() })
server.on('tlsClientError', () => {})
server.listen(0, '127.0.0.1', () => { process.stdout.write(`listening on ${(server.address() as AddressInfo).port}\n`) })
