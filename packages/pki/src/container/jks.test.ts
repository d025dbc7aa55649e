import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { fuzzParser } from '../fuzz-testing.ts'
import { readJks } from './jks.ts'
import { writeDate, writeInt, writeSized, writeText } from './jks-bytes.ts'
import { storeDigest } from './jks-protection.ts'
import { writeJceks, writeJks } from './jks-writer.ts'
import { findEntry, putEntry, removeEntry } from './keystore-entries.ts'
import { defaultReadLimits, type CertificateEntry, type KeyEntry, type Keystore } from './keystore.ts'

const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'testdata', name))
const jks = fixture('keytool.jks')
const jceks = fixture('keytool.jceks')
const own = { keyPasswords: new Map([['ec', 'own-key']]) }
const createdAt = new Date('2026-02-03T04:05:06.007Z')
const trusted = (alias: string | null): CertificateEntry => ({ kind: 'certificate', alias, certificate: Buffer.from('certificate'), createdAt })
const aKey = (alias: string): KeyEntry => ({ kind: 'key', alias, privateKey: Buffer.from([0x30, 3, 2, 1, 5]), certificates: [Buffer.from('certificate')], createdAt })
const signed = (body: Buffer, password = 'fixture'): Buffer => Buffer.concat([body, storeDigest(password, body)])
const store = (magic: number, version: number, count: number, ...parts: Buffer[]): Buffer => signed(Buffer.concat([writeInt(magic | 0), writeInt(version), writeInt(count), ...parts]))

test('stores of keytool are read, with and without passwords', async () => {
  const kinds = async (bytes: Buffer, ...args: [string | null, (Parameters<typeof readJks>[2])?]) => Object.fromEntries((await readJks(bytes, ...args)).entries.map((entry) => [entry.alias, entry.kind === 'locked-key' ? entry.reason : entry.kind]))
  assert.deepEqual(await kinds(jks, null), { ec: 'no-password', ed25519: 'no-password', größe: 'certificate' })
  assert.deepEqual(await kinds(jks, 'fixture'), { ec: 'password-wrong', ed25519: 'key', größe: 'certificate' })
  assert.deepEqual(await kinds(jks, 'fixture', own), { ec: 'key', ed25519: 'key', größe: 'certificate' })
  assert.deepEqual(await kinds(jks, 'fixture', { keyPasswords: ['x', 'own-key'] }), { ec: 'key', ed25519: 'key', größe: 'certificate' })
  assert.deepEqual(await kinds(jks, 'fixture', { keyPasswords: (alias) => (alias === 'ec' ? 'own-key' : undefined) }), { ec: 'key', ed25519: 'key', größe: 'certificate' })
  assert.deepEqual(await kinds(jks, null, own), { ec: 'key', ed25519: 'no-password', größe: 'certificate' })
  assert.deepEqual(await kinds(jceks, 'fixture', own), { aes: 'opaque', hmacsha256: 'opaque', ec: 'key', ed25519: 'key', größe: 'certificate' })
  for (const bytes of [jks, jceks]) {
    await assert.rejects(readJks(bytes, 'Fixture'), { code: 'PASSWORD_WRONG' })
    await assert.rejects(readJks(bytes, ''), { code: 'PASSWORD_WRONG' })
  }
})

test('an update keeps every other entry byte for byte, opened or not', async () => {
  for (const [bytes, write] of [[jks, writeJks], [jceks, writeJceks]] as const) {
    const keystore = await readJks(bytes, 'fixture')
    assert.ok((await write(keystore, 'fixture')).equals(bytes))
    assert.equal(bytes.readUInt32BE(4), 2)
    const body = bytes.subarray(12, -20)
    const changed = await write(putEntry(keystore, { ...trusted('ed25519'), certificate: Buffer.from('new') }), 'fixture')
    const index = keystore.entries.findIndex(({ alias }) => alias === 'ed25519')
    // What stands before and after the replaced entry is found again in the new file.
    const before = await write({ entries: keystore.entries.slice(0, index) }, 'fixture')
    const after = await write({ entries: keystore.entries.slice(index + 1) }, 'fixture')
    assert.ok(changed.subarray(12).indexOf(before.subarray(12, -20)) === 0)
    assert.ok(changed.subarray(0, -20).toString('latin1').endsWith(after.subarray(12, -20).toString('latin1')))
    assert.ok(body.toString('latin1').startsWith(before.subarray(12, -20).toString('latin1')))
    const without = await readJks(await write(removeEntry(keystore, 'ED25519'), 'fixture'), 'fixture')
    assert.deepEqual(without.entries, keystore.entries.filter(({ alias }) => alias !== 'ed25519'))
  }
})

