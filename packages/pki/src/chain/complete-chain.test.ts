import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { authorityInformationAccess, buildCertificate, readCertificate } from '../certificate/index.ts'
import { certificateParts } from '../certificate/certificate.ts'
import { bitString, element, integer, objectIdentifier, sequence } from '../der/der-writer.ts'
import { keySigner } from '../key/signature.ts'
import { spkiOfKey } from '../key/spki.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { at, make, makeChain, nameOf, pemOf, testKey, type Made } from './chain-testing.ts'
import { completeChain } from './complete-chain.ts'
import { signatureChecks } from './issuing.ts'
import { linkOf } from './link.ts'
import { groupIdentities, matchKeys, pickLeaf } from './identities.ts'

const derOf = ({ facts }: Made): Buffer => certificateParts(facts.pem).der
const namesOf = (list: readonly { commonName: string | null }[]): (string | null)[] => list.map(({ commonName }) => commonName)

/** Root, two intermediates, leaf; each says where its issuer is. */
async function longChain() {
  const root = await make({ name: 'Root', isCa: true })
  const upper = await make({ name: 'Upper', isCa: true, issuer: root, extra: [authorityInformationAccess({ issuers: ['http://ca.example/root'] })] })
  const lower = await make({ name: 'Lower', isCa: true, issuer: upper, extra: [authorityInformationAccess({ issuers: ['http://ca.example/upper'] })] })
  const leaf = await make({ name: 'www.example.com', issuer: lower, extra: [authorityInformationAccess({ issuers: ['http://ca.example/lower', 'ldap://ca.example/'] })] })
  return { root, upper, lower, leaf }
}

test('a chain is completed step by step from what is fetched: PEM, PKCS#7 of openssl, DER', async (t) => {
  const { root, upper, lower, leaf } = await longChain()
  const folder = temporaryFolder(t)
  writeFileSync(`${folder}/upper.pem`, pemOf(upper))
  openssl(['crl2pkcs7', '-nocrl', '-certfile', `${folder}/upper.pem`, '-outform', 'PEM', '-out', `${folder}/upper.p7b`])
  const contents = new Map([
    ['http://ca.example/lower', Buffer.from(pemOf(lower))],
    ['http://ca.example/upper', Buffer.from(openssl(['pkcs7', '-in', `${folder}/upper.p7b`]))],
    ['http://ca.example/root', derOf(root)],
  ])
  const aia = new Map<string, Uint8Array>()
  const asked: string[] = []
  let result = completeChain({ certificates: [leaf.facts], aia, at })
  for (let round = 0; result.wanted.length > 0 && round < 10; round++) {
    for (const url of result.wanted) {
      asked.push(url)
      aia.set(url, contents.get(url) ?? Buffer.alloc(0))
    }
    result = completeChain({ certificates: [leaf.facts], aia, at })
  }
  assert.deepEqual(asked, ['http://ca.example/lower', 'http://ca.example/upper', 'http://ca.example/root'])
  assert.deepEqual([namesOf(result.chain), result.isComplete, result.unusable], [['www.example.com', 'Lower', 'Upper'], true, []])
  assert.deepEqual(namesOf(completeChain({ certificates: [leaf.facts], aia, at, withRoot: true }).chain), ['www.example.com', 'Lower', 'Upper', 'Root'])
})

test('a chain with a signature that could not be checked is not called complete', async () => {
  const { root, upper } = await longChain()
  const signer = { algorithm: sequence(objectIdentifier('1.2.3.4')), sign: () => Promise.resolve(Buffer.of(1)) }
  const forged = await make({ name: 'www.example.com', issuer: upper, signer })
  for (const anchors of [[root.facts], []]) {
    const { chain, isComplete, wanted } = completeChain({ certificates: [forged.facts, upper.facts], pool: [root.facts], anchors, at })
    assert.deepEqual([namesOf(chain), isComplete, wanted], [['www.example.com', 'Upper'], false, []])
  }
})

test('the pool and anchors spare fetching; what can not be read is reported and not asked for again', async () => {
  const { root, upper, lower, leaf } = await longChain()
  assert.deepEqual(completeChain({ certificates: [lower.facts, leaf.facts], pool: [upper.facts, root.facts], at }), { chain: [leaf.facts, lower.facts, upper.facts], isComplete: true, wanted: [], unusable: [] })
  const anchored = completeChain({ certificates: [leaf.facts, lower.facts], pool: [upper.facts], anchors: [upper.facts], at })
  assert.deepEqual([namesOf(anchored.chain), anchored.isComplete, anchored.wanted], [['www.example.com', 'Lower'], true, []])
  const html = completeChain({ certificates: [leaf.facts], aia: new Map([['http://ca.example/lower', Buffer.from('<html>404</html>')]]), at })
  assert.deepEqual([html.wanted, html.isComplete, html.unusable.map(({ url }) => url)], [[], false, ['http://ca.example/lower']])
  const stranger = await make({ name: 'Stranger', isCa: true })
  assert.deepEqual(completeChain({ certificates: [leaf.facts], aia: new Map([['http://ca.example/lower', derOf(stranger)]]), at }).chain, [leaf.facts])
  const alone = await make({ name: 'alone.example' })
  assert.deepEqual(completeChain({ certificates: [alone.facts], at }).chain, [alone.facts])
  assert.throws(() => completeChain({ certificates: [], at }), { code: 'CHAIN_INVALID' })
  const big = completeChain({ certificates: [leaf.facts], aia: new Map([['http://ca.example/lower', Buffer.alloc(1_000_001)], ['x', Buffer.from(pemOf(lower).repeat(51))]]), at })
  assert.deepEqual(big.unusable.map(({ url }) => url), ['http://ca.example/lower', 'x'])
})

