import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { leftOut } from '@certloop/test-kit'
import { extension } from '../certificate/extensions.ts'
import { run, testAuthority, testLeaf, type TestAuthority, type TestLeaf } from '../crl/authority-testing.ts'
import { explicit, objectIdentifier, octetString, sequence } from '../der/der-writer.ts'
import { fuzzParser } from '../fuzz-testing.ts'
import { oid } from '../oids.ts'
import { temporaryFolder } from '../openssl-testing.ts'
import { certIdOf, issuerHashes, type CertIdHash } from './cert-id.ts'
import { buildOcspRequest, readOcspRequest } from './ocsp-request.ts'

interface Stand { folder: string; authority: TestAuthority; leaf: TestLeaf; at: (name: string) => string }

async function stand(t: TestContext, serialNumber = 'f00d'.repeat(8)): Promise<Stand> {
  const folder = temporaryFolder(t)
  const at = (name: string) => join(folder, name)
  const authority = await testAuthority()
  const leaf = await testLeaf(authority, { serialNumber })
  for (const [name, content] of Object.entries({ 'ca.pem': authority.pem, 'ca.key': authority.keyPem, 'leaf.pem': leaf.pem, 'leaf.key': leaf.keyPem })) writeFileSync(at(name), content)
  return { folder, authority, leaf, at }
}

function opensslRequest({ at }: Stand, ...options: string[]): Buffer {
  const made = run('openssl', ['ocsp', '-issuer', at('ca.pem'), ...options, '-reqout', at('made.der')])
  assert.equal(made.code, 0, made.text)
  return readFileSync(at('made.der'))
}

const hashes = ['sha1', 'sha256', 'sha384', 'sha512'] as const satisfies CertIdHash[]

for (const hash of hashes) {
  test(`a request of openssl is read, and its CertID made alike: ${hash}`, { skip: leftOut('openssl') }, async (t) => {
    const it = await stand(t)
    const { certIds, nonce, signed } = readOcspRequest(opensslRequest(it, `-${hash}`, '-cert', it.at('leaf.pem')))
    const made = certIdOf(it.authority, 'f00d'.repeat(8), hash)
    assert.deepEqual(certIds, [made])
    const { issuerNameHash, issuerKeyHash } = issuerHashes(it.authority)[hash]
    assert.deepEqual([made.hashAlgorithm, made.issuerNameHash, made.issuerKeyHash, made.serialNumber], [hash, issuerNameHash, issuerKeyHash, 'f00d'.repeat(8)])
    assert.equal(signed, false)
    assert.equal(nonce?.length, 16)
  })

  test(`openssl and GnuTLS read a request made here: ${hash}`, { skip: leftOut('openssl') || leftOut('certtool') }, async (t) => {
    const it = await stand(t)
    const { request, nonce } = buildOcspRequest({ certIds: [certIdOf(it.authority, '80', hash), certIdOf(it.authority, 'f00', hash)] })
    assert.equal(nonce?.length, 32)
    writeFileSync(it.at('request.der'), request)
    const { text } = run('openssl', ['ocsp', '-reqin', it.at('request.der'), '-req_text', '-noverify'])
    assert.match(text, new RegExp(`Hash Algorithm: ${hash}\n`))
    assert.deepEqual([...text.matchAll(/Serial Number: (\w+)/g)].map(([, serial]) => serial), ['80', '0F00'])
    assert.ok(text.includes(`0420${nonce.toString('hex').toUpperCase()}`), text)
    const info = run('ocsptool', ['-i', '--infile', it.at('request.der')])
    assert.equal(info.code, 0, info.text)
    assert.ok(info.text.includes(`Nonce: ${nonce.toString('hex')}`), info.text)
    assert.deepEqual(readOcspRequest(request).nonce, nonce)
  })
}

test('requests of openssl with several certificates, without nonce, and signed are read', { skip: leftOut('openssl') }, async (t) => {
  const it = await stand(t)
  const several = readOcspRequest(opensslRequest(it, '-no_nonce', '-serial', '1', '-serial', '0xff00', '-sha256', '-cert', it.at('leaf.pem')))
  assert.deepEqual([several.nonce, several.certIds.map(({ hashAlgorithm, serialNumber }) => [hashAlgorithm, serialNumber])], [null, [['sha1', '01'], ['sha1', 'ff00'], ['sha256', 'f00d'.repeat(8)]]])
  const signed = readOcspRequest(opensslRequest(it, '-serial', '1', '-signer', it.at('leaf.pem'), '-signkey', it.at('leaf.key')))
  assert.deepEqual([signed.signed, signed.certIds.length], [true, 1])
})

