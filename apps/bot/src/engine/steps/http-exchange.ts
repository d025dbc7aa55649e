import { asSentence, CertloopError, type HttpRequestStep, toCertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { request } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'

export interface HttpAnswer { status: number; body: string; /** WWW-Authenticate, line by line. */ challenges: string[] }

/** More of an answer is refused. */
const limitBytes = 1024 * 1024

/**
 * One request over a connection of its own, as the host itself would make it.
 * @param end by performance.now()
 * @throws CertloopError HOST_UNREACHABLE, COMMAND_TIMEOUT, MANAGEMENT_REFUSED (another certificate than expected, too long an answer)
 */
export async function exchange(host: Host, step: HttpRequestStep, end: number, authorization?: string): Promise<HttpAnswer> {
  const open: Duplex[] = []
  const late = deadline(step, end)
  try {
    return await Promise.race([late.passed, talk(host, step, end, authorization, open)])
  } finally {
    late.cancel()
    for (const stream of open) stream.destroy()
  }
}

function deadline({ title, url, timeoutSeconds }: HttpRequestStep, end: number): { passed: Promise<never>; cancel(): void } {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => { reject(new CertloopError('COMMAND_TIMEOUT', `${title}: ${url} gave no whole answer within ${timeoutSeconds} s.`, { url, seconds: timeoutSeconds })) }, Math.max(1, end - performance.now()))
  timer.unref() // what it waits for keeps the process alive, and where nothing does it need not
  return { passed: promise, cancel: () => { clearTimeout(timer) } }
}

async function talk(host: Host, step: HttpRequestStep, end: number, authorization: string | undefined, open: Duplex[]): Promise<HttpAnswer> {
  const url = new URL(step.url)
  const address = url.hostname.replace(/^\[|\]$/g, '')
  const plain = await host.connect({ address, port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80) }, Math.max(1, end - performance.now()))
  open.push(plain)
  plain.on('error', () => {}) // told by what runs over it
  const stream = url.protocol === 'https:' ? await secured(plain, address, step) : plain
  open.push(stream)
  return answerOver(stream, url, step, authorization)
}

/** Nothing is sent to a server whose certificate is not the expected one. */
function secured(plain: Duplex, address: string, { url, title, pins }: HttpRequestStep): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const refuse = (reason: string, cause?: Error) => { reject(new CertloopError('MANAGEMENT_REFUSED', `${title}: no trusted connection to ${url}: ${asSentence(reason)} Nothing was sent.`, { url }, cause)) }
    const socket = connectTls({ socket: plain, servername: isIP(address) === 0 ? address : '', host: address, rejectUnauthorized: pins === undefined })
    socket.on('error', (error) => { refuse(error.message.split('\n')[0] ?? '', error) })
    socket.on('close', () => { refuse('it was closed during the handshake') })
    socket.once('secureConnect', () => {
      const seen = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? 'none'
      if (pins === undefined || pins.includes(seen)) resolve(socket)
      else refuse(`it shows the certificate ${seen.slice(0, 16)}…, which is none of the expected ones`)
    })
  })
}

function answerOver(stream: Duplex, url: URL, step: HttpRequestStep, authorization: string | undefined): Promise<HttpAnswer> {
  const { method, title } = step
  const body = step.body === undefined ? undefined : Buffer.from(step.body)
  const headers = {
    'Host': url.host, 'Connection': 'close', 'User-Agent': 'certloop-bot', 'Accept': '*/*', ...step.headers,
    ...(body === undefined ? {} : { 'Content-Length': body.length }), ...(authorization === undefined ? {} : { 'Authorization': authorization }),
  }
  return new Promise((resolve, reject) => {
    const broken = (error: Error) => { reject(new CertloopError('HOST_UNREACHABLE', `${title}: the connection to ${url.origin} broke off: ${asSentence(error.message)}`, { url: step.url }, error)) }
    const call = request({ createConnection: () => stream, method, path: `${url.pathname}${url.search}`, headers, setHost: false }, (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        size += chunk.length
        if (size > limitBytes) reject(new CertloopError('MANAGEMENT_REFUSED', `${title}: the answer of ${url.origin} is longer than ${limitBytes} bytes.`, { url: step.url }))
      })
      response.on('error', broken)
      response.on('aborted', () => { broken(new Error('the answer ended too early')) })
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8'), challenges: response.headersDistinct['www-authenticate'] ?? [] })
      })
    })
    call.on('error', (error) => { broken(toCertloopError(error)) })
    call.end(body)
  })
}
