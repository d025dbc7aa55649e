import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { explicit, element, objectIdentifier, octetString, sequence, setOf, smallInteger, utf8String } from '../der/der-writer.ts'
import { fuzzParser } from '../fuzz-testing.ts'
import { encryptPbes2 } from '../key/pbes.ts'
import { oid } from '../oids.ts'
import { defaultReadLimits } from './keystore.ts'
import { bmpPassword } from './pkcs12-kdf.ts'
import { makeMac } from './pkcs12-mac.ts'
import { summary, testStores } from './pkcs12-peers-testing.ts'
import { count, encryptTripleDes } from './pkcs12-protection.ts'
import { testLeaf } from './pkcs12-testing.ts'
import { readPkcs12 } from './pkcs12.ts'
import { writePkcs12 } from './pkcs12-writer.ts'

const stores = await testStores(['ec-256'])
const { root, intermediate, other } = stores
const leaf = stores.leaves.get('ec-256') ?? other
const oneWithChain = summary(stores.storeOf('ec-256', 'one with chain'), false)

const bag = (id: string, value: Buffer, ...attributes: Buffer[]): Buffer => sequence(objectIdentifier(id), explicit(0, value), ...(attributes.length > 0 ? [setOf(...attributes)] : []))
const keyId = (...bytes: number[]): Buffer => sequence(objectIdentifier(oid.localKeyId), setOf(octetString(Buffer.from(bytes))))
const certBag = (certificate: Buffer, ...attributes: Buffer[]): Buffer => bag(oid.certBag, sequence(objectIdentifier(oid.x509Certificate), explicit(0, octetString(certificate))), ...attributes)
const keyBag = (privateKey: Buffer, ...attributes: Buffer[]): Buffer => bag(oid.keyBag, privateKey, ...attributes)
const dataPart = (...bags: Buffer[]): Buffer => sequence(objectIdentifier(oid.pkcs7Data), explicit(0, octetString(sequence(...bags))))
const sealedPart = ({ algorithm, encrypted }: { algorithm: Buffer; encrypted: Buffer }): Buffer =>
  sequence(objectIdentifier(oid.encryptedData), explicit(0, sequence(smallInteger(0), sequence(objectIdentifier(oid.pkcs7Data), algorithm, element(0x80, encrypted)))))
const pfx = (parts: Buffer, mac?: Buffer): Buffer => sequence(smallInteger(3), sequence(objectIdentifier(oid.pkcs7Data), explicit(0, octetString(parts))), ...(mac ? [mac] : []))
const chainBags = [certBag(root.certificate), certBag(leaf.certificate, keyId(1)), certBag(intermediate.certificate)]
const oldAlgorithm = (iterations: number, salt: Buffer = Buffer.alloc(8)): Buffer => sequence(objectIdentifier('1.2.840.113549.1.12.1.3'), sequence(octetString(salt), count(iterations)))

test('an empty password is found in every form that tools have encrypted and checked with', async () => {
  const forms = { mark: bmpPassword(''), nothing: Buffer.alloc(0) }
  for (const [macName, mac] of Object.entries(forms)) {
    for (const [name, form] of Object.entries(forms)) {
      const plain = sequence(...chainBags)
      for (const sealed of [await encryptTripleDes(plain, form, 10), await encryptPbes2(plain, form, { iterations: 10 })]) {
        const parts = sequence(dataPart(keyBag(leaf.privateKey, keyId(1))), sealedPart(sealed))
        const read = await readPkcs12(pfx(parts, await makeMac(parts, mac, 'sha1', 10)), '')
        assert.deepEqual(summary(read, false), oneWithChain)
        assert.equal(read.protection.password, macName === 'nothing' ? 'none' : 'empty', name)
      }
    }
  }
})

