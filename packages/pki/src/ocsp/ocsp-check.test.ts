import assert from 'node:assert/strict'
import { sign } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { leftOut } from '@certloop/test-kit'
import { extension } from '../certificate/extensions.ts'
import { opensslIndex, run, testAuthority, testLeaf, type TestAuthority, type TestLeaf } from '../crl/authority-testing.ts'
import { bitString, element, enumerated, explicit, generalizedTime, implicit, nullElement, objectIdentifier, octetString, sequence } from '../der/der-writer.ts'
import { fuzzParser } from '../fuzz-testing.ts'
import type { Signer } from '../key/signature.ts'
import { oid } from '../oids.ts'
import { temporaryFolder } from '../openssl-testing.ts'
import { certIdOf, responderKeyHash } from './cert-id.ts'
import { checkOcspResponse, type OcspQuestion } from './ocsp-check.ts'
import { buildOcspRequest } from './ocsp-request.ts'
import { buildOcspResponse, ocspError, type OcspResponseTemplate } from './ocsp-response-builder.ts'
import { readOcspResponse, type OcspResponse } from './ocsp-response.ts'

const thisUpdate = new Date('2026-11-20T00:00:00Z')
const nextUpdate = new Date('2026-11-27T00:00:00Z')
const at = new Date('2026-11-21T00:00:00Z')
const serialNumber = '80'.repeat(16)

interface Stand { folder: string; authority: TestAuthority; leaf: TestLeaf; responder: TestLeaf; at: (name: string) => string }
async function stand(t: TestContext): Promise<Stand> {
  const folder = temporaryFolder(t)
  const authority = await testAuthority()
  const [leaf, responder] = await Promise.all([testLeaf(authority, { serialNumber }), testLeaf(authority, { serialNumber: '51', name: 'OCSP', purpose: 'ocspSigning' })])
  const files = { 'ca.pem': authority.pem, 'ca.key': authority.keyPem, 'leaf.pem': leaf.pem, 'ocsp.pem': responder.pem, 'ocsp.key': responder.keyPem }
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return { folder, authority, leaf, responder, at: (name) => join(folder, name) }
}

/** The responder of openssl, from file to file. */
function opensslAnswer(it: Stand, request: Buffer, revoked: string | undefined, ...options: string[]): Buffer {
  writeFileSync(it.at('index.txt'), opensslIndex([{ serialNumber, ...(revoked === undefined ? {} : { revoked }) }]))
  writeFileSync(it.at('request.der'), request)
  const made = run('openssl', ['ocsp', '-index', it.at('index.txt'), '-CA', it.at('ca.pem'), '-rsigner', it.at('ca.pem'), '-rkey', it.at('ca.key'), '-reqin', it.at('request.der'), '-respout', it.at('response.der'), '-ndays', '5', ...options])
  assert.equal(made.code, 0, made.text)
  return readFileSync(it.at('response.der'))
}

function successful(response: OcspResponse): Extract<OcspResponse, { status: 'successful' }> {
  assert.ok(response.status === 'successful')
  return response
}

test('answers of the responder of openssl are read and relied on', { skip: leftOut('openssl'), timeout: 60_000 }, async (t) => {
  const it = await stand(t)
  const { request, nonce } = buildOcspRequest({ certIds: [certIdOf(it.authority, serialNumber, 'sha256')] })
  const outcomeOf = (bytes: Buffer) => {
    const response = successful(readOcspResponse(bytes))
    const { outcome, reason, revokedAt, findings } = checkOcspResponse(response, { certificate: it.leaf.pem, issuer: it.authority.pem, at: response.producedAt, nonce: nonce ?? Buffer.alloc(0) })
    return [outcome, reason, revokedAt, findings.map(({ code }) => code)]
  }
  const revokedAt = new Date('2026-03-01T00:00:00Z')
  assert.deepEqual(outcomeOf(opensslAnswer(it, request, undefined)), ['good', null, null, []])
  assert.deepEqual(outcomeOf(opensslAnswer(it, request, '260301000000Z')), ['revoked', null, revokedAt, []])
  assert.deepEqual(outcomeOf(opensslAnswer(it, request, '260301000000Z,certificateHold', '-resp_key_id')), ['revoked', 'certificateHold', revokedAt, []])
  const delegated = ['-rsigner', it.at('ocsp.pem'), '-rkey', it.at('ocsp.key')]
  assert.deepEqual(outcomeOf(opensslAnswer(it, request, undefined, ...delegated, '-rmd', 'sha384')), ['good', null, null, []])
  assert.deepEqual(outcomeOf(opensslAnswer(it, request, undefined, ...delegated, '-resp_no_certs')), [null, null, null, ['responder-not-authorised']])
  const stranger = buildOcspRequest({ certIds: [certIdOf(it.authority, '99')] }).request
  assert.equal(successful(readOcspResponse(opensslAnswer(it, stranger, undefined))).responses[0]?.status, 'unknown')
  assert.deepEqual(outcomeOf(opensslAnswer(it, stranger, undefined)), [null, null, null, ['other-certificate']])
})

