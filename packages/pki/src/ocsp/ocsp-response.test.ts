import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { KeyAlgorithm } from '@certloop/contract'
import { leftOut } from '@certloop/test-kit'
import { ocspNoCheck } from '../certificate/extensions.ts'
import { run, testAuthority, testLeaf, type TestAuthority, type TestLeaf } from '../crl/authority-testing.ts'
import { revocationReasons, type RevocationReason } from '../crl/revocation-reason.ts'
import { temporaryFolder } from '../openssl-testing.ts'
import { certIdOf, responderKeyHash, type CertIdHash } from './cert-id.ts'
import { checkOcspResponse } from './ocsp-check.ts'
import { buildOcspRequest } from './ocsp-request.ts'
import { buildOcspResponse, ocspError, ocspErrors, type OcspErrorStatus, type OcspResponseTemplate, type OcspStatus } from './ocsp-response-builder.ts'
import { readOcspResponse } from './ocsp-response.ts'

const thisUpdate = new Date('2026-06-01T00:00:00Z')
const nextUpdate = new Date('2064-06-08T00:00:00Z')
const revokedAt = new Date('2026-03-01T02:03:04Z')
const at = new Date('2026-11-21T00:00:00Z')
const atSeconds = String(at.getTime() / 1000)
const serialNumber = 'f1'.repeat(16)

interface Stand { authority: TestAuthority; leaf: TestLeaf; file: (name: string, content: string | Buffer) => string }
async function stand(t: TestContext, algorithm: KeyAlgorithm = 'ec-256'): Promise<Stand> {
  const folder = temporaryFolder(t)
  const authority = await testAuthority(algorithm)
  const leaf = await testLeaf(authority, { serialNumber })
  const file = (name: string, content: string | Buffer) => { writeFileSync(join(folder, name), content); return join(folder, name) }
  file('ca.pem', authority.pem)
  file('leaf.pem', leaf.pem)
  return { authority, leaf, file }
}

function templateOf(authority: TestAuthority, status: OcspStatus, change: Partial<OcspResponseTemplate> = {}, hash: CertIdHash = 'sha1'): OcspResponseTemplate {
  return { responder: { keyHash: responderKeyHash(authority.spki) }, producedAt: thisUpdate, responses: [{ certId: certIdOf(authority, serialNumber, hash).raw, status, thisUpdate, nextUpdate }], ...change }
}

function opensslSays({ authority, leaf, file }: Stand, response: Buffer, ...options: string[]): { code: number | null; text: string } {
  const [ca, certificate] = [file('ca.pem', authority.pem), file('leaf.pem', leaf.pem)]
  return run('openssl', ['ocsp', '-respin', file('response.der', response), '-CAfile', ca, '-issuer', ca, ...options, '-cert', certificate, '-no_nonce', '-attime', atSeconds, '-resp_text'])
}

for (const algorithm of ['rsa-2048', 'ec-256', 'ec-384', 'ed25519'] as const) {
  test(`openssl accepts what is answered with ${algorithm}: good, revoked, unknown`, { skip: leftOut('openssl'), timeout: 60_000 }, async (t) => {
    const it = await stand(t, algorithm)
    const { authority } = it
    for (const [status, expected] of [['good', /leaf\.pem: good/], ['unknown', /leaf\.pem: unknown/], [{ revokedAt }, /leaf\.pem: revoked[^]+Revocation Time: Mar +1 02:03:04 2026 GMT/]] as const) {
      for (const responder of [{ keyHash: responderKeyHash(authority.spki) }, { name: authority.subject }]) {
        const { text } = opensslSays(it, await buildOcspResponse(templateOf(authority, status, { responder }), authority.signer))
        assert.match(text, /Response verify OK/)
        assert.match(text, expected)
      }
    }
  })
}

test('GnuTLS accepts a response', { skip: leftOut('certtool'), timeout: 60_000 }, async (t) => {
  const { authority, file } = await stand(t, 'rsa-2048')
  const response = file('response.der', await buildOcspResponse(templateOf(authority, { revokedAt, reason: 'certificateHold' }), authority.signer))
  const ca = file('ca.pem', authority.pem)
  assert.match(run('ocsptool', ['-e', '--infile', response, '--load-signer', ca]).text, /Verifying OCSP Response: Success/)
  assert.match(run('ocsptool', ['-j', '--infile', response]).text, /Certificate Status: revoked\n\t\tRevocation time: Sun Mar 01 02:03:04 UTC 2026/)
  const other = file('other.pem', (await testAuthority('rsa-2048')).pem)
  assert.doesNotMatch(run('ocsptool', ['-e', '--infile', response, '--load-signer', other]).text, /Response: Success/)
})

