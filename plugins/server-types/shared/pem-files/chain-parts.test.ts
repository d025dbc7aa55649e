import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { partsOf } from './chain-parts.ts'
import type { LinkedFile } from './linked-file.ts'
import { joinUses } from './pairs.ts'
import type { ReadableSlot } from './slots.ts'

const file = (name: string, realPath = name): LinkedFile => ({ path: name, realPath, links: [], content: Buffer.from(issuer) })
const block = (body: string) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`
const issuer = block('aXNzdWVy')
const material = { chainPem: ['leaf', issuer], fingerprint: '', spkiDigest: '', keyType: 'ec' as const }

/** A slot with a use for each of the chain files. */
function slot(name: string, chainPaths: (string | null)[], { key = `${name}.key`, real = (chain: string) => chain, keyFirst = false, content = issuer } = {}): ReadableSlot {
  const [pair] = joinUses(chainPaths.map((chainPath) => ({ certificatePath: name, keyPath: key, chainPath, keyFirst, holder: {}, of: 1, names: [], endpoints: [], left: [] })))
  assert.ok(pair)
  const chains = chainPaths.flatMap((chain) => (chain === null || real(chain) === name ? [] : [file(chain, real(chain))]))
  return { pair, files: { certificate: { ...file(name), content: Buffer.from(content) }, key: file(key), chains }, installedPem: null, keyType: null, endpoints: [], problem: null }
}
const parts = (one: ReadableSlot, ...others: ReadableSlot[]) => partsOf(one, [one, ...others], material).map(({ part, file: { path } }) => `${part} ${path}`)

describe('what goes into which file', () => {
  test('two files', () => assert.deepEqual(parts(slot('a', [null])), ['full-chain a', 'key a.key']))
  test('one file for both', () => assert.deepEqual(parts(slot('a', [null], { key: 'a' })), ['full-chain-and-key a']))
  test('one file for both, the key first', () => assert.deepEqual(parts(slot('a', [null], { key: 'a', keyFirst: true })), ['key-and-full-chain a']))
  test('one file for both keeps the order it has', () => {
    const key = '-----BEGIN RSA PRIVATE KEY-----\na2V5\n-----END RSA PRIVATE KEY-----\n'
    const orders = [issuer + issuer + key, issuer + key + issuer, key + issuer, issuer + key].map((content) => parts(slot('a', [null], { key: 'a', content }))[0])
    assert.deepEqual(orders, ['full-chain-and-key a', 'certificate-key-and-chain a', 'key-and-full-chain a', 'full-chain-and-key a'])
  })
  test('a chain file of its own', () => assert.deepEqual(parts(slot('a', ['c'])), ['certificate a', 'chain c', 'key a.key']))
  test('one file for both beside a chain file', () => assert.deepEqual(parts(slot('a', ['c'], { key: 'a' })), ['full-chain-and-key a', 'chain c']))
  test('a chain file that another certificate needs stays when it fits', () => assert.deepEqual(parts(slot('a', ['c']), slot('b', ['c'])), ['certificate a', 'key a.key']))
  test('and is refused when it does not', () => {
    const others = { ...material, chainPem: ['leaf', block('b3RoZXI=')] }
    const [one, two] = [slot('a', ['c']), slot('b', ['c'])]
    assert.throws(() => partsOf(one, [one, two], others), { code: 'PLAN_FAILED', message: /c holds the intermediate certificates of other certificates/ })
  })
  test('used without chain file as well', () => assert.deepEqual(parts(slot('a', ['c', null])), ['full-chain a', 'chain c', 'key a.key']))
  test('two chain files', () => assert.deepEqual(parts(slot('a', ['c', 'd'])), ['certificate a', 'chain c', 'chain d', 'key a.key']))
  test('the certificate file named as chain file, also through a link', () => {
    assert.deepEqual(parts(slot('a', ['a'])), ['full-chain a', 'key a.key'])
    assert.deepEqual(parts(slot('a', ['link'], { real: () => 'a' })), ['full-chain a', 'key a.key'])
  })
  test('no intermediates for a chain file', () => {
    assert.throws(() => partsOf(slot('a', ['c']), [], { ...material, chainPem: ['leaf'] }), { code: 'PLAN_FAILED', message: /without intermediate/ })
  })
})
