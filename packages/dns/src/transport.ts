import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { CertloopError } from '@certloop/contract'

/** Where a DNS question is asked. */
export interface DnsServer { /** IP address. */ address: string; port: number }

/** "192.0.2.1", "192.0.2.1 port 5353" */
export const serverText = ({ address, port }: DnsServer): string => (port === 53 ? address : `${address} port ${port}`)

export interface Carried {
  server: DnsServer
  message: Buffer
  /** Whether this is the answer to the message. Over UDP others are passed over: anybody can send them. */
  fits: (answer: Buffer) => boolean
  timeoutMs: number
  signal?: AbortSignal | undefined
}

type Problem = 'timeout' | 'unreachable' | 'malformed' | 'aborted'
function failure(server: DnsServer, over: string, problem: Problem, why: string, cause?: unknown): CertloopError {
  return new CertloopError('DNS_LOOKUP_FAILED', `DNS server ${serverText(server)} ${why} (${over}).`, { server: serverText(server), problem }, cause)
}
function networkFailure(server: DnsServer, over: string, error: Error): CertloopError {
  const { code = '' } = error as NodeJS.ErrnoException
  const why = code === 'ECONNREFUSED' ? 'is not there: nothing listens on the port' : `can not be reached: ${code || error.message}`
  return new CertloopError('DNS_LOOKUP_FAILED', `DNS server ${serverText(server)} ${why} (${over}).`, { server: serverText(server), problem: 'unreachable', ...(code ? { errno: code } : {}) }, error)
}
const seconds = (timeoutMs: number) => `${timeoutMs / 1000} s`

/**
 * From a port that the system chooses at random. The socket takes answers of the asked server alone. Sent again once, at half of the time.
 * @throws CertloopError DNS_LOOKUP_FAILED, facts.problem "timeout", "unreachable" or "aborted"
 */
export function overUdp({ server, message, fits, timeoutMs, signal }: Carried): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(failure(server, 'UDP', 'aborted', 'was not asked: the time for the whole is over'))
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
    let isOver = false
    const finish = (settle: () => void) => {
      if (isOver) return
      isOver = true
      clearTimeout(again)
      clearTimeout(over)
      signal?.removeEventListener('abort', abort)
      socket.removeAllListeners().on('error', () => {})
      socket.close()
      settle()
    }
    const abort = () => finish(() => reject(failure(server, 'UDP', 'aborted', 'did not answer within the time for the whole')))
    const fail = (error: Error) => finish(() => reject(networkFailure(server, 'UDP', error)))
    const send = () => socket.send(message, (error) => { if (error) fail(error) })
    const again = setTimeout(send, Math.round(timeoutMs / 2))
    const over = setTimeout(() => finish(() => reject(failure(server, 'UDP', 'timeout', `does not answer within ${seconds(timeoutMs)}`))), timeoutMs)
    signal?.addEventListener('abort', abort, { once: true })
    socket.on('error', fail)
    socket.on('message', (answer) => { if (fits(answer)) finish(() => resolve(answer)) })
    socket.connect(server.port, server.address, ((error?: Error) => (error ? fail(error) : send())) as () => void)
  })
}

/** @throws CertloopError as overUdp, and facts.problem "malformed" for an answer to something else */
export function overTcp({ server, message, fits, timeoutMs, signal }: Carried): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(failure(server, 'TCP', 'aborted', 'was not asked: the time for the whole is over'))
    const socket = connect({ host: server.address, port: server.port })
    const finish = (settle: () => void) => {
      clearTimeout(over)
      signal?.removeEventListener('abort', abort)
      socket.removeAllListeners().on('error', () => {})
      socket.destroy()
      settle()
    }
    const abort = () => finish(() => reject(failure(server, 'TCP', 'aborted', 'did not answer within the time for the whole')))
    const over = setTimeout(() => finish(() => reject(failure(server, 'TCP', 'timeout', `does not answer within ${seconds(timeoutMs)}`))), timeoutMs)
    let received: Buffer = Buffer.alloc(0)
    signal?.addEventListener('abort', abort, { once: true })
    socket.on('error', (error) => finish(() => reject(networkFailure(server, 'TCP', error))))
    socket.on('connect', () => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(message.length)
      socket.write(Buffer.concat([length, message]))
    })
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const answer = received.subarray(2, 2 + received.readUInt16BE(0))
      finish(() => (fits(answer) ? resolve(answer) : reject(failure(server, 'TCP', 'malformed', 'sent an answer to something else'))))
    })
    socket.on('close', () => finish(() => reject(failure(server, 'TCP', 'unreachable', 'closed the connection without an answer'))))
  })
}
