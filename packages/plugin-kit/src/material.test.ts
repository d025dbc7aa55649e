import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { type Encoding, type MaterialPart, sha256Hex } from '@certloop/contract'
import { selfSignedPair } from '@certloop/test-kit'
import type { PlanMaterial } from './driver.ts'
import { certificateBlocks, encodingProblem, fileDigest, holdsKey, materialContent, materialDigest, materialText } from './material.ts'

const { certPem: realLeaf } = await selfSignedPair(['shop.test'])

const block = (body: string) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----`
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } })
const material: PlanMaterial = { chainPem: [block('bGVhZg=='), `${block('aXNzdWVy')}\r\n`], fingerprint: 'f'.repeat(64), spkiDigest: sha256Hex(pair.publicKey), keyType: 'ec' }
const parts: MaterialPart[] = ['certificate', 'chain', 'full-chain', 'key', 'full-chain-and-key', 'key-and-full-chain', 'certificate-and-key', 'key-and-certificate', 'certificate-key-and-chain']
const content = (part: MaterialPart, encoding?: Encoding) => materialContent(part, material.chainPem, pair.privateKey, encoding)
const encodings: Encoding[] = ['pem', 'der', 'pkcs7-pem', 'pkcs7-der']

test('a file written from the material has the digest that the plan promised, and no other part has it', () => {
  const digests = new Set<string>()
  for (const encoding of encodings) {
    for (const part of parts.filter((one) => encodingProblem(one, encoding) === undefined)) {
      const digest = materialDigest(part, material, encoding)
      assert.equal(fileDigest(part, content(part, encoding), encoding), digest, `${part} ${encoding}`)
      if (part !== 'key') assert.ok(!digests.has(digest), `${part} ${encoding}`)
      digests.add(digest)
    }
  }
})

test('a digest says nothing about the secret half of the key, whatever its form', () => {
  const sec1 = createPrivateKey(pair.privateKey).export({ type: 'sec1', format: 'pem' }).toString()
  assert.equal(fileDigest('key', Buffer.from(sec1)), material.spkiDigest)
  assert.equal(fileDigest('key', content('key', 'der'), 'der'), material.spkiDigest)
  assert.equal(fileDigest('certificate-and-key', Buffer.from(materialText('certificate', material.chainPem) + sec1)), materialDigest('certificate-and-key', material))
  const other = { ...material, spkiDigest: '0'.repeat(64) }
  for (const part of parts.filter(holdsKey)) assert.notEqual(materialDigest(part, other), materialDigest(part, material))
})

test('the same blocks in another order, with other line ends or with remarks are another content', () => {
  for (const part of parts.filter(holdsKey)) {
    const text = content(part).toString()
    const blocks = text.split(/(?<=-----END [A-Z ]+-----\n)/)
    const others = [...(blocks.length > 1 ? [blocks.toReversed().join('')] : []), text.replaceAll('\n', '\r\n'), `# shop\n${text}`, `${text}# shop\n`, text.trimEnd(), text + pair.privateKey, `\n${text}`]
    for (const other of others) assert.notEqual(fileDigest(part, Buffer.from(other)), materialDigest(part, material), `${part}: ${other}`)
  }
  assert.notEqual(fileDigest('key', Buffer.concat([content('key', 'der'), Buffer.of(0)]), 'der'), material.spkiDigest)
})

test('a file whose key can not be read is named by its bytes', () => {
  const damaged = pair.privateKey.replace(/[A-Za-z]{8}/, '........')
  for (const text of [damaged, materialText('full-chain', material.chainPem), '']) assert.equal(fileDigest('full-chain-and-key', Buffer.from(text)), sha256Hex(text))
  assert.equal(fileDigest('key', Buffer.from('x'), 'der'), sha256Hex('x'))
})

test('orders are kept: certificate, key and chain each stand where the part says', () => {
  assert.equal(content('certificate-key-and-chain').toString(), `${block('bGVhZg==')}\n${pair.privateKey}${block('aXNzdWVy')}\n`)
  assert.equal(content('key-and-certificate').toString(), `${pair.privateKey}${block('bGVhZg==')}\n`)
})

test('DER takes one thing and PKCS#7 no key', () => {
  for (const part of parts.filter((one) => one !== 'certificate' && one !== 'key')) {
    assert.match(encodingProblem(part, 'der') ?? '', /DER/)
    assert.throws(() => content(part, 'der'))
  }
  for (const part of parts.filter(holdsKey)) assert.match(encodingProblem(part, 'pkcs7-pem') ?? '', /private key/)
  assert.equal(encodingProblem('full-chain', 'pkcs7-der'), undefined)
})

test('OpenSSL reads what was written as DER and PKCS#7', () => {
  const [chainPem, keyPem] = [[realLeaf], pair.privateKey]
  const run = (args: string[], input: Uint8Array) => execFileSync('openssl', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
  const pem = run(['x509'], Buffer.from(realLeaf))
  assert.equal(run(['x509', '-inform', 'der'], materialContent('certificate', chainPem, keyPem, 'der')), pem)
  assert.ok(run(['pkcs7', '-inform', 'der', '-print_certs'], materialContent('full-chain', chainPem, keyPem, 'pkcs7-der')).includes(pem))
  assert.ok(run(['pkcs7', '-print_certs'], materialContent('full-chain', chainPem, keyPem, 'pkcs7-pem')).includes(pem))
  assert.equal(run(['pkcs8', '-inform', 'der', '-nocrypt'], materialContent('key', chainPem, keyPem, 'der')), pair.privateKey)
})

test('certificate blocks leave out keys and remarks', () => {
  const text = `remark\n${pair.privateKey}${block('bGVhZg==')}\nsubject=x\n${block('aXNzdWVy')}`
  assert.equal(certificateBlocks(text), `${block('bGVhZg==')}\n${block('aXNzdWVy')}\n`)
  assert.equal(certificateBlocks('nothing'), '')
})