test('a key is sealed again when it was replaced or gets another password, and only then', async () => {
  const keystore = await readJks(jks, 'fixture', own)
  const asBefore = await readJks(await writeJks(keystore, 'another'), 'another', own)
  assert.deepEqual(asBefore.entries.map(({ kind }) => kind).toSorted(), ['certificate', 'key', 'locked-key'], 'the key that had the old password of the store keeps it')
  const anew = await readJks(await writeJks(keystore, 'another', { keyPasswords: () => 'another' }), 'another')
  assert.deepEqual(anew.entries.map((entry) => (entry.kind === 'key' ? entry.privateKey : entry.kind)), keystore.entries.map((entry) => (entry.kind === 'key' ? entry.privateKey : entry.kind)))
  const old = findEntry(keystore, 'ec')
  assert.ok(old.kind === 'key')
  const replaced = await readJks(await writeJks(putEntry(keystore, { ...old, privateKey: aKey('x').privateKey }), 'fixture'), 'fixture')
  const found = findEntry(replaced, 'ec')
  assert.ok(found.kind === 'key' && found.privateKey.equals(aKey('x').privateKey), 'the seal of another key was taken over')
})

test('entries are found whatever their case, and what is missing is said with what is there', () => {
  const keystore: Keystore = { entries: [trusted('one'), trusted('Two'), trusted(null), trusted('three'), trusted('THREE')] }
  assert.equal(findEntry(keystore, 'TWO').alias, 'Two')
  assert.equal(findEntry(keystore, null).alias, null)
  assert.equal(findEntry(keystore, 'THREE').alias, 'THREE')
  assert.throws(() => findEntry(keystore, 'Three'), { code: 'INPUT_INVALID' })
  for (const act of [findEntry, removeEntry]) assert.throws(() => act(keystore, 'four'), { code: 'ENTRY_NOT_FOUND', message: /one, Two, \(no name\), three, THREE/ })
  assert.throws(() => findEntry({ entries: [] }, 'x'), { code: 'ENTRY_NOT_FOUND', message: /empty/ })
  assert.deepEqual(removeEntry(keystore, 'one').entries, keystore.entries.slice(1))
  assert.deepEqual(putEntry(keystore, trusted('new')).entries, [...keystore.entries, trusted('new')])
  assert.deepEqual(putEntry(keystore, trusted('two')).entries.map(({ alias }) => alias), ['one', 'two', null, 'three', 'THREE'])
  assert.equal(keystore.entries[1]?.alias, 'Two', 'the store given was changed')
})

test('what can not be written is refused in words', async () => {
  const refused = (entries: Keystore['entries'], message: RegExp, write = writeJks) => assert.rejects(write({ entries }, 'x'), { code: 'INPUT_INVALID', message })
  await refused([trusted('a'), trusted('A')], /called "a"/)
  await refused([trusted(null)], /needs an alias/)
  await refused([{ ...aKey('k'), certificates: [] }], /no certificate/)
  await refused([trusted('x'.repeat(70_000))], /too long/)
  const { entries } = await readJks(jceks, null)
  for (const entry of entries.filter(({ kind }) => kind === 'opaque' || kind === 'locked-key')) await refused([entry], /another format/)
  await refused([{ kind: 'opaque', alias: 'crl', title: 'CRL', createdAt, format: 'pkcs12', raw: Buffer.alloc(9) }], /CRL/, writeJceks)
  await assert.rejects(writeJceks({ entries: [aKey('k')] }, 'pässword'), { code: 'INPUT_INVALID', message: /ASCII/ })
  assert.deepEqual((await readJks(await writeJks({ entries: [trusted('a'), trusted('A')] }, 'x', { caseExact: true }), 'x')).entries.map(({ alias }) => alias), ['a', 'A'])
  const dated = await readJks(await writeJks({ entries: [{ ...trusted('a'), createdAt: null }] }, 'x', { now: createdAt }), 'x')
  assert.deepEqual(dated.entries[0]?.createdAt, createdAt)
})

