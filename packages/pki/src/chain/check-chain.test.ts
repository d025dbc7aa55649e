import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { authorityInformationAccess, certificateFindings, extension, nameConstraints, readCertificate, type CertificateFacts } from '../certificate/index.ts'
import { explicit, objectIdentifier, octetString, sequence, smallInteger } from '../der/der-writer.ts'
import { toPem } from '../pem.ts'
import { certificateParts } from '../certificate/certificate.ts'
import { at, make, makeChain, md5Signer, sha1Signer, testKey, type Made } from './chain-testing.ts'
import { isIssuedBy, isSelfSigned, orderChain } from './chain.ts'
import { checkChain, coversHost, type CheckChainOptions } from './check-chain.ts'

const codesOf = (list: readonly Made[], options: Partial<CheckChainOptions> = {}): string[] =>
  checkChain(list.map(({ facts }) => facts), { at, ...options }).findings.map(({ code, severity, index }) => `${severity} ${code} ${index}`)

test('a good chain has no findings, with and without anchors, with its root left out', async () => {
  const { root, middle, leaf } = await makeChain()
  const report = checkChain([leaf.facts, middle.facts], { at, anchors: [root.facts], purpose: 'serverAuth', hostName: 'www.example.com' })
  assert.deepEqual(report, { isValid: true, isTrusted: true, path: [leaf.facts, middle.facts, root.facts], findings: [], missingFrom: [] })
  assert.deepEqual(codesOf([leaf, middle]), [])
  assert.equal(checkChain([leaf.facts, middle.facts], { at }).isTrusted, null)
  assert.deepEqual(codesOf([leaf, middle, root]), ['notice ROOT_INCLUDED 2'])
})

test('what is wrong with the list: missing, misordered, doubled, unrelated, untrusted', async () => {
  const { root, middle, leaf } = await makeChain('ec-256', { leaf: { extra: [authorityInformationAccess({ issuers: ['http://ca.example/middle.der'] })] } })
  const stranger = await make({ name: 'Stranger', isCa: true })
  const anchors = [root.facts]
  assert.deepEqual(codesOf([leaf], { anchors }), ['error INTERMEDIATE_MISSING 0'])
  assert.deepEqual(codesOf([leaf]), ['warning INTERMEDIATE_MISSING 0'])
  const missing = checkChain([leaf.facts], { at, anchors })
  assert.deepEqual([missing.isTrusted, missing.missingFrom], [false, ['http://ca.example/middle.der']])
  assert.equal(missing.findings[0]?.text, 'Missing: the certificate of "Middle", which signed "www.example.com", is neither in the list nor among the trusted ones. It can be fetched from http://ca.example/middle.der.')
  assert.deepEqual(codesOf([middle, leaf], { anchors }), ['error LEAF_NOT_FIRST 1', 'warning MISORDERED 1'])
  assert.deepEqual(codesOf([leaf, root, middle], { anchors }), ['warning MISORDERED 2', 'notice ROOT_INCLUDED 1'])
  assert.deepEqual(codesOf([leaf, middle, middle, stranger], { anchors }), ['warning DUPLICATE 1', 'warning UNRELATED 3'])
  assert.deepEqual(codesOf([leaf, middle, root], { anchors: [stranger.facts] }), ['error ROOT_NOT_TRUSTED 2', 'notice ROOT_INCLUDED 2'])
  assert.deepEqual(codesOf([leaf, middle], { anchors: [stranger.facts] }), ['error INTERMEDIATE_MISSING 1'])
  assert.throws(() => checkChain([], { at }), { code: 'CHAIN_INVALID' })
  assert.throws(() => checkChain(Array.from({ length: 101 }, () => leaf.facts), { at }), { code: 'LIMIT_EXCEEDED' })
})

