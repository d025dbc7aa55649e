import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { CertloopError } from '@certloop/contract'
import type { FastifyInstance } from 'fastify'
import { isLoopback, refusePlainHttp } from './plain-http.ts'

/** PEM texts. The chain is leaf first and ends with the root, which joining bots compare with their pin. */
export interface TlsIdentity { keyPem: string; certPem: string }

export interface ListenerDeps {
  /** Ready. */
  app: FastifyInstance
  host: string
  port: number
  tlsIdentity: () => Promise<TlsIdentity>
  /** Serves what is public and signed in itself, over http too; says whether a request was for it. */
  publicHandler?: (request: http.IncomingMessage, response: http.ServerResponse) => boolean
  /** How long the head of a request may take to arrive. Default 30 s. */
  slowHeadMs?: number
}
export interface Listener {
  /** The one taken, also when 0 was asked for. */
  port: number
  /** Takes up the certificate that tlsIdentity gives now; open connections keep theirs. */
  renewTls(): Promise<void>
  /** Stops accepting, lets requests under way end for up to five seconds, then cuts what is left. Closes the app. */
  close(): Promise<void>
}

const handshakeByte = 0x16 // a TLS record of type handshake (RFC 8446, 5.1)
const firstByteMs = 10_000
const closeMs = 5_000

/** Calls `then` with the first byte, which stays in the stream. Connections that send nothing are cut. */
function peek(socket: net.Socket, then: (byte: number) => void): void {
  socket.setTimeout(firstByteMs, () => socket.destroy())
  socket.once('data', (bytes: Buffer) => {
    socket.pause()
    socket.setTimeout(0)
    socket.removeAllListeners('timeout')
    socket.unshift(bytes)
    then(bytes[0] ?? 0)
    process.nextTick(() => { if (!socket.destroyed) socket.resume() })
  })
}

async function openPort(server: net.Server, host: string, port: number): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host, port }, resolve))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const place = `${host} port ${port}`
    if (code === 'EADDRINUSE') throw new CertloopError('PORT_TAKEN', `Another program listens on ${place}.`, { host, port }, error)
    if (code === 'EACCES') throw new CertloopError('SETTINGS_INVALID', `This user may not listen on ${place}. Ports below 1024 need a right of their own (on Linux CAP_NET_BIND_SERVICE); or choose another with --port.`, { setting: '--port' }, error)
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAFNOSUPPORT') throw new CertloopError('SETTINGS_INVALID', `"${host}" is not an address of this machine. Choose another with --host.`, { setting: '--host' }, error)
    throw error
  }
  return (server.address() as AddressInfo).port
}

/** The HTTP parsers behind the port. They never listen themselves: connections are handed to them. */
async function makeParsers({ app, tlsIdentity, publicHandler = () => false, slowHeadMs = 30_000 }: ListenerDeps) {
  const limits = { headersTimeout: slowHeadMs, connectionsCheckingInterval: Math.min(slowHeadMs / 2, 5_000) }
  const { keyPem, certPem } = await tlsIdentity()
  const plain = http.createServer(limits, (request, response) => {
    if (publicHandler(request, response)) return
    if (isLoopback(request.socket.remoteAddress)) app.routing(request, response)
    else refusePlainHttp(request, response)
  })
  const secure = https.createServer({ ...limits, key: keyPem, cert: certPem, minVersion: 'TLSv1.2', handshakeTimeout: firstByteMs }, (request, response) => { if (!publicHandler(request, response)) app.routing(request, response) })
  secure.on('tlsClientError', (error, socket) => {
    app.log.debug({ err: error, address: socket.remoteAddress }, 'TLS handshake failed')
    socket.destroy()
  })
  // Node starts its watch over slow requests (headersTimeout, requestTimeout) with this event.
  for (const parser of [plain, secure]) parser.emit('listening')
  return { plain, secure }
}

/**
 * Serves HTTPS and, to this machine alone, HTTP on one port; what `publicHandler` takes, to everybody over both.
 * @throws CertloopError PORT_TAKEN, SETTINGS_INVALID (host or port that can't be had)
 */
export async function listen(deps: ListenerDeps): Promise<Listener> {
  const { plain, secure } = await makeParsers(deps)
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    // A reset by the other side ends this connection and nothing else.
    socket.on('error', (error) => { deps.app.log.debug({ err: error }, 'connection failed') })
    peek(socket, (byte) => { (byte === handshakeByte ? secure : plain).emit('connection', socket) })
  })
  const port = await openPort(server, deps.host, deps.port)
  server.on('error', (error) => { deps.app.log.error({ err: error }, 'could not accept a connection') })

  const drain = async () => {
    const deadline = performance.now() + closeMs
    while (sockets.size > 0 && performance.now() < deadline) {
      for (const parser of [plain, secure]) parser.closeIdleConnections()
      await wait(20)
    }
    for (const socket of sockets) socket.destroy()
  }
  return {
    port,
    async renewTls() {
      const { keyPem, certPem } = await deps.tlsIdentity()
      secure.setSecureContext({ key: keyPem, cert: certPem, minVersion: 'TLSv1.2' })
    },
    async close() {
      const closed = new Promise<void>((resolve) => { server.close(() => resolve()) })
      await Promise.all([deps.app.close(), drain()])
      for (const parser of [plain, secure]) parser.close()
      await closed
    },
  }
}
