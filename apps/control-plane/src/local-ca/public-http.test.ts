import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingHttpHeaders } from 'node:http'
import { networkInterfaces } from 'node:os'
import { test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import { buildOcspRequest, certIdOf as certIdFor, certificateParts, checkOcspResponse, readOcspResponse, type BasicOcspResponse, type CertId } from '@certloop/pki'
import { eventually } from '@certloop/test-kit'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { listen } from '../listener/listener.ts'
import { makeIdentity } from '../listener/listener-testing.ts'
import { caStart, caWorld, serverRequest } from './ca-testing.ts'
import { findIssued } from './issued-store.ts'
import { issuerInSlot } from './issue.ts'
import { createOcspCache } from './ocsp-cache.ts'
import { createPublicHttp } from './public-http.ts'
import { opensslFolder } from './openssl-ca-testing.ts'

interface Answer { status: number; headers: IncomingHttpHeaders; body: Buffer }
/** fetch() would tidy the path up; this sends it as it is. */
async function ask(origin: string, method: string, path: string, { headers = {}, body }: { headers?: Record<string, string>; body?: Buffer } = {}): Promise<Answer> {
  const request = http.request(origin, { method, path, headers: { ...headers, ...(body ? { 'content-length': body.length } : {}) } }).end(body)
  const [response] = await once(request, 'response') as [http.IncomingMessage]
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }
}

async function world(t: TestContext, database: Database) {
  const w = await caWorld(t, database)
  const issuer = issuerInSlot(await w.ca.issuers(), 'intermediate')
  const issued = await w.ca.issue(await serverRequest('a'))
  const [leaf = '', above = ''] = issued.chainPem
  const row = await findIssued(database.db, 'a')
  assert.ok(row)
  await w.ca.crls.publish(issuer.id)
  const certId = certIdOf(row.serialNumber, above)
  const get = (path: string, headers: Record<string, string> = {}) => ask(w.origin, 'GET', path, { headers })
  const post = (body: Buffer, path = `/ocsp/${issuer.id}`) => ask(w.origin, 'POST', path, { body, headers: { 'content-type': 'application/ocsp-request' } })
  return { ...w, database, id: issuer.id, row, leaf, above, certId, get, post }
}
/** How a request names a certificate: by its number and that of its issuer, PEM. */
function certIdOf(serialNumber: string, issuerPem: string): CertId {
  const { subject, spki } = certificateParts(issuerPem)
  return certIdFor({ subject: subject.raw, spki: spki.raw }, serialNumber)
}
const plainRequest = (...certIds: CertId[]) => buildOcspRequest({ certIds, nonce: null }).request
/** What an answer says of each certificate, or of the request. */
function statuses(body: Buffer): string | string[] {
  const answer = readOcspResponse(body)
  return 'responses' in answer ? answer.responses.map(({ status }) => (typeof status === 'string' ? status : status.reason ?? 'revoked')) : answer.status
}
function answerIn(body: Buffer): BasicOcspResponse {
  const answer = readOcspResponse(body)
  assert.ok('responses' in answer)
  return answer
}
const pathOf = (request: Buffer) => encodeURIComponent(request.toString('base64'))