test('a self-signed leaf and a CA certificate as leaf are said to be so', async () => {
  const alone = await make({ name: 'www.example.com' })
  const { root, middle } = await makeChain()
  assert.deepEqual(codesOf([alone]), ['warning LEAF_SELF_SIGNED 0'])
  assert.deepEqual(codesOf([alone], { anchors: [root.facts] }), ['error LEAF_SELF_SIGNED 0'])
  assert.deepEqual(codesOf([alone], { anchors: [alone.facts] }), [])
  assert.deepEqual(codesOf([middle], { anchors: [root.facts] }), ['warning LEAF_IS_CA 0'])
})

const resigned = (made: Made): Made => {
  const der = Buffer.from(certificateParts(made.facts.pem).der)
  der[der.length - 3] = (der[der.length - 3] ?? 0) ^ 1
  return { ...made, facts: readCertificate(der) }
}
const past = new Date('2026-05-01T00:00:00Z')
const future = new Date('2026-07-01T00:00:00Z')

/** Each kind of defect within the certificates, and what is to be found. */
const defects: [string, Parameters<typeof makeChain>[1], string[]][] = [
  ['leaf expired', { leaf: { notAfter: past } }, ['error EXPIRED 0']],
  ['intermediate expired', { middle: { notAfter: past } }, ['error EXPIRED 1']],
  ['leaf not yet valid', { leaf: { notBefore: future } }, ['error NOT_YET_VALID 0']],
  ['intermediate ends before the leaf', { middle: { notAfter: future } }, ['warning EXPIRES_BEFORE_LEAF 1']],
  ['intermediate is no CA', { middle: { isCa: false, usages: ['keyCertSign'] } }, ['error NOT_A_CA 1']],
  ['intermediate without basic constraints', { middle: { withoutBasic: true } }, ['error NOT_A_CA 1']],
  ['intermediate without keyCertSign', { middle: { usages: ['cRLSign'] } }, ['error KEY_CERT_SIGN_MISSING 1']],
  ['root allows no intermediate', { root: { pathLength: 0 } }, ['error PATH_LENGTH_EXCEEDED null']],
  ['names outside', { middle: { extra: [nameConstraints({ permitted: [{ type: 'dns', value: 'example.org' }], excluded: [] })] } }, ['error NAME_CONSTRAINT_VIOLATED 0']],
  ['intermediate for other purposes', { middle: { purposes: ['emailProtection'] } }, ['error PURPOSE_NOT_NESTED 1']],
  ['leaf for other purposes', { leaf: { purposes: ['clientAuth'] } }, ['error PURPOSE_NOT_ALLOWED 0']],
  ['leaf for any purpose', { leaf: { purposes: ['anyExtendedKeyUsage'] } }, ['warning PURPOSE_NOT_ALLOWED 0']],
  ['leaf key usage', { leaf: { usages: ['nonRepudiation'] } }, ['error KEY_USAGE_UNFIT 0']],
  ['critical extension unknown', { leaf: { extra: [extension('1.2.3.4.5', true, octetString(Buffer.of(1)))] } }, ['error CRITICAL_EXTENSION_UNKNOWN 0']],
  ['extension twice', { leaf: { extra: [extension('2.5.29.14', false, octetString(Buffer.of(1)))] } }, ['error EXTENSION_REPEATED 0']],
  ['extension damaged', { leaf: { extra: [extension('2.5.29.30', true, Buffer.of(4, 1, 1))] } }, ['error EXTENSION_DAMAGED 0']],
  ['policy rules', { middle: { extra: [extension('2.5.29.36', true, sequence(explicit(0, smallInteger(1))))] } }, ['notice POLICY_NOT_CHECKED 1']],
  ['key identifier of another', { leaf: { authorityKeyId: Buffer.alloc(20, 7) } }, ['error KEY_ID_MISMATCH 0']],
]
for (const [title, changes, wanted] of defects) {
  test(`found: ${title}`, async () => {
    const { root, middle, leaf } = await makeChain('ec-256', changes)
    const found = codesOf([leaf, middle], { anchors: [root.facts], purpose: 'serverAuth', hostName: 'www.example.com' })
    assert.deepEqual(found.filter((line) => !line.includes('KEY_USAGE') || wanted.includes(line)), wanted)
  })
}

