import assert from 'node:assert/strict'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { leftOut } from '@certloop/test-kit'
import { putLoad } from './pki/ca/load.ts'
import { measureCrl } from './pki/crl.ts'
import { measureCrlDatabase } from './pki/crl-database.ts'
import { measureLedgerIssuing } from './pki/ledger-issuing.ts'
import { measureOcspHttp } from './pki/ocsp-http.ts'
import { measureRevoking } from './pki/revoking.ts'
import type { Line } from './pki/side-by-side.ts'

// Whether the parts run and check what they made; what they find with sizes like these says nothing.
const skip = leftOut('openssl')
const cleanupOf = (t: TestContext) => (work: () => unknown) => { t.after(async () => { await work() }) }

function assertLines(lines: readonly Line[], most: RegExp[]): void {
  assert.equal(lines.length, most.length, lines.map(({ name }) => name).join('\n'))
  for (const [i, { name, measured, ratio }] of lines.entries()) {
    assert.match(name, most[i] ?? /^$/)
    assert.ok(Number.isFinite(measured) && measured >= 0 && Number.isFinite(ratio), `${name}: ${measured}, ${ratio}`)
  }
}

test('OCSP over HTTP is measured', { timeout: 240_000 }, async (t) => {
  const lines = await measureOcspHttp(cleanupOf(t), { certificates: 10, rounds: 1, seconds: 1 })
  assertLines(lines, [/GET/, /POST/, /listener.*http$/, /listener.*https$/, /nonce/])
  for (const { measured, peer } of lines) assert.ok(measured > 0 && peer && peer.value > 0)
})

test('lists are measured, from an index file and from the database', { skip, timeout: 240_000 }, async (t) => {
  assertLines(await measureCrl(cleanupOf(t), 3000), [/index file/, /memory/, /event loop/])
  assertLines(await measureCrlDatabase(cleanupOf(t), 3000), [/rows in SQLite/, /memory/, /event loop/, /OCSP/, /revocation/, /serving/, /memory/])
})

test('revocations are measured, in process and over the API', { timeout: 240_000 }, async (t) => {
  const four = [/median$/, /p99$/, /median$/, /p99$/]
  assertLines(await measureRevoking(cleanupOf(t), { revoked: 300, times: 3 }), [...four, ...(leftOut('postgres') ? [] : four), /API.*median$/, /API.*p99$/])
})

test('issuing is measured', { timeout: 240_000 }, async (t) => {
  assertLines(await measureLedgerIssuing(cleanupOf(t), { rounds: 2, times: 2, atOnce: 4 }), [/one after the other/, /4 at once/])
})

test('the client of our own counts answers, and tells those that failed', { timeout: 60_000 }, async (t) => {
  let asked = 0
  const server = http.createServer((request, response) => { asked++; request.resume().once('end', () => response.writeHead(request.url === '/bad' ? 404 : 200, { 'content-length': 3 }).end('yes')) })
  t.after(() => { server.closeAllConnections(); server.close() })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const load = (path: string) => putLoad({ port, requests: [Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)], connections: 2, seconds: 1, pauseMs: 1 })
  const { answers, seconds, p99 } = await load('/')
  assert.equal(answers, asked)
  assert.ok(answers > 0 && seconds >= 1 && p99 > 0)
  await assert.rejects(load('/bad'), /requests failed/)
})