test('lists and issuing certificates carry what caches need, and change nothing for who has them', async (t) => {
  const w = await world(t, await emptyDatabase(t))
  const crl = `/crl/${w.id}.crl`
  const list = await w.get(crl)
  assert.deepEqual([list.status, list.headers['content-type'], list.headers['cache-control'], list.headers['x-content-type-options']], [200, 'application/pkix-crl', 'max-age=3600, public, no-transform, must-revalidate', 'nosniff'])
  const { etag = '', 'last-modified': modified = '' } = list.headers
  assert.equal(Date.parse(modified), Math.floor(caStart.getTime() / 1000) * 1000)
  for (const headers of [{ 'if-none-match': etag }, { 'if-none-match': `"other", W/${etag}` }, { 'if-none-match': '*' }, { 'if-modified-since': modified }]) {
    const unchanged = await w.get(crl, headers)
    assert.deepEqual([unchanged.status, unchanged.body.length, unchanged.headers.etag], [304, 0, etag], JSON.stringify(headers))
  }
  // The tag counts where both are given (RFC 9110, 13.2.2).
  for (const headers of [{ 'if-none-match': '"other"' }, { 'if-none-match': '"other"', 'if-modified-since': modified }, { 'if-modified-since': new Date(Date.parse(modified) - 1000).toUTCString() }, { 'if-modified-since': 'nonsense' }]) assert.equal((await w.get(crl, headers)).status, 200)
  const head = await ask(w.origin, 'HEAD', crl)
  assert.deepEqual([head.status, head.body.length, head.headers['content-length'], head.headers.etag], [200, 0, String(list.body.length), etag])
  // Near its end it is not to be kept beyond it.
  w.clock.now = new Date(caStart.getTime() + 167 * 3_600_000 + 1_800_000)
  assert.match((await w.get(crl)).headers['cache-control'] ?? '', /^max-age=(1799|1800),/)
  w.clock.now = new Date(caStart.getTime() + 169 * 3_600_000)
  assert.equal((await w.get(crl)).headers['cache-control'], 'no-store')
  await w.ca.crls.publish(w.id)
  assert.notEqual((await w.get(crl, { 'if-none-match': etag })).headers.etag, etag)

  const openssl = opensslFolder(t)
  const cer = await w.get(`/ca/${w.id}.cer`)
  assert.equal(cer.headers['content-type'], 'application/pkix-cert')
  assert.match(openssl.run('x509', '-inform', 'der', '-noout', '-subject', '-in', openssl.file(cer.body)), /Certloop Issuing CA/)
  const p7c = await w.get(`/ca/${w.id}.p7c`)
  assert.match(p7c.headers['content-type'] ?? '', /^application\/pkcs7-mime/)
  assert.match(openssl.run('pkcs7', '-inform', 'der', '-print_certs', '-in', openssl.file(p7c.body)), /Certloop Issuing CA/)
  assert.equal((await w.get(`/ca/${w.id}.cer`, { 'if-none-match': cer.headers.etag ?? '' })).status, 304)
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const refused = await ask(w.origin, method, crl)
    assert.deepEqual([refused.status, refused.headers.allow], [405, 'GET, HEAD'], method)
  }
  assert.equal((await ask(w.origin, 'PUT', `/ocsp/${w.id}`)).headers.allow, 'GET, HEAD, POST')
  for (const path of ['/crl/', '/crl', '/crl/iss_none.crl', `/crl/${w.id}-7.crl`, `/crl/${w.id}-delta.crl`, `/crl/${w.id}.crl/`, `/crl/../ca/${w.id}.cer`, `/ca/${w.id}.pem`, '/ca/x.cer', '/crl/%2e%2e', `/ca/${w.id.toUpperCase()}.cer`, '/ocsp', `/ocsp/${w.id}`, '/ocsp/%', '/ocsp/%zz']) assert.equal((await w.get(path)).status, 404, path)
})

test('OCSP over GET: with and without the issuer in the path, slashes escaped or not; kept by caches as RFC 5019 says', async (t) => {
  const w = await world(t, await emptyDatabase(t))
  // A number whose base64 has both letters that are odd in addresses.
  const odd = Array.from({ length: 500 }, (_, i) => plainRequest({ ...w.certId, raw: w.certId.raw }, ...Array.from({ length: i % 3 }, () => w.certId))).find((one) => one.toString('base64').includes('/')) ?? plainRequest(w.certId)
  for (const request of [plainRequest(w.certId), odd]) {
    for (const prefix of ['/ocsp/', `/ocsp/${w.id}/`, `/ocsp/${w.id}//`.slice(0, -1)]) {
      for (const text of [pathOf(request), request.toString('base64')]) assert.equal([statuses((await w.get(`${prefix}${text}`)).body)].flat()[0], 'good', `${prefix}${text}`)
    }
  }
  const path = `/ocsp/${w.id}/${pathOf(plainRequest(w.certId))}`
  const first = await w.get(path)
  const text = (name: 'etag' | 'expires' | 'last-modified') => String(first.headers[name])
  assert.deepEqual([first.status, first.headers['content-type'], first.headers['cache-control']], [200, 'application/ocsp-response', 'max-age=3599, public, no-transform, must-revalidate'])
  const [response] = answerIn(first.body).responses
  assert.deepEqual([Date.parse(text('expires')), Date.parse(text('last-modified'))], [response?.nextUpdate?.getTime(), response?.thisUpdate.getTime()])
  assert.equal((await w.get(path, { 'if-none-match': text('etag') })).status, 304)
  assert.equal((await w.get(path, { 'if-modified-since': text('last-modified') })).status, 304)
  assert.deepEqual((await w.get(path)).body, first.body, 'from the cache')
  const head = await ask(w.origin, 'HEAD', path)
  assert.deepEqual([head.status, head.body.length, head.headers['content-length']], [200, 0, String(first.body.length)])
  assert.equal((await w.post(plainRequest(w.certId))).headers['cache-control'], 'no-store')
  // A change is seen by who asks again, whatever was kept here.
  await w.ca.revocation.revoke(w.row.id, { reason: 'superseded' })
  const after = await w.get(path, { 'if-none-match': text('etag') })
  assert.deepEqual([after.status, statuses(after.body)], [200, ['superseded']])
})

