import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isId, type IssuerId } from '@certloop/contract'
import { ocspError, splitPem, writePkcs7 } from '@certloop/pki'
import type { Database } from '../database/database.ts'
import { findCrl, readBody, type CrlRow, type CrlScopeName } from './crl-store.ts'
import { listIssuers } from './issuer-store.ts'
import type { Ocsp } from './ocsp.ts'

/**
 * What relying parties fetch: lists, OCSP answers and issuing certificates. All of it is signed and public, so it is
 * served to everybody, also over plain http, and beside the API: no session, no cookies, no limit by address (a whole
 * site may ask from one). Bounded instead by size and method.
 */
export interface PublicHttpDeps { database: Database; ocsp: Ocsp; now: () => Date; log: (message: string, error: unknown) => void }
/** @returns whether the request was one for it */
export type PublicHandler = (request: IncomingMessage, response: ServerResponse) => boolean

const longestOcspRequest = 8192
const longestPath = 12_000
/** Lists up to this size are kept in memory; larger ones go out piece by piece. */
const keptBytes = 4 << 20
const longestCrlAge = 3600

interface Fetched { type: string; body: Buffer; etag: string; lastModified: Date; maxAge: number; expires?: Date }

function notFound(response: ServerResponse): void {
  response.writeHead(404, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end('There is nothing here.\n')
}

const isUnchanged = ({ headers }: IncomingMessage, etag: string, lastModified: Date): boolean => {
  const asked = headers['if-none-match']
  if (asked !== undefined) return asked === '*' || asked.split(',').some((one) => one.trim().replace(/^W\//, '') === etag)
  const since = headers['if-modified-since']
  return since !== undefined && Date.parse(since) >= Math.floor(lastModified.getTime() / 1000) * 1000
}

function cacheHeaders({ etag, lastModified, maxAge, expires }: Omit<Fetched, 'body' | 'type'>): Record<string, string> {
  return {
    'cache-control': maxAge > 0 ? `max-age=${maxAge}, public, no-transform, must-revalidate` : 'no-store', etag, 'last-modified': lastModified.toUTCString(),
    ...(expires ? { expires: expires.toUTCString() } : {}), 'x-content-type-options': 'nosniff',
  }
}

function send(request: IncomingMessage, response: ServerResponse, { type, body, ...cache }: Fetched): void {
  if (isUnchanged(request, cache.etag, cache.lastModified)) {
    response.writeHead(304, cacheHeaders(cache)).end()
    return
  }
  response.writeHead(200, { 'content-type': type, 'content-length': body.length, ...cacheHeaders(cache) })
  response.end(request.method === 'HEAD' ? undefined : body)
}

export function createPublicHttp({ database, ocsp, now, log }: PublicHttpDeps): PublicHandler {
  const { db } = database
  /** By issuer and scope: the body of the newest list. */
  const kept = new Map<string, { bodyId: string; body: Buffer }>()

  async function bodyOf(row: CrlRow): Promise<Buffer> {
    const key = `${row.issuerId} ${row.scope}`
    const present = kept.get(key)
    if (present?.bodyId === row.bodyId) return present.body
    const parts: Buffer[] = []
    for await (const part of readBody(db, row.bodyId)) parts.push(part)
    const body = Buffer.concat(parts)
    kept.set(key, { bodyId: row.bodyId, body })
    return body
  }

  async function sendCrl(request: IncomingMessage, response: ServerResponse, issuerId: IssuerId, scope: CrlScopeName): Promise<void> {
    const row = await findCrl(db, issuerId, scope)
    if (!row) return notFound(response)
    const nextUpdate = new Date(row.nextUpdate)
    const left = Math.max(0, Math.floor((nextUpdate.getTime() - now().getTime()) / 1000))
    const cache = { etag: `"${row.bodyId}"`, lastModified: new Date(row.thisUpdate), maxAge: Math.min(left, longestCrlAge) }
    if (row.bytes <= keptBytes) return send(request, response, { type: 'application/pkix-crl', body: await bodyOf(row), ...cache })
    if (isUnchanged(request, cache.etag, cache.lastModified)) return void response.writeHead(304, cacheHeaders(cache)).end()
    response.writeHead(200, { 'content-type': 'application/pkix-crl', 'content-length': row.bytes, ...cacheHeaders(cache) })
    if (request.method === 'HEAD') return void response.end()
    for await (const part of readBody(db, row.bodyId)) {
      if (response.destroyed) return
      if (!response.write(part)) await new Promise((resolve) => { response.once('drain', resolve); response.once('close', resolve) })
    }
    response.end()
  }

  async function sendIssuer(request: IncomingMessage, response: ServerResponse, id: IssuerId, format: string): Promise<void> {
    const issuer = (await listIssuers(db)).find((one) => one.id === id)
    const own = issuer?.certificate && splitPem(issuer.certificate.certificatePem)[0]?.der
    if (!issuer?.certificate || !own) return notFound(response)
    // RFC 5280, 4.2.2.1: one certificate as DER, or several in a PKCS#7 message.
    const all = issuer.certificates.flatMap(({ certificatePem }) => splitPem(certificatePem).map(({ der }) => der))
    const [body, type] = format === 'cer' ? [own, 'application/pkix-cert'] : [writePkcs7({ certificates: all }), 'application/pkcs7-mime; smime-type=certs-only']
    send(request, response, { type, body, etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`, lastModified: issuer.certificate.notBefore, maxAge: 3600 })
  }

  async function sendOcsp(request: IncomingMessage, response: ServerResponse, asked: Buffer): Promise<void> {
    const { body, maxAge, nextUpdate, producedAt } = await ocsp.answer(asked)
    const headers = { 'content-type': 'application/ocsp-response', 'content-length': body.length }
    // Only answers to GET are for caches (RFC 5019, 5 and 6.2).
    if (request.method === 'POST' || maxAge === 0 || !nextUpdate || !producedAt) {
      response.writeHead(200, { ...headers, 'cache-control': 'no-store' }).end(body)
      return
    }
    send(request, response, { type: 'application/ocsp-response', body, etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`, lastModified: producedAt, maxAge, expires: nextUpdate })
  }

  function readOcsp(request: IncomingMessage, response: ServerResponse, then: (asked: Buffer) => void): void {
    const parts: Buffer[] = []
    let size = 0
    request.on('data', (part: Buffer) => {
      size += part.length
      if (size <= longestOcspRequest) parts.push(part)
    })
    request.once('end', () => {
      if (size > longestOcspRequest) response.writeHead(413, { 'content-type': 'application/ocsp-response', connection: 'close' }).end(ocspError('malformedRequest'))
      else then(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts))
    })
  }

  const guarded = (response: ServerResponse, work: Promise<void>, lastWord?: Buffer): void => {
    work.catch((error: unknown) => {
      log('a request for public CA data failed', error)
      if (response.headersSent) response.destroy()
      else if (lastWord) response.writeHead(200, { 'content-type': 'application/ocsp-response', 'cache-control': 'no-store' }).end(lastWord)
      else response.writeHead(503, { 'content-type': 'text/plain', 'cache-control': 'no-store', 'retry-after': '10' }).end('Try again later.\n')
    })
  }
  const answerOcsp = (request: IncomingMessage, response: ServerResponse, asked: Buffer) => guarded(response, sendOcsp(request, response, asked), ocspError('internalError'))

  function handleOcsp(request: IncomingMessage, response: ServerResponse, path: string): void {
    if (request.method === 'POST') return readOcsp(request, response, (asked) => answerOcsp(request, response, asked))
    const text = ocspInPath(path)
    if (text === undefined) notFound(response)
    else answerOcsp(request, response, text)
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