test('a password that is no ASCII is found in every form that tools have used; no password and two passwords too', async () => {
  const password = 'pässwörd€'
  const widened = bmpPassword(Buffer.from(password, 'utf8').toString('latin1'))
  const plain = sequence(...chainBags)
  const seals = [
    await encryptTripleDes(plain, bmpPassword(password), 10), await encryptTripleDes(plain, widened, 10),
    await encryptPbes2(plain, password, { iterations: 10 }), await encryptPbes2(plain, bmpPassword(password), { iterations: 10 }),
  ]
  for (const mac of [bmpPassword(password), widened]) {
    for (const sealed of seals) {
      const parts = sequence(dataPart(keyBag(leaf.privateKey, keyId(1))), sealedPart(sealed))
      assert.deepEqual(summary(await readPkcs12(pfx(parts, await makeMac(parts, mac, 'sha256', 10)), password), false), oneWithChain)
    }
  }
  const parts = sequence(dataPart(keyBag(leaf.privateKey, keyId(1))), sealedPart(await encryptPbes2(plain, 'two', { iterations: 10 })))
  const twoPasswords = pfx(parts, await makeMac(parts, bmpPassword('one'), 'sha256', 10))
  assert.deepEqual(summary(await readPkcs12(twoPasswords, { mac: 'one', contents: 'two' }), false), oneWithChain)
  await assert.rejects(readPkcs12(twoPasswords, 'one'), { code: 'PASSWORD_WRONG', message: /has a password of its own/ })
  await assert.rejects(readPkcs12(twoPasswords, 'two'), { code: 'PASSWORD_WRONG', message: /integrity check/ })
  const without = sequence(dataPart(keyBag(leaf.privateKey, keyId(1)), ...chainBags))
  const checked = await readPkcs12(pfx(without, await makeMac(without, Buffer.alloc(0), 'sha1', 10)), null)
  assert.deepEqual([checked.protection.password, checked.protection.mac, summary(checked, false)], ['none', 'fits', oneWithChain])
})

test('PBMAC1: the files of RFC 9579, good and bad', async () => {
  const file = (name: string): Buffer => readFileSync(new URL(`testdata/rfc9579-${name}.p12`, import.meta.url))
  for (const name of ['a1', 'a2', 'a3']) {
    const { entries, protection } = await readPkcs12(file(name), '1234')
    assert.deepEqual([entries.map(({ kind }) => kind), protection.mac], [['key'], 'fits'], name)
    await assert.rejects(readPkcs12(file(name), '12345'), { code: 'PASSWORD_WRONG' }, name)
  }
  for (const [name, code] of [['a4', 'PASSWORD_WRONG'], ['a5', 'PASSWORD_WRONG'], ['a6', 'KEYSTORE_INVALID']] as const) await assert.rejects(readPkcs12(file(name), '1234'), { code }, name)
})

test('a key finds its certificate by localKeyId, by its public key, and where all carry the same localKeyId', async () => {
  const read = (...bags: Buffer[]): Promise<string[]> => readPkcs12(pfx(sequence(dataPart(...bags))), null).then((store) => summary(store, false))
  assert.deepEqual(await read(keyBag(leaf.privateKey, keyId(1)), ...chainBags), oneWithChain)
  assert.deepEqual(await read(keyBag(leaf.privateKey), certBag(intermediate.certificate), certBag(leaf.certificate), certBag(root.certificate)), oneWithChain)
  assert.deepEqual(await read(keyBag(leaf.privateKey, keyId(9)), ...chainBags), oneWithChain)
  assert.deepEqual(await read(...[root, intermediate, leaf].map(({ certificate }) => certBag(certificate, keyId(1))), keyBag(leaf.privateKey, keyId(1))), oneWithChain)
  assert.deepEqual(await read(keyBag(leaf.privateKey)), summary({ entries: [{ kind: 'key', alias: null, privateKey: leaf.privateKey, certificates: [], createdAt: null }] }, false))
  const mixedUp = await read(keyBag(leaf.privateKey, keyId(1)), certBag(other.certificate, keyId(1)), certBag(leaf.certificate, keyId(2)), certBag(intermediate.certificate), certBag(root.certificate))
  assert.deepEqual(mixedUp.filter((line) => line.startsWith('key:')), oneWithChain, 'an open key says itself which certificate is its own')
  const withoutOwn = await readPkcs12(pfx(sequence(dataPart(keyBag(leaf.privateKey, keyId(1)), certBag(other.certificate, keyId(1))))), null)
  assert.deepEqual(withoutOwn.entries.map((entry) => [entry.kind, entry.kind === 'key' ? entry.certificates.length : 0]), [['key', 0], ['certificate', 0]])
  const sameNames = await testLeaf('ec-256', { ...root, name: intermediate.name }, 'signed by another of that name')
  assert.equal((await readPkcs12(pfx(sequence(dataPart(keyBag(sameNames.privateKey), certBag(sameNames.certificate), certBag(intermediate.certificate)))), null)).entries.length, 2, 'names alone make no chain')
  const damaged = await readPkcs12(pfx(sequence(dataPart(certBag(Buffer.from('no certificate')), certBag(Buffer.alloc(0))))), null)
  assert.deepEqual(damaged.entries.map(({ kind }) => kind), ['certificate', 'certificate'])
})

