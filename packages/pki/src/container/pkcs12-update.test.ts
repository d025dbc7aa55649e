import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { leftOut } from '@certloop/test-kit'
import { element, explicit, objectIdentifier, octetString, sequence, setOf, smallInteger, utf8String } from '../der/der-writer.ts'
import { oid } from '../oids.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { toPem } from '../pem.ts'
import type { KeyEntry, Keystore } from './keystore.ts'
import { readPkcs12 } from './pkcs12.ts'
import { summary, testStores } from './pkcs12-peers-testing.ts'
import { testLeaf } from './pkcs12-testing.ts'
import { updatePkcs12, writePkcs12 } from './pkcs12-writer.ts'

const stores = await testStores(['ec-256'])
const renewed = await testLeaf('ec-256', stores.intermediate, 'renewed leaf')
const cheap = { iterations: 100, macIterations: 100 }
const unchanged = (keystore: Keystore): Keystore => keystore
const newKey: KeyEntry = { kind: 'key', alias: 'site', privateKey: renewed.privateKey, certificates: [renewed.certificate, stores.intermediate.certificate, stores.root.certificate], createdAt: null }
const replaceSite = ({ entries }: Keystore): Keystore => ({ entries: entries.map((entry) => (entry.kind === 'key' && entry.alias === 'site' ? newKey : entry)) })

const bag = (id: string, value: Buffer, ...attributes: Buffer[]): Buffer => sequence(objectIdentifier(id), explicit(0, value), ...(attributes.length > 0 ? [setOf(...attributes)] : []))
const unknownAttribute = sequence(objectIdentifier('1.2.3.4.5'), setOf(utf8String('kept')))
const dataPart = (...bags: Buffer[]): Buffer => sequence(objectIdentifier(oid.pkcs7Data), explicit(0, octetString(sequence(...bags))))
const pfx = (...parts: Buffer[]): Buffer => sequence(smallInteger(3), sequence(objectIdentifier(oid.pkcs7Data), explicit(0, octetString(sequence(...parts)))))
const opaqueBags = [
  bag(oid.crlBag, sequence(objectIdentifier('1.2.840.113549.1.9.23.1'), explicit(0, octetString(sequence()))), unknownAttribute),
  bag(oid.secretBag, sequence(objectIdentifier('1.2.3.9'), explicit(0, octetString(Buffer.from('secret'))))),
  bag(oid.certBag, sequence(objectIdentifier('1.2.840.113549.1.9.22.2'), explicit(0, element(0x16, Buffer.from('sdsi'))))),
  bag('1.2.840.113549.1.12.10.1.99', octetString(Buffer.from('from the future'))),
]
const envelopedPart = sequence(objectIdentifier('1.2.840.113549.1.7.3'), explicit(0, sequence(smallInteger(0))))

test('a renewal under the same alias leaves the other entries as they were', async () => {
  const before = await writePkcs12(stores.storeOf('ec-256', 'several with chain'), 'secret', cheap)
  const after = await updatePkcs12(before, 'secret', replaceSite)
  const read = await readPkcs12(after, 'secret')
  assert.deepEqual(summary(read), summary(replaceSite({ entries: (await readPkcs12(before, 'secret')).entries })))
  assert.deepEqual(read.protection, { password: 'given', mac: 'fits', style: 'modern', iterations: 100_000 })
  const twice = await readPkcs12(await updatePkcs12(after, 'secret', unchanged), 'secret')
  assert.deepEqual(summary(twice), summary(read))
})