/** A certificate whose key is written as `spki`. */
async function certificateOf(spki: Buffer) {
  const key = await testKey('issuer of odd keys')
  return readCertificate(await buildCertificate({ serialNumber: '01', issuer: nameOf(), subject: nameOf(), notBefore: at, notAfter: at, spki, extensions: [] }, keySigner(key)))
}

test('signatures by RSA keys of absurd length are not checked', async () => {
  const { leaf } = await makeChain()
  const rsaOf = (bits: number) => sequence(sequence(objectIdentifier('1.2.840.113549.1.1.1'), element(0x05)), bitString(sequence(integer(Buffer.alloc(bits / 8, 0xc5)), integer(Buffer.of(1, 0, 1)))))
  const answer = async (bits: number) => signatureChecks(1).check(linkOf(leaf.facts), linkOf(await certificateOf(rsaOf(bits))))
  assert.deepEqual([await answer(8192), await answer(8200)], ['no', 'unknown'])
})

test('a key is matched to its certificates however either writes it', async (t) => {
  const folder = temporaryFolder(t)
  const ec = await testKey('ec', 'ec-256')
  const rsa = await testKey('rsa', 'rsa-2048')
  const others = [await testKey('ed', 'ed25519'), await testKey('ml', 'ml-dsa-44'), await testKey('ec', 'ec-521')]
  writeFileSync(`${folder}/ec.pem`, ec.export({ format: 'pem', type: 'pkcs8' }))
  const rewritten = (args: string[]) => createPublicKey(openssl(['ec', '-in', `${folder}/ec.pem`, '-pubout', ...args])).export({ format: 'der', type: 'spki' })
  const rawEc = (args: string[]) => Buffer.from(openssl(['ec', '-in', `${folder}/ec.pem`, '-pubout', ...args]).replace(/-----[^-]+-----|\s/g, ''), 'base64')
  const modulus = rsa.export({ format: 'jwk' })
  const pkcs1 = createPublicKey({ key: modulus, format: 'jwk' }).export({ format: 'der', type: 'pkcs1' })
  const rsaWithoutNull = sequence(sequence(objectIdentifier('1.2.840.113549.1.1.1')), bitString(pkcs1))
  const rsaPss = sequence(sequence(objectIdentifier('1.2.840.113549.1.1.10')), bitString(pkcs1))
  const spkis = [
    spkiOfKey(ec), rawEc(['-conv_form', 'compressed']), rawEc(['-conv_form', 'hybrid']), rawEc(['-param_enc', 'explicit']), rewritten([]),
    spkiOfKey(rsa), rsaWithoutNull, rsaPss, ...others.map((key) => spkiOfKey(key)), spkiOfKey(await testKey('nobody')),
    sequence(sequence(objectIdentifier('1.2.840.10045.2.1'), element(0x05)), bitString(Buffer.of(2, 1))),
  ]
  assert.equal(new Set(spkis.slice(0, 4).map((spki) => spki.toString('hex'))).size, 4)
  const certificates = await Promise.all(spkis.map(certificateOf))
  const { keyOfCertificate, certificatesOfKey } = matchKeys([ec, rsa, ...others], certificates)
  assert.deepEqual(keyOfCertificate, [0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 4, null, null])
  assert.deepEqual(certificatesOfKey, [[0, 1, 2, 3, 4], [5, 6, 7], [8], [9], [10]])
})

test('a bag of several chains, keys and strangers is sorted into identities', async () => {
  const one = await makeChain()
  const two = { root: await make({ name: 'Root two', isCa: true }), leaf: undefined as Made | undefined }
  const mail = await make({ name: 'mail.example.com', issuer: two.root })
  const stranger = await make({ name: 'Stranger', isCa: true })
  const loose = await testKey('loose')
  const again = createPrivateKey(mail.key.export({ format: 'pem', type: 'pkcs8' }))
  const bag = [one.root, stranger, one.middle, mail, two.root, one.leaf, one.leaf].map(({ facts }) => facts)
  const grouped = groupIdentities({ certificates: bag, keys: [loose, one.leaf.key, mail.key, again] })
  assert.deepEqual(grouped.identities, [
    { leaf: mail.facts, chain: [mail.facts], root: two.root.facts, key: 2 },
    { leaf: one.leaf.facts, chain: [one.leaf.facts, one.middle.facts], root: one.root.facts, key: 1 },
  ])
  assert.deepEqual([namesOf(grouped.restCertificates), grouped.restKeys], [['Stranger'], [0]])
  assert.equal(pickLeaf({ certificates: bag, keys: [one.leaf.key] }), one.leaf.facts)
  assert.equal(pickLeaf({ certificates: bag }).commonName, 'mail.example.com')
  // A CA certificate that comes with its key is what was meant.
  assert.equal(pickLeaf({ certificates: [one.root.facts, one.leaf.facts, one.middle.facts], keys: [one.middle.key] }), one.middle.facts)
  assert.equal(pickLeaf({ certificates: [one.root.facts, one.middle.facts] }), one.middle.facts)
  assert.throws(() => pickLeaf({ certificates: [] }), { code: 'CHAIN_INVALID' })
})

test('a bag of thousands of certificates of one name is sorted in bounded time or refused', { timeout: 60_000 }, async () => {
  const { root } = await makeChain()
  const many: Made[] = []
  for (let i = 0; i < 1_500; i++) many.push(await make({ name: 'Root', key: await testKey(`r${i % 60}`), isCa: true, issuer: root, authorityKeyId: null }))
  const begin = performance.now()
  assert.throws(() => groupIdentities({ certificates: many.map(({ facts }) => facts) }), { code: 'LIMIT_EXCEEDED' })
  assert.ok(performance.now() - begin < 10_000)
})
