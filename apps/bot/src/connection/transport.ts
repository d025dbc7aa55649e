import http, { type IncomingHttpHeaders, type IncomingMessage, type ProxyEnv } from 'node:http'
import https from 'node:https'
import { CertloopError } from '@certloop/contract'

export interface Outgoing {
  method: 'GET' | 'POST'
  path: string
  headers?: Record<string, string>
  body?: string
  /** From the first byte sent to the last one read. */
  timeoutMs: number
  signal?: AbortSignal
}
export interface Answer { status: number; headers: IncomingHttpHeaders; body: string }
export interface Transport {
  /** @throws CertloopError CONTROL_PLANE_UNREACHABLE, PIN_MISMATCH; what `signal` was aborted with, when it was. */
  send(request: Outgoing): Promise<Answer>
  close(): void
}

export interface TransportOptions {
  url: URL
  /** anchor: exactly this certificate is trusted. system: the system's roots. unverified: nobody, to look at a pinned anchor only. */
  trust: { anchor: string } | 'system' | 'unverified'
  proxy: ProxyEnv | undefined
  userAgent: string
}

/** Answers are small; the largest are tasks with a plan and a few chains. */
const answerLimitBytes = 16 * 1024 * 1024

/** HTTP/1.1 with kept-alive connections to one control plane, through a proxy where one is set. */
export function createTransport({ url, trust, proxy, userAgent }: TransportOptions): Transport {
  const secure = url.protocol === 'https:'
  const connection = { keepAlive: true, maxSockets: 16, ...(proxy ? { proxyEnv: proxy } : {}) }
  const agent = secure ? new https.Agent({ ...connection, ...tlsOptions(trust) }) : new http.Agent(connection)
  return {
    send: (outgoing) => exchange(secure ? https.request : http.request, url, agent, userAgent, outgoing).catch((error: unknown) => {
      outgoing.signal?.throwIfAborted()
      throw connectionError(error, url, typeof trust === 'object')
    }),
    close: () => agent.destroy(),
  }
}

// A pinned anchor may be an intermediate, so a chain that ends in it is complete. The host name is always compared.
const tlsOptions = (trust: TransportOptions['trust']): https.AgentOptions => ({
  minVersion: 'TLSv1.2',
  ...(typeof trust === 'object' ? { ca: [trust.anchor], allowPartialTrustChain: true } : {}),
  ...(trust === 'unverified' ? { rejectUnauthorized: false } : {}),
})

function exchange(request: typeof https.request, url: URL, agent: http.Agent, userAgent: string, { method, path, headers, body, timeoutMs, signal }: Outgoing): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), {
      method, agent, ...(signal ? { signal } : {}),
      headers: {
        'user-agent': userAgent, accept: 'application/json, application/problem+json',
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }), ...headers,
      },
    })
    const timer = setTimeout(() => sent.destroy(new Error(`no complete answer within ${timeoutMs / 1000} seconds`)), timeoutMs)
    const settle = (act: () => void) => { clearTimeout(timer); act() }
    sent.on('error', (error) => settle(() => reject(error)))
    sent.on('response', (response) => {
      readBody(response).then(
        (text) => settle(() => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })),
        (error: Error) => settle(() => { sent.destroy(); reject(error) }),
      )
    })
    sent.end(body)
  })
}

async function readBody(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of response) {
    size += (part as Buffer).length
    if (size > answerLimitBytes) throw new Error(`the answer is larger than ${answerLimitBytes} bytes`)
    parts.push(part as Buffer)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Verification errors of TLS that mean "another one answered", as against an expired certificate or a wrong clock. */
const strangers = new Set(['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_SIGNATURE_FAILURE', 'ERR_TLS_CERT_ALTNAME_INVALID'])

function connectionError(error: unknown, url: URL, pinned: boolean): CertloopError {
  const { code = '', message, errors } = error as { code?: string; message: string; errors?: Error[] }
  if (pinned && strangers.has(code)) {
    return new CertloopError('PIN_MISMATCH', `${url.origin} showed a certificate that the pinned trust anchor does not vouch for (${message}).`, { address: url.origin }, error)
  }
  // Trying several addresses fails with all their errors and no message of its own.
  const why = message || errors?.map((e) => e.message).join('; ') || code
  return new CertloopError('CONTROL_PLANE_UNREACHABLE', `${url.origin} can not be reached: ${why}.`, { address: url.origin }, error)
}
