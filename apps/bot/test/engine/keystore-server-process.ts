// A small TLS server with a PKCS#12 keystore, run as a process of its own. Over its Unix socket it takes "reload" and
// "load", followed by another content for the file that it shows last; its HTTP interface takes POST /reload of an admin.
// Argument: KeystoreServer as JSON.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer as createPlain, type Server } from 'node:net'
import { createServer } from 'node:tls'

export interface KeystoreServer { keystore: string; password: string; socket: string; pidFile: string; adminPassword: string; ports: [number, number] }

const { keystore, password, socket, pidFile, adminPassword, ports } = JSON.parse(process.argv[2] ?? '') as KeystoreServer
const read = () => ({ pfx: readFileSync(keystore), passphrase: password })

const server = createServer(read())
server.on('tlsClientError', () => undefined)
server.on('secureConnection', (stream) => stream.on('error', () => undefined).end())

function reload(): string {
  try {
    server.setSecureContext(read())
    console.log('reloaded')
    return 'done\n'
  } catch (error) {
    return `kept the old pair: ${String(error)}\n`
  }
}

rmSync(socket, { force: true })
const control = createPlain({ allowHalfOpen: true }, (stream) => {
  const chunks: Buffer[] = []
  stream.on('error', () => undefined)
  stream.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
    const [first = '', ...rest] = Buffer.concat(chunks).toString('latin1').split('\n')
    stream.end(first === 'reload' ? reload() : first === 'load' ? `${rest.join('\n').length} bytes taken\n` : `what is "${first}"?\n`)
  })
})
const admin = createHttp((request, response) => {
  const expected = `Basic ${Buffer.from(`admin:${adminPassword}`).toString('base64')}`
  if (request.headers.authorization === expected) response.end(reload())
  else response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end(`refused: ${request.headers.authorization ?? 'nothing'}`)
})

const listening = (one: Server, port: number) => new Promise<number>((resolve) => { one.listen(port, '127.0.0.1', () => { resolve((one.address() as AddressInfo).port) }) })
await new Promise<void>((resolve) => { control.listen(socket, resolve) })
const got = [await listening(server, ports[0]), await listening(admin, ports[1])]
writeFileSync(`${pidFile}.new`, String(process.pid))
renameSync(`${pidFile}.new`, pidFile)
process.on('SIGHUP', reload)
console.log(`listening on ${got.join(' ')}`)
