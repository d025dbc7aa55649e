import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls'
import { CertloopError } from '@certloop/contract'
import { hasCode } from '../hosts/file-errors.ts'

/** What is on a port, in words such as "nginx (process 812)"; undefined when it can't be told. */
export type HolderOf = (port: number) => Promise<string | undefined>

/** Answers handshakes on one port for any number of names. */
export interface AlpnListener {
  /** Of one name the last that came is shown; when it goes, the one before. */
  add(serverName: string, id: string, context: SecureContext): void
  remove(id: string): void
  isIdle(): boolean
  close(): Promise<void>
}

const protocol = 'acme-tls/1'
/** An authority looks from a handful of places. Whoever else holds connections gets none of them for long. */
const mostConnections = 100
const handshakeMs = 5_000
const farewellMs = 1_000

/** @throws CertloopError INPUT_INVALID */
export function readListenOn(listenOn: string): { host: string; port: number } {
  const [, v6, v4, port] = /^(?:\[([0-9A-Fa-f:]+)\]|([0-9.]+)):(\d{1,5})$/.exec(listenOn) ?? []
  const host = v6 ?? v4
  if (host === undefined || Number(port) > 65_535) throw new CertloopError('INPUT_INVALID', `"${listenOn}" is no address and port, such as 0.0.0.0:443 or [::]:443.`, { fields: ['proof.listenOn: has to be an address and port'] })
  return { host, port: Number(port) }
}

/**
 * Opens a port where TLS handshakes for "acme-tls/1" are answered and nothing else: who has shaken hands is let go.
 * @throws CertloopError INPUT_INVALID, TOKEN_PORT_TAKEN, PRIVILEGE_REFUSED
 */
export async function openAlpnListener(listenOn: string, holderOf: HolderOf): Promise<AlpnListener> {
  const { host, port } = readListenOn(listenOn)
  const shown = new Map<string, { id: string; context: SecureContext }[]>()
  const server = createServer({
    ALPNProtocols: [protocol], minVersion: 'TLSv1.2', handshakeTimeout: handshakeMs,
    SNICallback: (name, done) => {
      const context = shown.get(name.toLowerCase())?.at(-1)?.context
      if (context) done(null, context)
      else done(new Error(`Nothing is to be proven for the name ${name.slice(0, 255)} here.`))
    },
  }, letGo)
  server.maxConnections = mostConnections
  const connections = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => { connections.delete(socket) })
  })
  // Handshakes fail all the time: strangers, other names, no "acme-tls/1". That is all there is to do about it.
  server.on('tlsClientError', (_error, socket) => { socket.destroy() })
  await listen(server, host, port).catch(async (error: unknown) => { throw await listenError(error, { listenOn, port }, holderOf) })
  return {
    add(serverName, id, context) { shown.set(serverName, [...(shown.get(serverName) ?? []).filter((one) => one.id !== id), { id, context }]) },
    remove(id) {
      for (const [name, all] of shown) {
        const left = all.filter((one) => one.id !== id)
        if (left.length > 0) shown.set(name, left)
        else shown.delete(name)
      }
    },
    isIdle: () => shown.size === 0,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of connections) socket.destroy()
      await closed
    },
  }
}

function letGo(socket: TLSSocket): void {
  socket.on('error', () => { socket.destroy() })
  socket.setTimeout(farewellMs, () => { socket.destroy() })
  socket.end()
  socket.resume()
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen({ host, port })
  await once(server, 'listening')
}

async function listenError(error: unknown, { listenOn, port }: { listenOn: string; port: number }, holderOf: HolderOf): Promise<CertloopError> {
  const about = { listenOn }
  if (hasCode(error, 'EADDRINUSE')) {
    const holder = await holderOf(port).catch(() => undefined) // only words for the message
    return new CertloopError('TOKEN_PORT_TAKEN', `The bot can not listen on ${listenOn}: ${holder ?? 'another program'} listens there already.`, about, error)
  }
  if (hasCode(error, 'EADDRNOTAVAIL')) return new CertloopError('TOKEN_PORT_TAKEN', `The bot can not listen on ${listenOn}: this host does not have the address.`, about, error)
  if (hasCode(error, 'EACCES', 'EPERM')) return new CertloopError('PRIVILEGE_REFUSED', `The bot may not listen on ${listenOn}: ports below 1024 need root or the capability CAP_NET_BIND_SERVICE (in the systemd unit of the bot: AmbientCapabilities=CAP_NET_BIND_SERVICE).`, about, error)
  return new CertloopError('TOKEN_PORT_TAKEN', `The bot can not listen on ${listenOn}: ${(error as Error).message}.`, about, error)
}
