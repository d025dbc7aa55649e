import { CertloopError, type FtpReach, toCertloopError } from '@certloop/contract'
import { Client, FTPError } from 'basic-ftp'
import type { SecureVersion, TLSSocket } from 'node:tls'
import type { Limits } from '../limits.ts'

export interface FtpSession {
  /** Runs one piece of work on the connection, after those asked for before. The connection is made when there is none. */
  use<T>(path: string, doing: string, work: (client: Client) => Promise<T>): Promise<T>
  close(): void
}

/** Of the control connection while it says nothing, and of a data connection while nothing arrives. */
const silenceMs = 30_000
/** Of a login, and of one piece of work: a server that says something now and then is not waited for any longer. */
const [loginMs, workMs] = [60_000, 600_000]
/** A connection nobody uses is given up after this time: servers end it anyway. */
const idleMs = 20_000

/** Codes with which a server says that there is no space: RFC 959, 4.2.1. */
const fullCodes = [452, 552]
/** The connection is gone or was never there. */
const lostCodes = /^(?:ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/

export const isLost = (error: unknown): boolean => error instanceof Error && !(error instanceof FTPError) && !(error instanceof CertloopError)

/** One login, used by one piece of work after the other. */
export function createFtpSession(reach: FtpReach, password: string, limits: Pick<Limits, 'allowSsh'>): FtpSession {
  let client: Client | undefined
  let last: Promise<unknown> = Promise.resolve()
  let idle: NodeJS.Timeout | undefined

  const close = () => {
    clearTimeout(idle)
    client?.close()
    client = undefined
  }
  async function open(): Promise<Client> {
    if (client !== undefined && !client.closed) return client
    limits.allowSsh(reach.host, reach.port)
    client = await logIn(reach, password)
    return client
  }
  async function once<T>(path: string, doing: string, work: (client: Client) => Promise<T>): Promise<T> {
    clearTimeout(idle)
    const opened = await open()
    try {
      const done = await within(opened, workMs, () => work(opened))
      refuseStranger(opened)
      return done
    } catch (error) {
      // What a server refuses leaves the connection as it is; after all else nobody knows what it would answer next.
      if (!(error instanceof FTPError)) close()
      throw ftpError(error, reach, path, doing)
    } finally {
      idle = setTimeout(close, idleMs).unref()
    }
  }
  return {
    use(path, doing, work) {
      const mine = last.then(() => once(path, doing, work))
      last = mine.catch(() => undefined) // its caller gets the error; the next goes on
      return mine
    },
    close,
  }
}

async function within<T>(client: Client, milliseconds: number, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => { client.ftp.closeWithError(new Error(`Timeout: it took longer than ${milliseconds / 1000} s`)) }, milliseconds)
  try {
    return await work()
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Servers want data connections to resume the TLS session of the control connection. A session of TLS 1.2 can be resumed
 * as often as needed; of TLS 1.3 each ticket once, and a short transfer ends before the next ticket is there.
 */
const versions = ['TLSv1.2', 'TLSv1.3'] as const

/** Logs in with the older version; only a server that has nothing but TLS 1.3 gets that. */
async function logIn(reach: FtpReach, password: string): Promise<Client> {
  for (const maxVersion of reach.security === 'none' ? ['TLSv1.2' as const] : versions) {
    const client = new Client(silenceMs)
    try {
      await within(client, loginMs, () => logInWith(client, reach, password, maxVersion))
      return client
    } catch (error) {
      client.close()
      if (maxVersion === 'TLSv1.3' || !isVersionProblem(error)) throw error
    }
  }
  throw new CertloopError('TRANSFER_FAILED', `${reach.host}:${reach.port} speaks no version of TLS that the bot speaks.`, { host: reach.host, port: reach.port })
}

const isVersionProblem = (error: unknown) => error instanceof CertloopError && error.cause instanceof Error && 'code' in error.cause && /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|HANDSHAKE_FAILURE/.test(String(error.cause.code))

/** The certificate is looked at before the password is sent. */
async function logInWith(client: Client, reach: FtpReach, password: string, maxVersion: SecureVersion): Promise<void> {
  const { host, port, user, security, pin } = reach
  const tls = { host, servername: /^[\d.:]+$/.test(host) ? '' : host, rejectUnauthorized: pin === null, maxVersion }
  try {
    await (security === 'implicit-tls' ? client.connectImplicitTLS(host, port, tls) : client.connect(host, port))
    if (security === 'explicit-tls') await client.useTLS(tls)
    if (security !== 'none' && pin !== null) {
      const stranger = strangerAt(client.ftp.socket as TLSSocket, reach, pin)
      if (stranger !== undefined) throw stranger
      watchData(client, reach, pin)
    }
  } catch (error) {
    throw connectError(error, reach)
  }
  try {
    await client.login(user, password)
    await client.useDefaultSettings()
  } catch (error) {
    // Without its cause: a server may say the password again.
    if (error instanceof FTPError && error.code >= 500) throw new CertloopError('LOGIN_REFUSED', `${host}:${port} refuses the login of "${user}": ${password === '' ? error.message : error.message.replaceAll(password, '[hidden]')}`, { host, port, user })
    throw connectError(error, reach)
  }
}

function strangerAt(socket: TLSSocket, { host, port }: FtpReach, pin: string): CertloopError | undefined {
  const seen = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? ''
  return seen === pin ? undefined : new CertloopError('HOST_KEY_CHANGED', `${host}:${port} shows the certificate ${seen}, not the confirmed one ${pin}. Nothing was sent to it.`, { host, port, fingerprint: seen })
}

/** The latest data connection of a client: who it turned out to be, once its handshake is over. A connection that is given up before says nothing. */
const dataConnections = new WeakMap<Client, DataConnection>()
interface DataConnection { stranger?: CertloopError | undefined; shaken: Promise<void> }

/** Before anything that came over a data connection counts. @throws CertloopError HOST_KEY_CHANGED */
export function refuseStranger(client: Client): void {
  const stranger = dataConnections.get(client)?.stranger
  if (stranger !== undefined) throw stranger
}

/** The same before anything is sent over it. */
export async function refuseToSend(client: Client): Promise<void> {
  await dataConnections.get(client)?.shaken
  refuseStranger(client)
}

/** A data connection is one more connection, and who answers there may be somebody else: only who resumes the session of the control connection, or shows the same certificate, is the server. */
function watchData(client: Client, reach: FtpReach, pin: string): void {
  // The client puts the way that worked in the place of this one, so that both stay in reach.
  let way = client.prepareTransfer
  const watched: typeof way = async (ftp) => {
    const answer = await way(ftp)
    const socket = ftp.dataSocket as TLSSocket
    const { promise: shaken, resolve } = Promise.withResolvers<void>()
    const connection: DataConnection = { shaken }
    dataConnections.set(client, connection)
    socket.prependOnceListener('secureConnect', () => {
      connection.stranger = socket.isSessionReused() ? undefined : strangerAt(socket, reach, pin)
      resolve()
    })
    return answer
  }
  Object.defineProperty(client, 'prepareTransfer', { get: () => watched, set: (next: typeof way) => { way = next } })
}

function connectError(error: unknown, { host, port, security }: FtpReach): CertloopError {
  if (error instanceof CertloopError) return error
  const { message } = toCertloopError(error)
  if (error instanceof FTPError) return new CertloopError('TRANSFER_FAILED', `${host}:${port} answers: ${message}${security === 'explicit-tls' && error.code >= 500 ? ' It does not seem to offer TLS (AUTH TLS).' : ''}`, { host, port }, error)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (lostCodes.test(code) || /timeout/i.test(message)) return new CertloopError('HOST_UNREACHABLE', `${host}:${port} can not be reached: ${message}`, { host, port }, error)
  const untrusted = /CERT|SELF_SIGNED|ISSUER|ALTNAME/.test(code)
  return new CertloopError(untrusted ? 'HOST_KEY_UNKNOWN' : 'HOST_UNREACHABLE', untrusted ? `The certificate that ${host}:${port} shows is not trusted on the bot's machine: ${message}. Put its SHA-256 into the target, once compared.` : `No connection to ${host}:${port}: ${message}`, { host, port }, error)
}

function ftpError(error: unknown, { host }: FtpReach, path: string, doing: string): CertloopError {
  if (error instanceof CertloopError) return error
  const { message } = toCertloopError(error)
  if (!(error instanceof FTPError)) return new CertloopError('TRANSFER_FAILED', `${path}: could not ${doing}: the connection to ${host} was lost: ${message}`, { path, host }, error)
  if (fullCodes.includes(error.code) || /no space|quota|disk full/i.test(message)) return new CertloopError('DISK_FULL', `${path}: could not ${doing}: ${host} answers: ${message}`, { path, host }, error)
  return new CertloopError(error.code >= 500 ? 'FILE_UNWRITABLE' : 'TRANSFER_FAILED', `${path}: could not ${doing}: ${host} answers: ${message}`, { path, host }, error)
}