test('found: signatures that are wrong, weak or by weak keys', async () => {
  const { root, middle, leaf } = await makeChain('rsa-2048')
  const anchors = [root.facts]
  assert.deepEqual(codesOf([resigned(leaf), middle], { anchors }), ['error SIGNATURE_WRONG 0'])
  assert.deepEqual(codesOf([leaf, resigned(middle)], { anchors }), ['error SIGNATURE_WRONG 1'])
  assert.deepEqual(codesOf([leaf, { ...middle, facts: (await make({ name: 'Middle', isCa: true, issuer: root, key: await testKey('x') })).facts }], { anchors }).slice(0, 1), ['error INTERMEDIATE_MISSING 0'])
  for (const [namedCurve, paramEncoding] of [['secp112r1', 'named'], ['sect163k1', 'named'], ['prime256v1', 'explicit']] as const) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve, paramEncoding })
    const below = await make({ name: 'Below', isCa: true, issuer: root, key: privateKey })
    const signer = { algorithm: sequence(objectIdentifier('1.2.840.10045.4.3.2')), sign: (bytes: Uint8Array) => Promise.resolve(sign('sha256', bytes, privateKey)) }
    assert.deepEqual(codesOf([await make({ name: 'www.example.com', issuer: below, signer }), below], { anchors }), ['error KEY_WEAK 1'], namedCurve)
  }
  const weak = await make({ name: 'www.example.com', issuer: middle, signer: sha1Signer(middle.key) })
  assert.deepEqual(codesOf([weak, middle], { anchors }), ['error SIGNATURE_WEAK 0'])
})

test('the second of notAfter belongs to the lifetime, here as in the findings of one certificate', async () => {
  const { root, middle, leaf } = await makeChain('ec-256', { leaf: { notAfter: at }, middle: { notAfter: at } })
  const codesAt = (ms: number): string[] => {
    const then = new Date(at.getTime() + ms)
    const alone = certificateFindings(leaf.facts, then).filter(({ code }) => code === 'expired').map(({ code }) => code)
    return [...alone, ...codesOf([leaf, middle], { anchors: [root.facts], at: then })]
  }
  assert.deepEqual(codesAt(999), [])
  assert.deepEqual(codesAt(1000), ['expired', 'error EXPIRED 0', 'error EXPIRED 1'])
})

test('MD5 proves nothing: such a chain is shown whole, and not trusted; that of the anchor itself does not matter', async () => {
  const key = await testKey('Root', 'rsa-2048')
  const root = await make({ name: 'Root', isCa: true, key, signer: md5Signer(key) })
  const forged = await make({ name: 'www.example.com', issuer: root, signer: md5Signer(key) })
  const report = checkChain([forged.facts, root.facts], { at, anchors: [root.facts] })
  assert.deepEqual([report.isTrusted, report.isValid, report.path.length, report.findings.map(({ code }) => code)], [false, false, 2, ['SIGNATURE_WEAK', 'ROOT_INCLUDED']])
  assert.deepEqual([isIssuedBy(forged.facts, root.facts), isSelfSigned(root.facts), orderChain([root.facts, forged.facts])], [false, true, [forged.facts]])
  const leaf = await make({ name: 'www.example.com', issuer: root })
  assert.deepEqual([checkChain([leaf.facts], { at, anchors: [root.facts] }).isTrusted, isIssuedBy(leaf.facts, root.facts)], [true, true])
})