test('a request of GnuTLS is read', { skip: leftOut('certtool') }, async (t) => {
  const it = await stand(t)
  const made = run('ocsptool', ['-q', '--load-cert', it.at('leaf.pem'), '--load-issuer', it.at('ca.pem'), '--outfile', it.at('made.der')])
  assert.equal(made.code, 0, made.text)
  const { certIds } = readOcspRequest(readFileSync(it.at('made.der')))
  for (const serial of ['-01', '', '0x1', 'g1', ' 1']) assert.throws(() => certIdOf(it.authority, serial), { code: 'INPUT_INVALID' }, serial)
  assert.deepEqual(certIds[0]?.raw, certIdOf(it.authority, 'f00d'.repeat(8)).raw)
})

const invalid = { code: 'OCSP_INVALID' }

test('a nonce has 1 to 128 bytes (RFC 9654, 2.1)', async () => {
  const certIds = [certIdOf(await testAuthority(), '01')]
  for (const length of [1, 16, 32, 128]) assert.equal(readOcspRequest(buildOcspRequest({ certIds, nonce: Buffer.alloc(length, 1) }).request).nonce?.length, length)
  assert.equal(readOcspRequest(buildOcspRequest({ certIds, nonce: null }).request).nonce, null)
  for (const length of [0, 129]) assert.throws(() => readOcspRequest(buildOcspRequest({ certIds, nonce: Buffer.alloc(length, 1) }).request), invalid)
  const bare = sequence(sequence(sequence(sequence(certIds[0]?.raw ?? Buffer.alloc(0))), explicit(2, sequence(extension(oid.ocspNonce, false, Buffer.alloc(16, 7))))))
  assert.throws(() => readOcspRequest(bare), invalid)
})

test('unknown extensions are passed over, unless critical (RFC 6960, 4.4)', async () => {
  const { raw } = certIdOf(await testAuthority(), '01')
  const withExtension = (critical: boolean) => sequence(sequence(sequence(sequence(raw)), explicit(2, sequence(extension('1.2.3.4', critical, octetString(Buffer.of(1)))))))
  const withSingle = (critical: boolean) => sequence(sequence(sequence(sequence(raw, explicit(0, sequence(extension('1.2.3.4', critical, octetString(Buffer.of(1)))))))))
  for (const make of [withExtension, withSingle]) {
    assert.equal(readOcspRequest(make(false)).certIds.length, 1)
    assert.throws(() => readOcspRequest(make(true)), { ...invalid, message: /1\.2\.3\.4/ })
  }
})

test('what is no request is refused, and what is too long', async () => {
  const authority = await testAuthority()
  const { request } = buildOcspRequest({ certIds: [certIdOf(authority, '01'), certIdOf(authority, '02')] })
  for (const bad of [Buffer.alloc(0), Buffer.from('hello'), request.subarray(0, -1), Buffer.concat([request, Buffer.of(0)]), sequence(), sequence(sequence(sequence())), sequence(sequence(sequence(sequence(sequence(objectIdentifier('1.2'))))))]) {
    assert.throws(() => readOcspRequest(bad), invalid)
  }
  assert.equal(readOcspRequest(request, { maxCertIds: 2, maxBytes: request.length }).certIds.length, 2)
  assert.throws(() => readOcspRequest(request, { maxCertIds: 1 }), { code: 'LIMIT_EXCEEDED' })
  assert.throws(() => readOcspRequest(request, { maxBytes: request.length - 1 }), { code: 'LIMIT_EXCEEDED' })
  assert.throws(() => readOcspRequest(Buffer.alloc(10_000_000, 0x30)), { code: 'LIMIT_EXCEEDED' })
  const many = buildOcspRequest({ certIds: Array.from({ length: 21 }, () => certIdOf(authority, '01')) }).request
  assert.throws(() => readOcspRequest(many), { code: 'LIMIT_EXCEEDED' })
})

test('fuzz: any input is read or refused', { timeout: 60_000 }, async (t) => {
  const it = await stand(t)
  const corpus = [buildOcspRequest({ certIds: [certIdOf(it.authority, '80'), certIdOf(it.authority, '01', 'sha256')] }).request]
  if (!leftOut('openssl')) corpus.push(opensslRequest(it, '-serial', '1', '-signer', it.at('leaf.pem'), '-signkey', it.at('leaf.key')), opensslRequest(it, '-sha512', '-cert', it.at('leaf.pem')))
  await fuzzParser({ corpus, parse: (input) => readOcspRequest(input), codes: ['OCSP_INVALID', 'LIMIT_EXCEEDED'] })
})