test('property: names, dates, keys and passwords of any kind come back', { timeout: 60_000 }, async () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 })
  const entry = fc.record({ alias: text.map((alias) => alias.toLowerCase()), privateKey: fc.uint8Array({ maxLength: 200 }), certificates: fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 3 }), createdAt: fc.date({ noInvalidDate: true }) })
  await fc.assert(fc.asyncProperty(fc.uniqueArray(entry, { maxLength: 4, selector: ({ alias }) => alias }), text, text, async (entries, password, keyPassword) => {
    const written = await writeJks({ entries: entries.map((one) => ({ kind: 'key', ...one, privateKey: Buffer.from(one.privateKey), certificates: one.certificates.map((bytes) => Buffer.from(bytes)) })) }, password, { keyPasswords: () => keyPassword })
    const back = await readJks(written, password, { keyPasswords: () => keyPassword })
    assert.deepEqual(back.entries.map((one) => (one.kind === 'key' ? [one.alias, [...one.privateKey], one.certificates.map((bytes) => [...bytes]), one.createdAt] : one.kind)), entries.map((one) => [one.alias, [...one.privateKey], one.certificates.map((bytes) => [...bytes]), one.createdAt]))
  }), { numRuns: 300, seed: 20_261_121 })
})

test('version 1, other certificate types and odd dates are read and kept', async () => {
  const head = (tag: number, alias: string) => Buffer.concat([writeInt(tag), writeText(alias), writeDate(createdAt)])
  const first = await readJks(store(0xfeedfeed, 1, 2, head(2, 'old'), writeSized(Buffer.from('certificate')), head(1, 'key'), writeSized(Buffer.from('sealed')), writeInt(1), writeSized(Buffer.from('c'))), 'fixture')
  assert.deepEqual(first.entries[0], trusted('old'))
  assert.equal(first.entries[1]?.kind === 'locked-key' && first.entries[1].reason, 'unreadable')
  assert.deepEqual((await readJks(await writeJks(first, 'fixture'), 'fixture')).entries, first.entries)
  const odd = store(0xfeedfeed, 2, 2, head(2, 'pgp'), writeText('PGP'), writeSized(Buffer.from('x')), head(1, 'pgp-key'), writeSized(Buffer.from('sealed')), writeInt(1), writeText('PGP'), writeSized(Buffer.from('y')))
  const read = await readJks(odd, 'fixture')
  assert.deepEqual(read.entries.map(({ kind }) => kind), ['opaque', 'opaque'])
  assert.ok((await writeJks(read, 'fixture')).equals(odd))
  const undated = Buffer.concat([writeInt(2), writeText('a'), Buffer.alloc(8, 0x7f), writeText('X.509'), writeSized(Buffer.from('x'))])
  assert.equal((await readJks(store(0xfeedfeed, 2, 1, undated), 'fixture')).entries[0]?.createdAt, null)
})

test('counts and lengths that can not be are refused before they cost anything', async () => {
  const head = (tag: number) => Buffer.concat([writeInt(tag), writeText('a'), writeDate(createdAt)])
  const cases = {
    'no store': Buffer.from('PK\u0003\u0004 a zip'), 'empty': Buffer.alloc(0), 'version 3': store(0xfeedfeed, 3, 0), 'a billion entries': store(0xfeedfeed, 2, 0x3fffffff), 'negative count': store(0xfeedfeed, 2, -1),
    'unknown kind': store(0xfeedfeed, 2, 1, head(4), Buffer.alloc(20)), 'secret key in JKS': store(0xfeedfeed, 2, 1, head(3), Buffer.alloc(20)), 'a billion certificates': store(0xfeedfeed, 2, 1, head(1), writeSized(Buffer.alloc(5)), writeInt(0x7fffffff)),
    'negative length': store(0xfeedfeed, 2, 1, head(2), writeText('X.509'), writeInt(-5), Buffer.alloc(20)), 'name is no text': store(0xfeedfeed, 2, 1, writeInt(2), Buffer.from([0, 2, 0xff, 0xff]), Buffer.alloc(40)), 'no digest': store(0xfeedfeed, 2, 0).subarray(0, 20),
  }
  for (const [name, bytes] of Object.entries(cases)) await assert.rejects(readJks(bytes, 'fixture'), { code: 'KEYSTORE_INVALID' }, name)
  const many: Keystore = { entries: Array.from({ length: 11 }, (_, i) => trusted(`entry ${i}`)) }
  await assert.rejects(readJks(await writeJks(many, 'x'), 'x', { limits: { ...defaultReadLimits, maxEntries: 10 } }), { code: 'LIMIT_EXCEEDED', message: /11 entries/ })
  await assert.rejects(readJks(jks, 'x', { limits: { ...defaultReadLimits, maxBytes: 100 } }), { code: 'LIMIT_EXCEEDED' })
  await assert.rejects(readJks(await writeJks({ entries: [{ ...aKey('a'), certificates: Array.from({ length: 101 }, () => Buffer.of(1)) }] }, 'x'), 'x', { limits: { ...defaultReadLimits, maxEntries: 10 } }), { code: 'LIMIT_EXCEEDED', message: /certificates/ })
})