type Change = Partial<OcspResponseTemplate>
const answerOf = (authority: TestAuthority, change: Change = {}, signer = authority.signer): Promise<OcspResponse> => buildOcspResponse({
  responder: { keyHash: responderKeyHash(authority.spki) }, producedAt: thisUpdate,
  responses: [{ certId: certIdOf(authority, serialNumber).raw, status: 'good', thisUpdate, nextUpdate }], ...change,
}, signer).then(readOcspResponse)

test('what can\'t be relied on has a finding and no outcome', async (t) => {
  const { authority, leaf, responder } = await stand(t)
  const [twin, stranger] = await Promise.all([testAuthority('ec-256'), testAuthority('ec-256', 'Another CA')])
  const [expired, foreign] = await Promise.all([
    testLeaf(authority, { serialNumber: '52', purpose: 'ocspSigning', notAfter: new Date('2026-10-01T00:00:00Z') }), testLeaf(stranger, { serialNumber: '53', purpose: 'ocspSigning' }),
  ])
  const rsa = await testAuthority('rsa-2048')
  const rsaSigner = (hash: string, last: string): Signer => ({
    algorithm: sequence(objectIdentifier(`1.2.840.113549.1.1.${last}`), nullElement()), sign: (bytes) => Promise.resolve(sign(hash, bytes, rsa.keyPem)),
  })
  const [rsaLeaf, forged] = await Promise.all([testLeaf(rsa, { serialNumber }), testLeaf({ ...rsa, signer: rsaSigner('md5', '4') }, { serialNumber: '54', purpose: 'ocspSigning' })])
  const ending = await testLeaf(authority, { serialNumber: '55', purpose: 'ocspSigning', notAfter: at })
  const single = (change: object) => ({ responses: [{ certId: certIdOf(authority, serialNumber).raw, status: 'good' as const, thisUpdate, nextUpdate, ...change }] })
  const by = ({ spki, der, signer }: TestLeaf, certificates = [der]) => answerOf(authority, { responder: { keyHash: responderKeyHash(spki) }, certificates }, signer)
  const { nextUpdate: _none, ...open } = single({}).responses[0] ?? assert.fail()
  const cases: [what: string, response: Promise<OcspResponse>, codes: string[], question?: Partial<OcspQuestion>][] = [
    ['good', answerOf(authority), []],
    ['an error', Promise.resolve(readOcspResponse(ocspError('tryLater'))), ['not-successful']],
    ['another serial number', answerOf(authority, single({ certId: certIdOf(authority, '81').raw })), ['other-certificate']],
    ['another issuer', answerOf(authority, single({ certId: certIdOf(twin, serialNumber).raw })), ['other-certificate']],
    ['an issuer that did not issue it', answerOf(stranger), ['other-certificate'], { issuer: stranger.pem }],
    ['signed by another key', answerOf(authority, {}, twin.signer), ['signature-wrong']],
    ['signed over MD5', answerOf(rsa, {}, rsaSigner('md5', '4')), ['signature-broken'], { certificate: rsaLeaf.pem, issuer: rsa.pem }],
    ['signed over SHA-1', answerOf(rsa, {}, rsaSigner('sha1', '5')), ['signature-weak'], { certificate: rsaLeaf.pem, issuer: rsa.pem }],
    ['a responder whose certificate is signed over MD5', answerOf(rsa, { responder: { keyHash: responderKeyHash(forged.spki) }, certificates: [forged.der] }, forged.signer), ['responder-not-authorised'], { certificate: rsaLeaf.pem, issuer: rsa.pem }],
    ['a responder without its certificate', by(responder, []), ['responder-not-authorised']],
    ['a delegated responder', by(responder), []],
    ['a delegated responder among others', by(responder, [octetString(Buffer.from('hello')), foreign.der, responder.der]), []],
    ['an expired responder', by(expired), ['responder-not-authorised']],
    ['a responder in its last second', by(ending), [], { at: new Date('2026-11-21T00:00:00.999Z') }],
    ['a responder after it', by(ending), ['responder-not-authorised'], { at: new Date('2026-11-21T00:00:01Z') }],
    ['a responder of another CA', by(foreign), ['responder-not-authorised']],
    ['the certificate itself as responder', by(leaf), ['responder-not-authorised']],
    ['too old', answerOf(authority), ['stale'], { at: new Date('2026-11-27T00:05:01Z') }],
    ['within the skew', answerOf(authority), [], { at: new Date('2026-11-27T00:05:00Z') }],
    ['of tomorrow', answerOf(authority), ['not-yet-valid'], { at: new Date('2026-11-19T23:54:59Z') }],
    ['without end, within a week', answerOf(authority, { responses: [open] }), [], { at: new Date('2026-11-26T00:00:00Z') }],
    ['without end, after a week', answerOf(authority, { responses: [open] }), ['stale'], { at: new Date('2026-11-28T00:00:00Z') }],
    ['without the nonce', answerOf(authority), ['nonce-missing'], { nonce: Buffer.alloc(32) }],
    ['with another nonce', answerOf(authority, { nonce: Buffer.alloc(32, 1) }), ['nonce-differs'], { nonce: Buffer.alloc(32) }],
    ['with the nonce', answerOf(authority, { nonce: Buffer.alloc(32) }), [], { nonce: Buffer.alloc(32) }],
    ['with a nonce that nobody asked for', answerOf(authority, { nonce: Buffer.alloc(32) }), []],
  ]
  for (const [what, response, codes, question] of cases) {
    const check = checkOcspResponse(await response, { certificate: leaf.pem, issuer: authority.pem, at, ...question })
    assert.deepEqual([check.findings.map(({ code }) => code), check.outcome], [codes, codes.length === 0 || codes[0] === 'signature-weak' ? 'good' : null], what)
  }
  assert.throws(() => checkOcspResponse(readOcspResponse(ocspError('tryLater')), { certificate: 'none', issuer: authority.pem, at }), { code: 'CERTIFICATE_INVALID' })
})