test('attributes that others wrote stay, also Microsoft\'s under a renewed key; so does the old style', async (t) => {
  const folder = temporaryFolder(t)
  const leaf = stores.leaves.get('ec-256')
  assert.ok(leaf)
  writeFileSync(join(folder, 'pem'), toPem('PRIVATE KEY', leaf.privateKey) + toPem('CERTIFICATE', leaf.certificate))
  writeFileSync(join(folder, 'chain'), toPem('CERTIFICATE', stores.intermediate.certificate))
  openssl(['pkcs12', '-export', '-legacy', '-in', join(folder, 'pem'), '-name', 'site', '-certfile', join(folder, 'chain'), '-caname', 'the issuer', '-CSP', 'Microsoft Software Key Storage Provider', '-LMK', '-passout', 'pass:secret', '-out', join(folder, 'p12')])
  for (const change of [unchanged, replaceSite]) {
    const after = await updatePkcs12(readFileSync(join(folder, 'p12')), 'secret', change)
    assert.equal((await readPkcs12(after, 'secret')).protection.style, 'old')
    writeFileSync(join(folder, 'out'), after)
    const shown = openssl(['pkcs12', '-in', join(folder, 'out'), '-passin', 'pass:secret', '-nodes'])
    for (const expected of [/Microsoft CSP Name: Microsoft Software Key Storage Provider/, /Microsoft Local Key set/, /friendlyName: the issuer/, /friendlyName: site/]) assert.match(shown, expected)
    const ids = [...shown.matchAll(/localKeyID: (.*)/g)].map(([, id]) => id)
    assert.deepEqual([ids.length, new Set(ids).size], [2, 1], 'key and certificate are tied')
  }
})

test('what is not understood becomes an opaque entry and survives an update byte for byte', async () => {
  const leaf = stores.leaves.get('ec-256')
  assert.ok(leaf)
  const file = pfx(dataPart(bag(oid.keyBag, leaf.privateKey, unknownAttribute), ...opaqueBags), envelopedPart)
  const read = await readPkcs12(file, null)
  assert.deepEqual(read.entries.map((entry) => (entry.kind === 'opaque' ? entry.title : entry.kind)), ['key', 'part of an unknown kind', 'CRL', 'secret key', 'certificate that is not X.509', 'entry of the unknown kind 1.2.840.113549.1.12.10.1.99'])
  const after = await updatePkcs12(file, null, unchanged)
  for (const raw of [...opaqueBags, envelopedPart, unknownAttribute]) assert.ok(after.includes(raw))
  const opaque = (keystore: Keystore): string[] => keystore.entries.flatMap((entry) => (entry.kind === 'opaque' ? [entry.raw.toString('hex')] : [])).toSorted()
  assert.deepEqual(opaque(await readPkcs12(after, null)), [...opaqueBags, envelopedPart].map((raw) => raw.toString('hex')).toSorted())
  const sealed = await writePkcs12(read, 'secret', cheap)
  assert.deepEqual(opaque(await readPkcs12(sealed, 'secret')), opaque(read))
  const renamed = await updatePkcs12(sealed, 'secret', ({ entries }) => ({ entries: entries.map((entry) => (entry.kind === 'opaque' && entry.title === 'CRL' ? { ...entry, alias: 'the list' } : entry)) }))
  assert.ok((await readPkcs12(renamed, 'secret')).entries.some((entry) => entry.kind === 'opaque' && entry.title === 'CRL' && entry.alias === 'the list' && entry.raw.includes(unknownAttribute)))
})

test('keys with a password of their own are locked, and carried along', async (t) => {
  const at = (name: string): string => join(folder, name)
  const folder = temporaryFolder(t)
  writeFileSync(at('key'), toPem('PRIVATE KEY', renewed.privateKey))
  openssl(['pkcs8', '-topk8', '-in', at('key'), '-passout', 'pass:own', '-outform', 'DER', '-out', at('sealed')])
  const locked = { kind: 'locked-key', alias: 'closed', certificates: [renewed.certificate], createdAt: null, reason: 'password-wrong', format: 'pkcs12', raw: readFileSync(at('sealed')) } as const
  const file = await writePkcs12({ entries: [...stores.storeOf('ec-256', 'one').entries, { ...locked, certificates: [renewed.certificate] }] }, 'secret', cheap)
  const read = await readPkcs12(file, 'secret')
  assert.deepEqual([read.entries.map(({ kind, alias }) => [kind, alias]), read.entries[1]], [[['key', 'site'], ['locked-key', 'closed']], locked])
  assert.deepEqual((await readPkcs12(await updatePkcs12(file, 'secret', unchanged), 'secret')).entries, read.entries)
  assert.deepEqual((await readPkcs12(file, { mac: 'secret', contents: 'secret' })).entries, read.entries)
  // Where nothing opens and nothing else was proven, the password is wrong.
  await assert.rejects(readPkcs12(pfx(dataPart(bag(oid.shroudedKeyBag, locked.raw))), 'secret'), { code: 'PASSWORD_WRONG' })
  assert.equal((await readPkcs12(pfx(dataPart(bag(oid.shroudedKeyBag, locked.raw))), 'own')).entries[0]?.kind, 'key')
})