test('every reason is read by openssl and here; "unspecified" is left out', { skip: leftOut('openssl'), timeout: 60_000 }, async (t) => {
  const it = await stand(t)
  for (const reason of Object.keys(revocationReasons) as RevocationReason[]) {
    const response = await buildOcspResponse(templateOf(it.authority, { revokedAt, reason }), it.authority.signer)
    const { text } = opensslSays(it, response)
    const { reason: read } = checkOcspResponse(readOcspResponse(response), { certificate: it.leaf.pem, issuer: it.authority.pem, at })
    // openssl has no words for the last two.
    if (reason === 'unspecified') assert.deepEqual([/Revocation Reason/.test(text), read], [false, null])
    else assert.deepEqual([new RegExp(`Revocation Reason: .*\\(0x${revocationReasons[reason].toString(16)}\\)`).test(text), read], [true, reason], text)
  }
})

test('openssl accepts a delegated responder, and only one for OCSP signing', { skip: leftOut('openssl') }, async (t) => {
  const it = await stand(t)
  for (const [purpose, expected, outcome] of [['ocspSigning', /Response verify OK/, 'good'], ['serverAuth', /Response Verify Failure/, null]] as const) {
    const responder = await testLeaf(it.authority, { serialNumber: '50', name: 'OCSP responder', purpose, extensions: [ocspNoCheck()] })
    const template = templateOf(it.authority, 'good', { responder: { keyHash: responderKeyHash(responder.spki) }, certificates: [responder.der] })
    const response = await buildOcspResponse(template, responder.signer)
    assert.match(opensslSays(it, response).text, expected)
    const check = checkOcspResponse(readOcspResponse(response), { certificate: it.leaf.pem, issuer: it.authority.pem, at })
    assert.deepEqual([check.outcome, check.findings.map(({ code }) => code)], [outcome, outcome ? [] : ['responder-not-authorised']])
  }
})

test('openssl finds its nonce and several answers with archive cutoff', { skip: leftOut('openssl') }, async (t) => {
  const { authority, file } = await stand(t)
  const certIds = (['sha1', 'sha256'] as const).map((hash) => certIdOf(authority, serialNumber, hash))
  const { request, nonce } = buildOcspRequest({ certIds })
  const responses = certIds.map(({ raw }) => ({ certId: raw, status: 'good' as const, thisUpdate, nextUpdate, archiveCutoff: revokedAt }))
  const [good, other] = await Promise.all([nonce, Buffer.alloc(32, 1)].map((one) => buildOcspResponse(templateOf(authority, 'good', { responses, nonce: one }), authority.signer)))
  assert.ok(good && other)
  const ask = (response: Buffer) => run('openssl', ['ocsp', '-reqin', file('request.der', request), '-respin', file('response.der', response), '-CAfile', file('ca.pem', authority.pem), '-VAfile', file('ca.pem', authority.pem), '-attime', atSeconds, '-resp_text'])
  const { text } = ask(good)
  assert.match(text, /Response verify OK/)
  assert.equal(text.match(/Archive Cutoff: \n +Mar +1 02:03:04 2026 GMT/g)?.length, 2)
  assert.match(ask(other).text, /Nonce Verify error/)
  const read = readOcspResponse(good)
  assert.ok(read.status === 'successful')
  assert.deepEqual([read.nonce, read.responses.map(({ archiveCutoff }) => archiveCutoff)], [nonce, [revokedAt, revokedAt]])
})

test('responses without an answer say why', { skip: leftOut('openssl') }, async (t) => {
  const { file } = await stand(t)
  const words = { malformedRequest: 'malformedrequest (1)', internalError: 'internalerror (2)', tryLater: 'trylater (3)', sigRequired: 'sigrequired (5)', unauthorized: 'unauthorized (6)' }
  for (const status of Object.keys(ocspErrors) as OcspErrorStatus[]) {
    assert.ok(run('openssl', ['ocsp', '-respin', file('error.der', ocspError(status)), '-resp_text', '-noverify']).text.includes(words[status]))
    assert.deepEqual(readOcspResponse(ocspError(status)), { status })
    assert.equal(ocspError(status), ocspError(status))
  }
})

test('ML-DSA: signed and checked here', async (t) => {
  const { authority, leaf } = await stand(t, 'ml-dsa-65')
  const response = readOcspResponse(await buildOcspResponse(templateOf(authority, 'good'), authority.signer))
  assert.ok(response.status === 'successful')
  assert.equal(response.signatureAlgorithm, 'ML-DSA-65')
  assert.equal(checkOcspResponse(response, { certificate: leaf.pem, issuer: authority.pem, at }).outcome, 'good')
})