test('OCSP: nonce, several numbers, strangers, nonsense, and too much of it', async (t) => {
  const w = await world(t, await emptyDatabase(t))
  const { request, nonce } = buildOcspRequest({ certIds: [w.certId] })
  const { body } = await w.post(request)
  assert.ok(nonce)
  assert.deepEqual(answerIn(body).nonce, nonce)
  const checked = checkOcspResponse(readOcspResponse(body), { certificate: w.leaf, issuer: w.above, at: caStart, nonce })
  assert.deepEqual([checked.outcome, checked.findings], ['good', []])
  assert.equal((await w.get(`/ocsp/${pathOf(request)}`)).headers['cache-control'], 'no-store', 'a nonce is for one')
  const unknown = certIdOf('1234', w.above)
  assert.deepEqual(statuses((await w.post(plainRequest(w.certId, unknown, w.certId))).body), ['good', 'unknown', 'good'])
  // Of the root too, which signs with a responder of its own; but not of two issuers in one.
  const rootPem = await w.ca.trustAnchorPem()
  const ofRoot = certIdOf((await findIssued(w.database.db, `issuer:${w.id}`))?.serialNumber ?? '', rootPem)
  assert.deepEqual(statuses((await w.post(plainRequest(ofRoot))).body), ['good'])
  assert.deepEqual(statuses((await w.post(plainRequest(w.certId, ofRoot))).body), 'unauthorized')
  const openssl = opensslFolder(t)
  openssl.run('req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', '/dev/null', '-subj', '/CN=Stranger', '-out', openssl.at('stranger.pem'))
  const stranger = certIdOf('01', openssl.run('x509', '-in', openssl.at('stranger.pem')))
  assert.deepEqual(statuses((await w.post(plainRequest(stranger))).body), 'unauthorized')
  for (const nonsense of [Buffer.alloc(0), Buffer.from('nonsense'), Buffer.from('3003020101', 'hex'), request.subarray(0, -3), Buffer.concat([request, Buffer.from([0])])]) {
    const { status, body, headers } = await w.post(nonsense)
    assert.deepEqual([status, statuses(body), headers['cache-control']], [200, 'malformedRequest', 'no-store'], nonsense.toString('hex').slice(0, 40))
  }
  assert.equal(statuses((await w.get(`/ocsp/${Buffer.from('nonsense').toString('base64')}`)).body), 'malformedRequest')
  const large = await w.post(plainRequest(...Array.from({ length: 200 }, () => w.certId)))
  assert.deepEqual([large.status, statuses(large.body)], [413, 'malformedRequest'])
  const many = plainRequest(...Array.from({ length: 90 }, () => w.certId))
  assert.ok(many.length > 4000 && many.length < 8192)
  assert.ok(['malformedRequest', 'good'].includes([statuses((await w.post(many)).body)].flat()[0] ?? ''), 'answered or refused, not hung')
  assert.equal((await w.get(`/ocsp/${'A'.repeat(13_000)}`)).status, 404)
  assert.deepEqual(statuses((await w.post(plainRequest(w.certId))).body), ['good'], 'and goes on')
})

testOnDatabases('a change by another replica is seen within a second, also when its hint is lost', async (t, database) => {
  const w = await world(t, database)
  const deaf: Database = { ...database, wake: { ...database.wake, listen: () => () => {} } }
  const other = await caWorld(t, deaf)
  const request = plainRequest(w.certId)
  const ofOther = async () => statuses((await ask(other.origin, 'POST', `/ocsp/${w.id}`, { body: request })).body)
  assert.deepEqual(await ofOther(), ['good'])
  for (const [change, expected] of [[() => w.ca.revocation.suspend(w.row.id), 'certificateHold'], [() => w.ca.revocation.resume(w.row.id), 'good'], [() => w.ca.revocation.revoke(w.row.id, { reason: 'keyCompromise' }), 'keyCompromise']] as const) {
    assert.ok((await ofOther())[0])
    await change()
    const begin = performance.now()
    await eventually(async () => (await ofOther())[0] === expected, { what: expected, timeoutMs: 10_000 })
    const took = performance.now() - begin
    assert.ok(took < 1000, `${expected} after ${took} ms`)
    t.diagnostic(`${expected} seen by a replica without hints after ${Math.round(took)} ms`)
  }
})

