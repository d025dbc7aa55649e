import type { Endpoint, ServedCertificate } from '@certloop/contract'
import type { Host, Prober } from '@certloop/plugin-kit'
import { connect as connectPlain, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { conversation } from './start-tls/conversation.ts'
import { type Protocol, protocols } from './start-tls/dialogues.ts'

/** What may sign the handshake (TLS 1.2 and 1.3) and which TLS 1.2 suites go with it. */
const byKeyType = {
  rsa: { sigalgs: 'RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA+SHA1', suites: 'aRSA' },
  ec: { sigalgs: 'ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ECDSA+SHA1', suites: 'aECDSA' },
} as const
/** Old and weak settings are welcome: the aim is to see what is served, not to talk over it. Without a certificate there is nothing to see: mail servers like such suites. */
const weakToo = '!aNULL:@SECLEVEL=0'
const tls13Suites = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'

interface Sight { fingerprint: string | null; error: string | null }

interface Patience {
  /** For connection and handshake together. */
  timeLimitMs?: number
  /** The same where TLS has to be asked for: mail servers look the caller up before they greet. */
  startTlsLimitMs?: number
}

interface ProberOptions extends Patience {
  now: () => Date
  /** How the endpoints are reached; absent: over the network of this machine. */
  connect?: Host['connect']
}

/** Probers as seen from a host: 127.0.0.1 is that host's own. */
export const probersFor = (options: Omit<ProberOptions, 'connect'>) => (host: Host): Prober =>
  createProber(host.kind === 'local' ? options : { ...options, connect: (to, timeoutMs) => host.connect(to, timeoutMs) })

/** One new handshake per call, no session re-used, trust not judged. */
export function createProber({ now, connect: reach, timeLimitMs = 5000, startTlsLimitMs = 15_000 }: ProberOptions): Prober {
  return async (endpoint): Promise<ServedCertificate> => {
    const [first, second] = attempts(endpoint)
    const protocol = endpoint.startTls ? protocols[endpoint.startTls] : undefined
    const limitMs = protocol ? startTlsLimitMs : timeLimitMs
    let sight = await handshake(first, limitMs, protocol, reach)
    if (sight.fingerprint === null && second) {
      const again = await handshake(second, limitMs, protocol, reach)
      if (again.fingerprint !== null) sight = again
    }
    return { endpoint, ...sight, at: now().toISOString() }
  }
}

/**
 * With a key type, TLS 1.3 can be steered only by signature algorithms; a strict server applies those to its issuers
 * as well and refuses. TLS 1.2 names the key type in the suite, so that is the second try.
 */
function attempts({ address, port, serverName, keyType }: Endpoint): [ConnectionOptions, ConnectionOptions?] {
  const base: ConnectionOptions = {
    host: address, port, rejectUnauthorized: false, minVersion: 'TLSv1', requestOCSP: true,
    servername: serverName !== null && isIP(serverName) === 0 ? serverName : '',
  }
  if (keyType === null) return [{ ...base, ciphers: `${tls13Suites}:ALL:${weakToo}` }]
  const { sigalgs, suites } = byKeyType[keyType]
  return [
    { ...base, sigalgs, ciphers: `${tls13Suites}:${suites}:${weakToo}` },
    { ...base, maxVersion: 'TLSv1.2', ciphers: `${suites}:${weakToo}` },
  ]
}

function handshake(options: ConnectionOptions, timeLimitMs: number, protocol: Protocol | undefined, reach: Host['connect'] | undefined): Promise<Sight> {
  return new Promise((resolve) => {
    let plain: Duplex | undefined
    let ended = false
    let socket: TLSSocket | undefined
    let seen: string | null = null
    const finish = (error: string | null) => {
      ended = true
      clearTimeout(timer)
      if (error === null) leavePolitely(socket, protocol)
      else (socket ?? plain)?.destroy()
      resolve({ fingerprint: seen, error: seen === null ? (error ?? 'The server sent no certificate.') : null })
    }
    const timer = setTimeout(() => { finish(`No TLS handshake within ${timeLimitMs} ms.`) }, timeLimitMs)
    const look = () => { seen ??= leafOf(socket) }
    const fail = (thrown: unknown) => { finish(thrown instanceof Error ? plainReason(thrown) : String(thrown)) }
    const begin = (over: ConnectionOptions) => {
      socket = connect({ ...options, ...over })
      // Comes before the end of the handshake: a server that then insists on a client certificate was seen all the same.
      socket.on('OCSPResponse', look)
      socket.on('secureConnect', () => { look(); finish(null) })
      socket.on('error', fail)
      socket.on('close', () => { finish('The connection was closed during the handshake.') })
    }
    const beginOver = (stream: Duplex) => {
      plain = stream
      if (ended) return stream.destroy()
      stream.on('error', fail)
      if (protocol === undefined) return begin({ socket: stream })
      startTls(stream, protocol).then(begin).catch(fail)
    }
    try {
      if (reach !== undefined) reach({ address: options.host ?? '', port: options.port ?? 0 }, timeLimitMs).then(beginOver).catch(fail)
      else if (protocol === undefined) begin({})
      else beginOver(connectPlain({ host: options.host ?? '', port: options.port ?? 0 }))
    } catch (thrown) {
      fail(thrown) // options that can't be used
    }
  })
}

/** Speaks in the clear until the server is ready for TLS on the same connection. */
async function startTls(socket: Duplex, { ask }: Protocol): Promise<ConnectionOptions> {
  const talk = conversation(socket)
  await ask(talk)
  talk.end()
  return { socket }
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'Nothing listens there.',
  ECONNRESET: 'The connection was reset during the handshake.',
  EPIPE: 'The connection was closed during the handshake.',
  EHOSTUNREACH: 'The host can not be reached.',
  ENETUNREACH: 'The network can not be reached.',
  ETIMEDOUT: 'The host does not answer.',
  ERR_SSL_WRONG_VERSION_NUMBER: 'What listens there does not speak TLS.',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'What listens there does not speak TLS.',
  ERR_SSL_HTTP_REQUEST: 'What listens there does not speak TLS.',
}

/** OpenSSL's own words hold addresses in memory and paths of its source; of those only the reason is worth reading. */
function plainReason(error: Error & { code?: string; reason?: string }): string {
  const known = reasons[error.code ?? '']
  if (known) return known
  return error.reason ? `The handshake failed: ${error.reason}.` : (error.message.split('\n')[0] ?? '').slice(0, 200)
}

/** A handshake broken off at its very end would be an error in the server's log. Nobody waits for the goodbye. */
function leavePolitely(socket: TLSSocket | undefined, protocol: Protocol | undefined): void {
  socket?.end(protocol?.goodbye ?? '')
  setTimeout(() => { socket?.destroy() }, 1000).unref()
}

const leafOf = (socket: TLSSocket | undefined): string | null =>
  socket?.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? null