test('bags within bags are found, to a bound', async () => {
  const nested = (depth: number): Buffer => {
    let inner = sequence(keyBag(leaf.privateKey, keyId(1)), ...chainBags)
    for (let i = 0; i < depth; i++) inner = sequence(bag(oid.safeContentsBag, inner))
    return pfx(sequence(sequence(objectIdentifier(oid.pkcs7Data), explicit(0, octetString(inner)))))
  }
  assert.deepEqual(summary(await readPkcs12(nested(8), null), false), oneWithChain)
  await assert.rejects(readPkcs12(nested(9), null), { code: 'LIMIT_EXCEEDED', message: /more than 8 times/ })
  await assert.rejects(readPkcs12(nested(150), null), { code: 'LIMIT_EXCEEDED' })
})

test('iterations are refused before the work, all parts counted together, at a limit that can be set', async () => {
  const sealed = { algorithm: oldAlgorithm(10_000_000), encrypted: Buffer.alloc(16) }
  const mac = (iterations: number): Buffer => sequence(sequence(sequence(objectIdentifier('1.3.14.3.2.26')), octetString(Buffer.alloc(20))), octetString(Buffer.alloc(8)), count(iterations))
  const shrouded = (iterations: number): Buffer => bag(oid.shroudedKeyBag, sequence(oldAlgorithm(iterations), octetString(Buffer.alloc(16))))
  const refused = async (file: Buffer, given: number, allowed = 6_000_000): Promise<void> => {
    const begin = performance.now()
    await assert.rejects(readPkcs12(file, 'x', { ...defaultReadLimits, maxIterations: allowed }), { code: 'LIMIT_EXCEEDED', facts: { given, allowed }, message: `Opening the file takes ${given} password iterations or more, all tries of passwords counted; at most ${allowed} are allowed.` })
    assert.ok(performance.now() - begin < 1_000)
  }
  await refused(pfx(sequence(), mac(10_000_000)), 10_000_000)
  await refused(pfx(sequence(sealedPart(sealed))), 30_000_000)
  await refused(pfx(sequence(dataPart(shrouded(1_000_000), shrouded(1_000_000))), mac(1_500_000)), 7_500_000)
  await refused(pfx(sequence(dataPart(...Array.from({ length: 12 }, () => shrouded(10)))), mac(1)), 121, 100)
  const pbes = await encryptPbes2(sequence(), 'x', { iterations: 60_000 })
  await refused(pfx(sequence(sealedPart(pbes)), mac(50_000)), 110_000, 100_000)
  const hidden = await encryptPbes2(sequence(shrouded(2_000_000_000)), 'x', { iterations: 1 })
  await refused(pfx(sequence(sealedPart(hidden))), 6_000_000_001)
  const store = await writePkcs12(stores.storeOf('ec-256', 'one'), 'x', { iterations: 100, macIterations: 100 })
  await refused(store, 300, 299)
  assert.equal((await readPkcs12(store, 'x', { ...defaultReadLimits, maxIterations: 300 })).entries.length, 1)
})

test('every derivation counts: what 3DES takes, each form of a password, long keys of PBKDF2', async () => {
  const within = (file: Buffer, password: string, maxIterations: number): Promise<unknown> => readPkcs12(file, password, { ...defaultReadLimits, maxIterations })
  const beyond = (file: Buffer, password: string, maxIterations: number): Promise<void> => assert.rejects(within(file, password, maxIterations), { code: 'LIMIT_EXCEEDED' })
  const old = await writePkcs12(stores.storeOf('ec-256', 'one'), 'x', { style: 'old', iterations: 100, macIterations: 100 })
  await within(old, 'x', 700)
  await beyond(old, 'x', 699)
  const plain = sequence(keyBag(leaf.privateKey))
  const widened = pfx(sequence(sealedPart(await encryptTripleDes(plain, bmpPassword(Buffer.from('ä').toString('latin1')), 100))))
  await within(widened, 'ä', 600)
  await beyond(widened, 'ä', 599)
  const twoPieces = pfx(sequence(sealedPart(await encryptPbes2(plain, 'x', { iterations: 100, prf: 'sha1' }))))
  await within(twoPieces, 'x', 200)
  await beyond(twoPieces, 'x', 199)
})