test('a chain is not trusted by a signature that could not be checked', async () => {
  const { root, middle, leaf } = await makeChain()
  const signer = { algorithm: sequence(objectIdentifier('1.2.3.4')), sign: () => Promise.resolve(Buffer.of(1)) }
  const forged = await make({ name: 'www.example.com', issuer: middle, signer })
  const options = { at, anchors: [root.facts] }
  const report = checkChain([forged.facts, middle.facts], options)
  assert.deepEqual([report.isTrusted, report.isValid, report.findings.map(({ code }) => code)], [false, false, ['SIGNATURE_NOT_CHECKED']])
  assert.equal(checkChain([leaf.facts, middle.facts], options).isTrusted, true)
  assert.equal(checkChain([forged.facts, middle.facts], { at }).isTrusted, null)
})

test('host names match as RFC 9525 says', async () => {
  const names = ['www.example.com', '*.wild.example.com', '192.0.2.1', '2001:db8::1', 'xn--bcher-kva.example', '*.com', { type: 'dns', value: 'f*.example.com' }, { type: 'dns', value: '192.0.2.7' }] as const
  const { facts } = await make({ name: 'only.common.example', names })
  const covered = ['www.example.com', 'WWW.Example.COM', 'www.example.com.', 'a.wild.example.com', '192.0.2.1', '2001:db8::1', '2001:DB8:0:0::1', '[2001:db8::1]', 'bücher.example', 'BÜCHER.example', 'xn--bcher-kva.example']
  const not = ['example.com', 'a.b.wild.example.com', 'wild.example.com', '*.wild.example.com', 'foo.example.com', 'x.com', '192.0.2.2', '192.0.2.7', '2001:db8::2', 'only.common.example', '', '.', 'www.example.com..', '.wild.example.com', 'www.example.com\0', 'a'.repeat(2_000)]
  for (const host of covered) assert.equal(coversHost(facts, host), true, host)
  for (const host of not) assert.equal(coversHost(facts, host), false, host)
  // Node agrees, but for partial wildcards, which RFC 9525 has done away with, and names with a leading dot, which it takes for all below.
  const node = new X509Certificate(facts.pem)
  const onlyNode = new Set(['only.common.example', '.wild.example.com', 'foo.example.com', '*.wild.example.com'])
  for (const host of [...covered, ...not].filter((one) => /^[a-z0-9.*-]{1,200}$/i.test(one) && !one.endsWith('.') && !onlyNode.has(one) && !/^[\d.]+$/.test(one))) {
    assert.equal(node.checkHost(host, { subject: 'never' }) !== undefined, coversHost(facts, host), host)
  }
  for (const ip of ['192.0.2.1', '192.0.2.2', '192.0.2.7', '2001:db8::1', '2001:db8::2']) assert.equal(node.checkIP(ip) !== undefined, coversHost(facts, ip), ip)
  const report = checkChain([facts], { at, hostName: 'only.common.example' })
  assert.match(report.findings.find(({ code }) => code === 'HOST_NAME_NOT_COVERED')?.text ?? '', /common name alone/)
})

test('ML-DSA chains are checked with our own verifier', async () => {
  const { root, middle, leaf } = await makeChain('ml-dsa-44')
  assert.deepEqual(codesOf([leaf, middle], { anchors: [root.facts], purpose: 'serverAuth' }), [])
  assert.deepEqual(codesOf([resigned(leaf), middle], { anchors: [root.facts] }), ['error SIGNATURE_WRONG 0'])
})

test('texts stay short and printable whatever names say', async () => {
  const made = await make({ name: `evil\u001b[31m\n${'x'.repeat(5_000)}` })
  const report = checkChain([made.facts] satisfies CertificateFacts[], { at: new Date('2030-01-01T00:00:00Z'), hostName: 'a'.repeat(3_000) })
  assert.ok(report.findings.length >= 2)
  // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
  for (const { text } of report.findings) assert.ok(text.length < 600 && !/[\u0000-\u001f]/.test(text), text)
  assert.equal(toPem('CERTIFICATE', certificateParts(made.facts.pem).der), made.facts.pem)
})