test('iterations of all JCEKS keys are counted together, each try of a password by itself', async () => {
  const two = await writeJceks({ entries: [aKey('a'), aKey('b')] }, 'right', { iterations: 1000 })
  const within = (maxIterations: number, ...keyPasswords: string[]) => readJks(two, 'right', { keyPasswords, limits: { ...defaultReadLimits, maxIterations } })
  assert.ok((await within(4000)).entries.every(({ kind }) => kind === 'key'))
  await assert.rejects(within(3999), { code: 'LIMIT_EXCEEDED', message: /takes 4000 .* at most 3999 / })
  await assert.rejects(within(7999, 'wrong'), { code: 'LIMIT_EXCEEDED' })
  assert.ok((await within(8000, 'wrong')).entries.every(({ kind }) => kind === 'key'))
  const costly = await writeJceks({ entries: [aKey('a')] }, 'x', { iterations: 1000 })
  const place = costly.indexOf(Buffer.of(2, 2, 3, 0xe8))
  assert.ok(place > 0)

  costly.set([2, 2, 0x7f, 0xff], place)
  await assert.rejects(readJks(signed(costly.subarray(0, -20), 'x'), 'x', { limits: { ...defaultReadLimits, maxIterations: 0xfffd } }), { code: 'LIMIT_EXCEEDED' })
})

test('keys of JKS cost what their length and the tries of passwords cost, and others run meanwhile', { timeout: 60_000 }, async () => {
  const store = await writeJks({ entries: [{ ...aKey('a'), privateKey: Buffer.alloc(400_000, 0x30) }] }, 'right')
  const tries = (count: number) => readJks(store, 'right', { keyPasswords: Array.from({ length: count }, (_, i) => `wrong ${i}`), limits: { ...defaultReadLimits, maxIterations: 100_000 } })
  await assert.rejects(tries(5), { code: 'LIMIT_EXCEEDED' })
  let turns = 0
  const counting = setInterval(() => { turns++ })
  await tries(3)
  clearInterval(counting)
  assert.ok(turns >= 3, `${turns} turns`)
})