test('what was unknown is asked for anew: it may have been issued since', async (t) => {
  const database = await emptyDatabase(t)
  const w = await world(t, database)
  const path = `/ocsp/${pathOf(plainRequest(w.certId))}`
  const { certificatePem, fingerprint } = w.row
  await database.db.updateTable('ca_certificate').set({ status: 'intended', certificatePem: null, fingerprint: null }).where('id', '=', w.row.id).execute()
  const unknown = await w.get(path)
  assert.deepEqual([statuses(unknown.body), unknown.headers['cache-control']], [['unknown'], 'no-store'])
  await database.db.updateTable('ca_certificate').set({ status: 'good', certificatePem, fingerprint }).where('id', '=', w.row.id).execute()
  assert.deepEqual(statuses((await w.get(path)).body), ['good'])
})

test('thousands of made-up numbers do not fill the memory', { timeout: 300_000 }, async (t) => {
  const w = await world(t, await emptyDatabase(t))
  const flood = async (from: number, count: number) => {
    for (let i = from; i < from + count; i += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => w.post(plainRequest(certIdOf((0x10000000 + i + k).toString(16), w.above)))))
  }
  await flood(0, 1000)
  const heap = async () => { global.gc?.(); return process.memoryUsage().heapUsed }
  const before = await heap()
  await flood(1000, 4000)
  const grown = (await heap()) - before
  t.diagnostic(`heap grown by ${(grown / 1e6).toFixed(1)} MB over 4000 numbers`)
  assert.ok(grown < 60e6, `${grown}`)
})

test('the cache of answers has a bound, and the ones longest in it go first', () => {
  const cache = createOcspCache(100)
  const answer = { issuerId: 'iss_x' as const, body: Buffer.from('x'), producedAt: caStart, nextUpdate: new Date(caStart.getTime() + 1000) }
  for (let i = 0; i < 1000; i++) cache.put(`key ${i}`, { ...answer, serialNumber: String(i % 300) })
  assert.deepEqual([cache.find('key 899'), cache.find('key 900')?.serialNumber, Array.from({ length: 1000 }, (_, i) => cache.find(`key ${i}`)).filter(Boolean).length], [undefined, '0', 100])
  cache.drop('iss_x', '0')
  assert.equal(cache.find('key 900'), undefined)
  cache.clear('iss_x')
  assert.equal(cache.find('key 999'), undefined)
})

const elsewhere = Object.values(networkInterfaces()).flat().find((one) => one?.family === 'IPv4' && !one.internal)?.address

test('over plain http from elsewhere only what is public is served', { skip: elsewhere === undefined && 'this machine has no address but loopback' }, async (t) => {
  const w = await world(t, await emptyDatabase(t))
  const app = Fastify()
  app.get('/api/v1/session', async () => ({ secret: true }))
  await app.ready()
  const identity = await makeIdentity(t, 'one')
  const listener = await listen({ app, host: '0.0.0.0', port: 0, tlsIdentity: async () => identity, publicHandler: createPublicHttp({ database: w.database, ocsp: w.ca.ocsp, now: () => caStart, log: (message) => { throw new Error(message) } }) })
  t.after(() => listener.close())
  const [here, there] = [`http://127.0.0.1:${listener.port}`, `http://${elsewhere}:${listener.port}`]
  for (const origin of [here, there]) {
    for (const path of [`/crl/${w.id}.crl`, `/ca/${w.id}.cer`, `/ca/${w.id}.p7c`, `/ocsp/${pathOf(plainRequest(w.certId))}`]) assert.equal((await ask(origin, 'GET', path)).status, 200, `${origin}${path}`)
    assert.deepEqual(statuses((await ask(origin, 'POST', `/ocsp/${w.id}`, { body: plainRequest(w.certId) })).body), ['good'])
  }
  assert.equal((await ask(here, 'GET', '/api/v1/session')).status, 200)
  for (const path of ['/api/v1/session', '/', '/crlx', '/cas/x', '/ocspx', '/API', '//crl/x.crl', '/./crl/x.crl', `/api/../crl/${w.id}.crl`]) {
    const { status, headers, body } = await ask(there, 'GET', path)
    assert.ok(status >= 300 && status < 500, `${path}: ${status}`)
    assert.doesNotMatch(body.toString(), /secret/)
    if (status < 400) assert.match(headers.location ?? '', /^https:/)
  }
  assert.ok((await ask(there, 'POST', '/api/v1/session', { body: Buffer.from('{}'), headers: { authorization: 'Bearer x' } })).status >= 400)
})
