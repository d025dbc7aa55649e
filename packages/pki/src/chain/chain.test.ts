import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { KeyAlgorithm } from '@certloop/contract'
import { AsnConvert } from '@peculiar/asn1-schema'
import { BasicConstraints, Certificate } from '@peculiar/asn1-x509'
import { authorityKeyIdentifier, basicConstraints, extendedKeyUsage, keyUsage, subjectAltName, subjectKeyIdentifier } from '../certificate/extensions.ts'
import { buildCertificate } from '../certificate/certificate-builder.ts'
import { certificateParts, readCertificate, type CertificateFacts } from '../certificate/certificate.ts'
import { isIssuedBy, isSelfSigned, orderChain } from './chain.ts'
import { nameOfCommonName } from '../name/distinguished-name.ts'
import { generateKey } from '../key/key.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { keySigner } from '../key/signature.ts'
import { keyIdOfSpki, spkiOfKey } from '../key/spki.ts'

const notBefore = new Date('2026-01-01T00:00:00Z')
const notAfter = new Date('2051-01-01T00:00:00Z') // beyond 2049: GeneralizedTime
let nextSerial = 0x80

interface Made { facts: CertificateFacts; keyPem: string }

async function make(commonName: string, algorithm: KeyAlgorithm, issuer: Made | undefined, isCa: boolean): Promise<Made> {
  const keyPem = await generateKey(algorithm)
  const spki = spkiOfKey(createPrivateKey(keyPem))
  const signingKey = createPrivateKey(issuer?.keyPem ?? keyPem)
  const der = await buildCertificate({
    serialNumber: (nextSerial++).toString(16), spki, notBefore, notAfter,
    subject: nameOfCommonName(isCa ? commonName : null),
    issuer: issuer ? certificateParts(issuer.facts.pem).subject.raw : nameOfCommonName(commonName),
    extensions: [
      basicConstraints(isCa, isCa && issuer ? 0 : undefined),
      keyUsage(isCa ? ['keyCertSign', 'cRLSign'] : ['digitalSignature']),
      subjectKeyIdentifier(keyIdOfSpki(spki)), authorityKeyIdentifier(keyIdOfSpki(spkiOfKey(signingKey))),
      ...(isCa ? [] : [extendedKeyUsage('serverAuth'), subjectAltName([commonName, '192.0.2.1', '2001:db8::1'], true)]),
    ],
  }, keySigner(signingKey))
  return { facts: readCertificate(der), keyPem }
}

async function makeChain(root: KeyAlgorithm, intermediate: KeyAlgorithm, leaf: KeyAlgorithm) {
  const top = await make('Root', root, undefined, true)
  const middle = await make('Intermediate', intermediate, top, true)
  return { root: top, intermediate: middle, leaf: await make('www.example.com', leaf, middle, false) }
}

const algorithms: [KeyAlgorithm, KeyAlgorithm, KeyAlgorithm][] = [['ec-384', 'ec-256', 'ec-256'], ['rsa-3072', 'rsa-2048', 'rsa-2048'], ['ed25519', 'ec-521', 'ed25519']]
for (const [root, intermediate, leaf] of algorithms) {
  test(`openssl verifies a chain built here: ${root}, ${intermediate}, ${leaf}`, { timeout: 120_000 }, async (t) => {
    const folder = temporaryFolder(t)
    const chain = await makeChain(root, intermediate, leaf)
    for (const [name, { facts }] of Object.entries(chain)) writeFileSync(`${folder}/${name}.pem`, facts.pem)
    const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-attime', '1800000000', '-CAfile', `${folder}/root.pem`, '-untrusted', `${folder}/intermediate.pem`]
    openssl([...args, '-verify_hostname', 'www.example.com', `${folder}/leaf.pem`])
    openssl([...args, '-verify_ip', '2001:db8::1', `${folder}/leaf.pem`])
    assert.throws(() => openssl([...args, '-verify_hostname', 'other.example', `${folder}/leaf.pem`]), /hostname mismatch/i)
    const text = openssl(['x509', '-noout', '-text'], chain.leaf.facts.pem)
    assert.match(text, /X509v3 Subject Alternative Name: critical/)
    assert.match(text, /Not After : Jan {2}1 00:00:00 2051 GMT/)
    assert.deepEqual(chain.leaf.facts.names, ['www.example.com', '192.0.2.1', '2001:db8::1'])
    assert.equal(chain.leaf.facts.authorityKeyId, chain.intermediate.facts.subjectKeyId)
  })
}

test('another library reads every field of a built certificate and writes the same bytes', async () => {
  const { intermediate } = await makeChain('ec-256', 'ec-256', 'ec-256')
  const parts = certificateParts(intermediate.facts.pem)
  const parsed = AsnConvert.parse(parts.der, Certificate)
  assert.equal(Buffer.from(AsnConvert.serialize(parsed)).toString('hex'), parts.der.toString('hex'))
  assert.equal(Buffer.from(parsed.tbsCertificate.serialNumber).toString('hex'), `00${intermediate.facts.serialNumber}`)
  const constraints = parsed.tbsCertificate.extensions?.find(({ extnID }) => extnID === '2.5.29.19')
  assert.ok(constraints?.critical)
  const value = AsnConvert.parse(constraints.extnValue.buffer, BasicConstraints)
  assert.deepEqual([value.cA, value.pathLenConstraint], [true, 0])
})

test('a chain is put in order, without root, strangers and doubles', async () => {
  const { root, intermediate, leaf } = await makeChain('ec-256', 'ec-256', 'ec-256')
  const stranger = await make('Stranger', 'ec-256', undefined, true)
  const wanted = [leaf.facts.fingerprint, intermediate.facts.fingerprint]
  const order = (list: Made[]) => orderChain(list.map(({ facts }) => facts)).map(({ fingerprint }) => fingerprint)
  assert.deepEqual(order([leaf, intermediate, root]), wanted)
  assert.deepEqual(order([root, intermediate, leaf]), wanted)
  assert.deepEqual(order([intermediate, stranger, leaf, root, leaf]), wanted)
  assert.deepEqual(order([leaf, root]), wanted.slice(0, 1))
  assert.deepEqual(order([root]), [root.facts.fingerprint])
  assert.throws(() => orderChain([]), { code: 'CERTIFICATE_INVALID' })
})

test('two issuers of the same name are told apart by key, and a forged issuer is not believed', async () => {
  const one = await makeChain('ec-256', 'ec-256', 'ec-256')
  const two = await makeChain('ec-256', 'ec-256', 'ec-256')
  assert.deepEqual(orderChain([one.leaf.facts, two.intermediate.facts, one.intermediate.facts]), [one.leaf.facts, one.intermediate.facts])
  const forged = { ...two.intermediate.facts, subjectKeyId: one.intermediate.facts.subjectKeyId }
  assert.equal(isIssuedBy(one.leaf.facts, forged), false)
  assert.equal(isIssuedBy(one.leaf.facts, one.intermediate.facts), true)
  assert.equal(isSelfSigned(one.root.facts), true)
  assert.equal(isSelfSigned(one.intermediate.facts), false)
})