test('Java sees the renewed entry, and the others with their dates', { skip: leftOut('keytool'), timeout: 120_000 }, async (t) => {
  const file = join(temporaryFolder(t), 'p12')
  const keytool = (...args: string[]): string => execFileSync('keytool', ['-J-Duser.language=en', ...args, '-keystore', file, '-storepass', 'secret7', '-storetype', 'PKCS12'], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
  keytool('-genkeypair', '-alias', 'kept', '-keyalg', 'EC', '-groupname', 'secp256r1', '-dname', 'CN=kept')
  keytool('-genseckey', '-alias', 'hidden', '-keyalg', 'AES', '-keysize', '256')
  keytool('-genkeypair', '-alias', 'site', '-keyalg', 'RSA', '-keysize', '2048', '-dname', 'CN=old')
  const before = await readPkcs12(readFileSync(file), 'secret7')
  writeFileSync(file, await updatePkcs12(readFileSync(file), 'secret7', replaceSite))
  const after = await readPkcs12(readFileSync(file), 'secret7')
  const dateOf = ({ entries }: Keystore): number | undefined => entries.find(({ alias }) => alias === 'kept')?.createdAt?.getTime()
  assert.ok(dateOf(before) !== undefined && dateOf(before) === dateOf(after))
  const shown = keytool('-list', '-v')
  assert.match(shown, /contains 3 entries/)
  assert.match(shown, /Alias name: site[^]*Owner: CN=renewed leaf/)
  assert.match(shown, /Alias name: hidden[^]*Entry type: SecretKeyEntry/)
  keytool('-importkeystore', '-srckeystore', file, '-srcstorepass', 'secret7', '-destkeystore', `${file}2`, '-deststorepass', 'secret7', '-noprompt')
})

test('a file keeps its kind of protection; what can not be written is refused', async () => {
  const store = stores.storeOf('ec-256', 'one')
  const bare = await updatePkcs12(await writePkcs12(store, null), null, unchanged)
  assert.equal((await readPkcs12(bare, null)).protection.style, 'none')
  const strong = await updatePkcs12(await writePkcs12(store, '', { iterations: 120_000, macIterations: 100 }), '', unchanged)
  assert.deepEqual((await readPkcs12(strong, '')).protection, { password: 'empty', mac: 'fits', style: 'modern', iterations: 120_000 })
  const pair = { mac: 'one', contents: 'two' }
  await assert.rejects(updatePkcs12(strong, 'wrong', unchanged), { code: 'PASSWORD_WRONG' })
  await assert.rejects(updatePkcs12(strong, pair, unchanged), { code: 'PASSWORD_WRONG' })
  await assert.rejects(writePkcs12(store, 'x', { iterations: 0 }), { code: 'INPUT_INVALID' })
  await assert.rejects(writePkcs12(store, 'x', { macIterations: 1.5 }), { code: 'INPUT_INVALID' })
  await assert.rejects(writePkcs12({ entries: [{ kind: 'opaque', alias: 'x', title: 'secret key', createdAt: null, format: 'jceks', raw: Buffer.of(1) }] }, 'x', cheap), { code: 'INPUT_INVALID' })
})
