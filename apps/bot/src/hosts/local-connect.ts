import { CertloopError } from '@certloop/contract'
import type { SocketPlace } from '@certloop/plugin-kit'
import { connect, type Socket } from 'node:net'

export const connectTimeoutMs = 15_000

/** "192.0.2.1 port 443", "the socket /run/x.sock" */
export const placeName = (to: SocketPlace): string => ('path' in to ? `the socket ${to.path}` : `${to.address} port ${to.port}`)

/** @throws CertloopError HOST_UNREACHABLE in plain words; the stream is open when it is given */
export function connectLocally(to: SocketPlace, timeoutMs = connectTimeoutMs): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect('path' in to ? { path: to.path } : { host: to.address, port: to.port })
    const fail = (reason: string, cause?: Error) => {
      clearTimeout(timer)
      socket.destroy()
      reject(new CertloopError('HOST_UNREACHABLE', `No connection to ${placeName(to)}: ${reason}.`, { place: placeName(to) }, cause))
    }
    const refused = (error: Error) => { fail(reasonFor(error), error) }
    const timer = setTimeout(() => { fail(`nothing answered within ${timeoutMs} ms`) }, timeoutMs)
    socket.once('error', refused).once('connect', () => {
      clearTimeout(timer)
      socket.off('error', refused)
      resolve(socket)
    })
  })
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOENT: 'there is no such socket',
  ENOTSOCK: 'this is not a socket',
  EACCES: 'the bot may not use it',
  EPERM: 'a firewall of this machine forbids it',
  EHOSTUNREACH: 'the host can not be reached',
  ENETUNREACH: 'the network can not be reached',
  ETIMEDOUT: 'the host does not answer',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'the name of the host can not be looked up at the moment',
  ECONNRESET: 'the connection was reset',
}

/** A failed connection in a few words, to be read behind a colon. */
export const reasonFor = (error: Error & { code?: string }): string => reasons[error.code ?? ''] ?? error.message