/** A response put together by hand, for what no tool makes. */
async function handMade(authority: TestAuthority, extensions: Buffer[], status = implicit(0, Buffer.alloc(0))): Promise<Buffer> {
  const single = sequence(certIdOf(authority, serialNumber).raw, status, generalizedTime(thisUpdate))
  const data = sequence(explicit(1, authority.subject), generalizedTime(thisUpdate), sequence(single), ...(extensions.length > 0 ? [explicit(1, sequence(...extensions))] : []))
  const basic = sequence(data, authority.signer.algorithm, bitString(await authority.signer.sign(data)))
  return sequence(enumerated(0), explicit(0, sequence(objectIdentifier(oid.ocspBasic), octetString(basic))))
}

test('a critical extension that is not known is a finding; an algorithm that is not, another', async (t) => {
  const { authority, leaf } = await stand(t)
  const question = { certificate: leaf.pem, issuer: authority.pem, at }
  const codes = (bytes: Buffer) => checkOcspResponse(readOcspResponse(bytes), question).findings.map(({ code }) => code)
  assert.deepEqual(codes(await handMade(authority, [extension('1.2.3.4', false, octetString(Buffer.of(1)))])), [])
  assert.deepEqual(codes(await handMade(authority, [extension('1.2.3.4', true, octetString(Buffer.of(1)))])), ['critical-extension'])
  const strange = await handMade({ ...authority, signer: { ...authority.signer, algorithm: sequence(objectIdentifier('1.2.3.4')) } }, [])
  assert.deepEqual(codes(strange), ['signature-unknown'])
})

test('what is no response is refused, and what is too long', async (t) => {
  const { authority, leaf } = await stand(t)
  const good = await handMade(authority, [])
  const invalid = { code: 'OCSP_INVALID' }
  for (const bad of [Buffer.alloc(0), Buffer.from('hello'), good.subarray(0, -1), sequence(enumerated(0)), sequence(enumerated(4)), sequence(enumerated(99)), await handMade(authority, [], element(0x85)), await handMade(authority, [], element(0xa1))]) assert.throws(() => readOcspResponse(bad), invalid)
  const exceeded = { code: 'LIMIT_EXCEEDED' }
  assert.throws(() => readOcspResponse(good, { maxBytes: good.length - 1 }), exceeded)
  assert.throws(() => readOcspResponse(Buffer.alloc(10_000_000, 0x30)), exceeded)
  const single = { certId: certIdOf(authority, serialNumber).raw, status: 'good' as const, thisUpdate }
  const long = await buildOcspResponse({ responder: { name: authority.subject }, producedAt: thisUpdate, responses: [single, single, single], certificates: [leaf.der, leaf.der] }, authority.signer)
  assert.throws(() => readOcspResponse(long, { maxResponses: 2 }), exceeded)
  assert.throws(() => readOcspResponse(long, { maxCertificates: 1 }), exceeded)
  assert.equal(successful(readOcspResponse(long, { maxResponses: 3, maxCertificates: 2, maxBytes: long.length })).certificates.length, 2)
})

test('fuzz: any response is read and checked, or refused', { timeout: 60_000 }, async (t) => {
  const it = await stand(t)
  const { request } = buildOcspRequest({ certIds: [certIdOf(it.authority, serialNumber)] })
  const corpus = [await handMade(it.authority, []), ocspError('unauthorized')]
  if (!leftOut('openssl')) corpus.push(opensslAnswer(it, request, '260301000000Z,keyCompromise'), opensslAnswer(it, request, undefined, '-rsigner', it.at('ocsp.pem'), '-rkey', it.at('ocsp.key'), '-resp_key_id'))
  await fuzzParser({
    corpus, codes: ['OCSP_INVALID', 'LIMIT_EXCEEDED'],
    parse: (input) => checkOcspResponse(readOcspResponse(input), { certificate: it.leaf.der, issuer: it.authority.pem, at }),
  })
})
