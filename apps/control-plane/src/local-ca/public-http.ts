import type { IncomingMessage, ServerResponse } from 'node:http'
import { isId } from '@certloop/contract'
import { ocspError } from '@certloop/pki'
import type { Database } from '../database/database.ts'
import type { CrlScopeName } from './crl-store.ts'
import type { Ocsp, OcspAnswer } from './ocsp.ts'
import { createPublicFiles, notFound, send } from './public-files.ts'

/**
 * What relying parties fetch: lists, OCSP answers and issuing certificates. All of it is signed and public, so it is
 * served to everybody, also over plain http, and beside the API: no session, no cookies, no limit by address (a whole
 * site may ask from one). Bounded instead by size and method.
 */
export interface PublicHttpDeps { database: Database; ocsp: Ocsp; now: () => Date; log: (message: string, error: unknown) => void }
/** @returns whether the request was one for it */
export type PublicHandler = (request: IncomingMessage, response: ServerResponse) => boolean

const longestOcspRequest = 8192
/** Of a body that is too long so much is read, that its sender may come to read the answer. */
const mostBodyRead = 1 << 20
const slowBodyMs = 10_000
const ocspResponseType = 'application/ocsp-response'
const longestPath = 12_000

export function createPublicHttp({ database, ocsp, now, log }: PublicHttpDeps): PublicHandler {
  const { sendCrl, sendIssuer } = createPublicFiles({ database, now })

  function sendOcsp(request: IncomingMessage, response: ServerResponse, { body, maxAge, validators }: OcspAnswer): void {
    // Only answers to GET are for caches (RFC 5019, 5 and 6.2).
    if (request.method !== 'POST' && maxAge > 0 && validators) return send(request, response, { type: ocspResponseType, body, maxAge, ...validators })
    response.writeHead(200, ['content-type', ocspResponseType, 'content-length', String(body.length), 'cache-control', 'no-store'])
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  function readOcsp(request: IncomingMessage, response: ServerResponse, then: (asked: Buffer) => void): void {
    const parts: Buffer[] = []
    let size = 0
    const tooLate = setTimeout(() => { request.destroy() }, slowBodyMs).unref()
    request.once('close', () => { clearTimeout(tooLate) })
    request.on('data', (part: Buffer) => {
      size += part.length
      if (size <= longestOcspRequest) parts.push(part)
      else if (!response.headersSent) response.writeHead(413, { 'content-type': ocspResponseType, connection: 'close' }).end(ocspError('malformedRequest'))
      // Who has not read the answer by then never will.
      else if (size > mostBodyRead) request.destroy()
    })
    request.once('end', () => {
      if (size <= longestOcspRequest) then(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts))
    })
  }

  const guarded = (response: ServerResponse, work: Promise<void>, lastWord?: Buffer): void => {
    work.catch((error: unknown) => {
      log('a request for public CA data failed', error)
      if (response.headersSent) response.destroy()
      else if (lastWord) response.writeHead(200, { 'content-type': ocspResponseType, 'cache-control': 'no-store' }).end(lastWord)
      else response.writeHead(503, { 'content-type': 'text/plain', 'cache-control': 'no-store', 'retry-after': '10' }).end('Try again later.\n')
    })
  }
  const answerOcsp = (request: IncomingMessage, response: ServerResponse, asked: Buffer, key: string) =>
    guarded(response, ocsp.answer(asked, key).then((answer) => sendOcsp(request, response, answer)), ocspError('internalError'))

  function handleOcsp(request: IncomingMessage, response: ServerResponse, path: string): void {
    if (request.method === 'POST') {
      return readOcsp(request, response, (asked) => {
        const key = asked.toString('latin1')
        const answer = ocsp.atHand(key)
        if (answer) sendOcsp(request, response, answer)
        else answerOcsp(request, response, asked, key)
      })
    }
    const answer = ocsp.atHand(path)
    if (answer) return sendOcsp(request, response, answer)
    const asked = ocspInPath(path)
    if (asked === undefined) notFound(response)
    else answerOcsp(request, response, asked, path)
  }

  return (request, response) => {
    const url = request.url ?? ''
    if (!/^\/(?:crl|ca|ocsp)(?:\/|$)/.test(url)) return false
    const isOcsp = url.startsWith('/ocsp')
    const reads = request.method === 'GET' || request.method === 'HEAD'
    if (!reads && !(isOcsp && request.method === 'POST')) {
      response.writeHead(405, { allow: isOcsp ? 'GET, HEAD, POST' : 'GET, HEAD', connection: 'close' }).end()
      return true
    }
    if (url.length > longestPath) notFound(response)
    else if (isOcsp) handleOcsp(request, response, url)
    else handleFile(request, response, url)
    return true
  }

  function handleFile(request: IncomingMessage, response: ServerResponse, url: string): void {
    const crl = /^\/crl\/(iss_\w+?)(?:-(\d{1,4}|delta))?\.crl$/.exec(url)
    const certificate = /^\/ca\/(iss_\w+)\.(cer|p7c)$/.exec(url)
    const id = crl?.[1] ?? certificate?.[1] ?? ''
    if (!isId('iss', id)) notFound(response)
    else if (crl) guarded(response, sendCrl(request, response, id, scopeOf(crl[2])))
    else guarded(response, sendIssuer(request, response, id, certificate?.[2] ?? 'cer'))
  }
}

const scopeOf = (part: string | undefined): CrlScopeName => (part === undefined ? 'full' : part === 'delta' ? 'delta' : `shard:${Number(part)}`)

/** The request in a GET: base64 in the path, with or without the issuer's id before it, its "/" escaped or not (RFC 6960, A.1). */
function ocspInPath(path: string): Buffer | undefined {
  const rest = path.replace(/^\/ocsp\/?(?:iss_\w+\/?)?/, '')
  let text: string
  try {
    text = decodeURIComponent(rest)
  } catch {
    return undefined // not even an address
  }
  return text.length > 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
}