test('huge salts, many bags, long and truncated files', { timeout: 120_000 }, async () => {
  const seal = { algorithm: oldAlgorithm(1, Buffer.alloc(5_000)), encrypted: Buffer.alloc(16) }
  await assert.rejects(readPkcs12(pfx(sequence(sealedPart(seal))), 'x'), { code: 'LIMIT_EXCEEDED', facts: { given: 5_000, allowed: 4_096 } })
  const many = Array.from({ length: 3_000 }, (_, i) => certBag(root.certificate, keyId(i & 0xff, i >> 8)))
  const begin = performance.now()
  assert.equal((await readPkcs12(pfx(sequence(dataPart(...many))), null)).entries.length, 3_000)
  await assert.rejects(readPkcs12(pfx(sequence(dataPart(...many))), null, { ...defaultReadLimits, maxEntries: 2_999 }), { code: 'LIMIT_EXCEEDED', message: /more than 2999 entries/ })
  assert.ok(performance.now() - begin < 30_000)
  await assert.rejects(readPkcs12(Buffer.alloc(20_000_001, 0x30), null), { code: 'LIMIT_EXCEEDED', facts: { given: 20_000_001, allowed: 20_000_000 } })
  await assert.rejects(readPkcs12(Buffer.alloc(10_000_000, Buffer.of(0x30, 0x80)), null), { code: 'LIMIT_EXCEEDED' })
  const large = await writePkcs12({ entries: [{ kind: 'certificate', alias: 'large', certificate: sequence(octetString(Buffer.alloc(19_000_000))), createdAt: null }] }, 'x', { style: 'old', iterations: 1, macIterations: 1 })
  assert.equal((await readPkcs12(large, 'x')).entries.length, 1)
  const file = await writePkcs12(stores.storeOf('ec-256', 'several'), 'x', { iterations: 1, macIterations: 1 })
  for (let length = 0; length < file.length; length += 7) await assert.rejects(readPkcs12(file.subarray(0, length), 'x'), { code: 'KEYSTORE_INVALID' }, `${length} bytes`)
})

test('what is no PKCS#12 is refused in plain words', async () => {
  const refused = (file: Buffer, message: RegExp): Promise<void> => assert.rejects(readPkcs12(file, 'x'), { code: 'KEYSTORE_INVALID', message })
  await refused(root.certificate, /can not be read/)
  await refused(Buffer.from('hello'), /can not be read/)
  await refused(sequence(smallInteger(3), sequence(objectIdentifier(oid.signedData), explicit(0, sequence()))), /signed with a key instead of protected with a password/)
  await refused(pfx(sequence(), sequence(sequence(sequence(objectIdentifier('1.2.3')), octetString(Buffer.alloc(20))), octetString(Buffer.alloc(8)))), /integrity check is of the kind 1\.2\.3/)
  await refused(pfx(utf8String('x')), /missing/)
  assert.deepEqual((await readPkcs12(pfx(sequence()), null)).entries, [])
})

test('many keys that share names and issuers take no quadratic time', { timeout: 60_000 }, async () => {
  const bags = Array.from({ length: 4_000 }, () => [certBag(other.certificate), certBag(intermediate.certificate)]).flat()
  const begin = performance.now()
  const { entries } = await readPkcs12(pfx(sequence(dataPart(...bags, keyBag(other.privateKey), ...Array.from({ length: 500 }, () => keyBag(other.privateKey))))), null)
  assert.equal(entries.length, 501)
  const samePair = [certBag(other.certificate, keyId(1)), keyBag(other.privateKey, keyId(1))]
  let turns = 0
  const counting = setInterval(() => { turns++ })
  assert.equal((await readPkcs12(pfx(sequence(dataPart(...Array.from({ length: 3_000 }, () => samePair).flat()))), null)).entries.length, 3_000)
  clearInterval(counting)
  assert.ok(turns >= 10, `${turns} turns`)
  assert.ok(performance.now() - begin < 20_000)
})

test('noise and mutated files', { timeout: 120_000 }, async () => {
  const store = stores.storeOf('ec-256', 'several with chain')
  const cheap = { iterations: 5, macIterations: 5 }
  const parts = sequence(dataPart(keyBag(leaf.privateKey, keyId(1)), ...chainBags), sealedPart(await encryptTripleDes(sequence(...chainBags), bmpPassword('x'), 3)))
  const corpus = [
    await writePkcs12(store, 'x', cheap), await writePkcs12(store, 'x', { ...cheap, style: 'old' }), await writePkcs12(store, null), pfx(parts), pfx(parts, await makeMac(parts, bmpPassword('x'), 'sha1', 3)),
    readFileSync(new URL('testdata/rfc9579-a1.p12', import.meta.url)), Buffer.concat([Buffer.from('3080020103', 'hex'), pfx(parts).subarray(7), Buffer.alloc(2)]),
  ]
  const limits = { ...defaultReadLimits, maxIterations: 10_000 }
  const codes = ['KEYSTORE_INVALID', 'PASSWORD_WRONG', 'PASSWORD_NEEDED', 'LIMIT_EXCEEDED'] as const
  for (const password of ['x', '', null]) await fuzzParser({ corpus, parse: (input) => readPkcs12(input, password, limits), codes })
})