test('serialised nonsense in JCEKS is refused, and a real object is passed over whatever its classes', { timeout: 60_000 }, async () => {
  const head = Buffer.concat([writeInt(3), writeText('s'), writeDate(createdAt)])
  const read = (...object: Buffer[]) => readJks(store(0xcececece, 2, 1, head, ...object), 'fixture')
  const stream = writeInt(0xaced0005 | 0)
  const described = (name: string, flags: number, fields: Buffer[], parent = Buffer.of(0x70)) => Buffer.concat([Buffer.of(0x72), writeText(name), Buffer.alloc(8), Buffer.of(flags, 0, fields.length), ...fields, Buffer.of(0x78), parent])
  const nested = (depth: number): Buffer => (depth === 0 ? Buffer.of(0x70) : Buffer.concat([Buffer.of(0x73), described('N', 2, [Buffer.concat([Buffer.from('L'), writeText('f'), Buffer.of(0x74), writeText('LN;')])]), nested(depth - 1)]))
  const wide = Buffer.concat([Buffer.of(0x73), described('a.B', 3, [Buffer.concat([Buffer.from('J'), writeText('long')])]), Buffer.alloc(8), Buffer.of(0x77, 2, 1, 2, 0x78)])
  const strings = Buffer.concat([Buffer.of(0x75), described('[Ljava.lang.String;', 2, []), writeInt(3), Buffer.of(0x74), writeText('x'), Buffer.of(0x71, 0, 0x7e, 0, 2), Buffer.of(0x7c), Buffer.alloc(4), writeSized(Buffer.from('long'))])
  const listed = Buffer.concat([Buffer.of(0x7e), described('E', 0x12, []), Buffer.of(0x74), writeText('ONE')])
  for (const [name, object] of Object.entries({ nested: nested(8), wide, strings, listed, block: Buffer.of(0x77, 3, 1, 2, 3), longBlock: Buffer.concat([Buffer.of(0x7a), writeSized(Buffer.alloc(300))]) })) {
    const { entries } = await read(stream, object)
    assert.equal(entries[0]?.kind, 'opaque', name)
    assert.ok((await writeJceks({ entries }, 'fixture')).equals(store(0xcececece, 2, 1, head, stream, object)), name)
  }
  const refused = {
    header: [writeInt(0xaced0004 | 0), wide], deep: [stream, nested(2000)], mark: [stream, Buffer.of(0x60)], noClass: [stream, Buffer.of(0x73, 0x71, 0, 0x7e, 0, 9)], backwards: [stream, Buffer.of(0x73, 0x71, 0xff, 0xff, 0xff, 0xff)],
    hugeArray: [stream, Buffer.of(0x75), described('[B', 2, []), writeInt(0x7fffffff)], negativeArray: [stream, Buffer.of(0x75), described('[B', 2, []), writeInt(-1)], field: [stream, Buffer.of(0x73), described('a', 2, [Buffer.concat([Buffer.from('?'), writeText('f')])])],
    external: [stream, Buffer.of(0x73), described('a', 4, [])], ownParent: [stream, Buffer.of(0x73), described('a', 2, [], Buffer.of(0x71, 0, 0x7e, 0, 0))], endless: [stream, Buffer.of(0x72), writeText('a'), Buffer.alloc(9), Buffer.of(0, 0), Buffer.alloc(100_000, 0x70)],
    longText: [stream, Buffer.of(0x7c), writeInt(1), writeInt(0)], longParents: [stream, Buffer.of(0x73), Array.from({ length: 2000 }, () => 0).reduce((parent) => described('p', 2, [], parent), Buffer.of(0x70))],
  }
  for (const [name, object] of Object.entries(refused)) await assert.rejects(read(...object), { code: 'KEYSTORE_INVALID' }, name)
})

test('fuzz: damaged and hostile stores of Java are read or refused in words', { timeout: 60_000 }, async () => {
  const cheap = await writeJceks({ entries: [aKey('a'), trusted('b')] }, 'fixture', { iterations: 3 })
  const codes = ['KEYSTORE_INVALID', 'PASSWORD_WRONG', 'LIMIT_EXCEEDED'] as const
  const limits = { ...defaultReadLimits, maxIterations: 1000 }
  await fuzzParser({ corpus: [jks, jceks, cheap], parse: (bytes) => readJks(bytes, null, { limits }), codes })
  // With the digest made to fit again, so that keys are reached as well.
  await fuzzParser({ corpus: [jks, cheap], parse: (bytes) => readJks(signed(bytes.subarray(0, -20)), 'fixture', { keyPasswords: ['own-key'], limits }), codes })
})

test('a store of 20,000 entries takes time in proportion to its size', { timeout: 60_000 }, async () => {
  const big = async (count: number) => writeJks({ entries: Array.from({ length: count }, (_, i) => ({ ...trusted(`entry ${i}`), certificate: Buffer.alloc(800, i) })) }, 'x')
  const measured = async (bytes: Buffer) => {
    const begin = performance.now()
    await readJks(bytes, 'x')
    return performance.now() - begin
  }
  const [small, large] = [await big(2_000), await big(20_000)]
  await measured(small)
  const [first, second] = [await measured(small), await measured(large)]
  assert.ok(second < 60 * first + 500, `${first} ms for 2,000 entries and ${second} ms for 20,000`)
})
