import type { IncomingMessage, ServerResponse } from 'node:http'
import { CertloopError, type IssuerId } from '@certloop/contract'
import { splitPem, writePkcs7 } from '@certloop/pki'
import type { Database } from '../database/database.ts'
import { findCrl, readBody, type CrlRow, type CrlScopeName } from './crl-store.ts'
import { listIssuers } from './issuer-store.ts'
import { etagOf, type Validators } from './ocsp-cache.ts'

/** Lists up to this size are kept in memory; larger ones go out piece by piece. */
const keptBytes = 4 << 20
const longestCrlAge = 3600

interface Fetched extends Validators { type: string; body: Buffer; maxAge: number }

export function notFound(response: ServerResponse): void {
  response.writeHead(404, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end('There is nothing here.\n')
}

const isUnchanged = ({ headers }: IncomingMessage, { etag, lastModified }: Validators): boolean => {
  const asked = headers['if-none-match']
  if (asked !== undefined) return asked === '*' || asked.split(',').some((one) => one.trim().replace(/^W\//, '') === etag)
  const since = headers['if-modified-since']
  return since !== undefined && Date.parse(since) >= Date.parse(lastModified)
}

/** Names and values in turn, which Node takes without looking at each. */
function cacheHeaders({ etag, lastModified, maxAge, expires }: Omit<Fetched, 'body' | 'type'>): string[] {
  const headers = ['cache-control', maxAge > 0 ? `max-age=${maxAge}, public, no-transform, must-revalidate` : 'no-store', 'etag', etag, 'last-modified', lastModified, 'x-content-type-options', 'nosniff']
  if (expires !== undefined) headers.push('expires', expires)
  return headers
}

/** Sends with what caches need, or says that nothing changed (RFC 9110, 13). */
export function send(request: IncomingMessage, response: ServerResponse, fetched: Fetched): void {
  const headers = cacheHeaders(fetched)
  if (isUnchanged(request, fetched)) {
    response.writeHead(304, headers).end()
    return
  }
  headers.push('content-type', fetched.type, 'content-length', String(fetched.body.length))
  response.writeHead(200, headers)
  response.end(request.method === 'HEAD' ? undefined : fetched.body)
}

/** Resolves when more can be written, or the other side is gone. */
const drained = (response: ServerResponse): Promise<void> => new Promise((resolve) => {
  const done = () => {
    response.off('drain', done).off('close', done)
    resolve()
  }
  response.once('drain', done).once('close', done)
})

/** Revocation lists and issuing certificates as relying parties fetch them. */
export function createPublicFiles({ database: { db }, now }: { database: Database; now: () => Date }) {
  /** By issuer and scope: the body of the newest list. */
  const kept = new Map<string, { bodyId: string; body: Promise<Buffer> }>()

  async function read({ bodyId, bytes }: CrlRow): Promise<Buffer> {
    const body = Buffer.concat(await Array.fromAsync(readBody(db, bodyId)))
    if (body.length !== bytes) throw new CertloopError('UNAVAILABLE', 'The list was replaced while it was read.')
    return body
  }
  /** Read once, however many ask at once. */
  function bodyOf(row: CrlRow): Promise<Buffer> {
    const key = `${row.issuerId} ${row.scope}`
    const present = kept.get(key)
    if (present?.bodyId === row.bodyId) return present.body
    const reading = { bodyId: row.bodyId, body: read(row) }
    kept.set(key, reading)
    reading.body.catch(() => { if (kept.get(key) === reading) kept.delete(key) })
    return reading.body
  }

  async function sendCrl(request: IncomingMessage, response: ServerResponse, issuerId: IssuerId, scope: CrlScopeName): Promise<void> {
    const row = await findCrl(db, issuerId, scope)
    if (!row) return notFound(response)
    const nextUpdate = new Date(row.nextUpdate)
    const left = Math.max(0, Math.floor((nextUpdate.getTime() - now().getTime()) / 1000))
    const cache = { etag: `"${row.bodyId}"`, lastModified: new Date(row.thisUpdate).toUTCString(), maxAge: Math.min(left, longestCrlAge) }
    if (row.bytes <= keptBytes) return send(request, response, { type: 'application/pkix-crl', body: await bodyOf(row), ...cache })
    if (isUnchanged(request, cache)) return void response.writeHead(304, cacheHeaders(cache)).end()
    response.writeHead(200, [...cacheHeaders(cache), 'content-type', 'application/pkix-crl', 'content-length', String(row.bytes)])
    if (request.method === 'HEAD') return void response.end()
    let sent = 0
    for await (const part of readBody(db, row.bodyId)) {
      if (response.destroyed) return
      sent += part.length
      if (!response.write(part)) await drained(response)
    }
    // Less than was promised: the list is gone. An answer that just ended would let its reader wait for the rest.
    if (sent === row.bytes) response.end()
    else response.destroy()
  }

  async function sendIssuer(request: IncomingMessage, response: ServerResponse, id: IssuerId, format: string): Promise<void> {
    const issuer = (await listIssuers(db)).find((one) => one.id === id)
    const own = issuer?.certificate && splitPem(issuer.certificate.certificatePem)[0]?.der
    if (!issuer?.certificate || !own) return notFound(response)
    // RFC 5280, 4.2.2.1: one certificate as DER, or several in a PKCS#7 message.
    const all = issuer.certificates.flatMap(({ certificatePem }) => splitPem(certificatePem).map(({ der }) => der))
    const [body, type] = format === 'cer' ? [own, 'application/pkix-cert'] : [writePkcs7({ certificates: all }), 'application/pkcs7-mime; smime-type=certs-only']
    send(request, response, { type, body, etag: etagOf(body), lastModified: issuer.certificate.notBefore.toUTCString(), maxAge: 3600 })
  }

  return { sendCrl, sendIssuer }
}
