import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { leftOut, requireTool } from '@certloop/test-kit'
import { temporaryFolder } from '../openssl-testing.ts'
import { sequence, integer, objectIdentifier, octetString } from '../der/der-writer.ts'
import { oid } from '../oids.ts'
import { derOf, fewIterations, javaPeer, makeKeyMaterial, opensslKeyTypes, sameKey } from './container-testing.ts'
import { readJks } from './jks.ts'
import { IterationBudget } from './iteration-budget.ts'
import { keyProtection } from './jks-protection.ts'
import { writeJceks, writeJks } from './jks-writer.ts'
import { putEntry } from './keystore-entries.ts'
import type { KeyEntry, Keystore, KeystoreEntry } from './keystore.ts'

const skip = leftOut('keytool')
const date = new Date('2026-03-01T12:34:56.789Z')
const writers = { JKS: writeJks, JCEKS: writeJceks } as const

const storePasswords = { 'ASCII': 'changeit', 'empty': '', 'Latin': 'pässwörd', 'euro and astral': '€uro 𝄞 clef', 'long': 'x'.repeat(300) } as const
/** Java makes no PBE key of other characters, so JCEKS keys have ASCII passwords. */
const keyPasswordFor = (type: keyof typeof writers, storePassword: string): string => (type === 'JCEKS' && !/^[\x20-\x7e]*$/.test(storePassword) ? 'ascii-key' : storePassword)
const oddAlias = 'tést €1 𝄞 \u0000 名前'

const keyEntry = (keystore: Keystore, alias: string): KeyEntry => {
  const entry = keystore.entries.find((candidate) => candidate.alias === alias)
  assert.ok(entry?.kind === 'key', `${alias}: ${entry?.kind}`)
  return entry
}

test('every key type and password goes to Java and comes from it, in JKS and JCEKS', { skip, timeout: 240_000 }, async (t) => {
  const java = javaPeer(t, [fewIterations])
  const material = makeKeyMaterial(t)
  const covered = new Set<string>()
  for (const type of ['JKS', 'JCEKS'] as const) {
    for (const [kind, password] of Object.entries(storePasswords)) {
      const keyPassword = keyPasswordFor(type, password)
      const entries: KeystoreEntry[] = material.map((one) => ({ kind: 'key', alias: `${one.type} ${oddAlias}`, privateKey: one.privateKey, certificates: one.certificates, createdAt: date }))
      entries.push({ kind: 'certificate', alias: 'trusted', certificate: material[0]?.certificates[1] ?? Buffer.alloc(0), createdAt: date })
      const written = await writers[type]({ entries }, password, { keyPasswords: () => keyPassword, iterations: 10_000 })
      const there = await java.read(type, written, password, keyPassword)
      assert.equal(there.length, entries.length)
      const store = await java.write(type, password, keyPassword, entries.map((entry) => (entry.kind === 'key'
        ? { alias: entry.alias ?? '', key: entry.privateKey, certificates: entry.certificates } : { alias: 'trusted', certificates: [(entry as { certificate: Buffer }).certificate] })))
      const here = await readJks(store, password, { keyPasswords: [keyPassword] })
      assert.equal(here.entries.length, entries.length)
      for (const one of material) {
        const alias = `${one.type} ${oddAlias}`
        const entry = there.find((candidate) => candidate.alias === alias)
        assert.ok(entry?.key instanceof Buffer, `${type} ${kind} ${one.type} is not opened`)
        assert.ok(sameKey(entry.key, one.privateKey))
        assert.deepEqual(entry.certificates, one.certificates)
        assert.equal(entry.date, date.getTime())
        assert.ok(sameKey(keyEntry(here, alias).privateKey, one.privateKey))
        assert.deepEqual(keyEntry(here, alias).certificates, one.certificates)
        covered.add(`${type} ${kind} ${one.type}`)
      }
      assert.equal(there.find(({ alias }) => alias === 'trusted')?.kind, 'certificate')
      assert.equal(here.entries.find(({ alias }) => alias === 'trusted')?.kind, 'certificate')
      await assert.rejects(java.read(type, written, `${password}x`, keyPassword), /password was incorrect|tampered/)
      await assert.rejects(readJks(store, `${password}x`), { code: 'PASSWORD_WRONG' })
    }
  }
  // 2 formats x 10 key types x 5 passwords
  assert.equal(opensslKeyTypes.length, 10)
  assert.equal(covered.size, 100)
})

test('keytool makes keys of every kind, with passwords of their own, which are read here and written back byte for byte', { skip, timeout: 240_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const keytool = (...args: string[]) => execFileSync(requireTool('keytool'), [`-J${fewIterations}`, ...args], { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C.UTF-8' } })
  const at = (store: string, type: string) => ['-keystore', join(folder, store), '-storetype', type, '-storepass', 'store-1']
  const kinds = { 'rsa': ['-keyalg', 'RSA', '-keysize', '2048'], 'ec': ['-keyalg', 'EC', '-groupname', 'secp384r1'], 'ed25519': ['-keyalg', 'Ed25519'], 'ed448': ['-keyalg', 'Ed448'], 'dsa': ['-keyalg', 'DSA', '-keysize', '2048'], 'pss': ['-keyalg', 'RSASSA-PSS', '-keysize', '2048'] }
  for (const [alias, args] of Object.entries(kinds)) keytool('-genkeypair', '-alias', alias, ...args, '-dname', `CN=${alias}`, '-keypass', alias === 'ec' ? 'key-of-ec' : 'store-1', ...at('a.jks', 'JKS'))
  const certificate = keytool('-exportcert', '-rfc', '-alias', 'rsa', ...at('a.jks', 'JKS'))
  writeFileSync(join(folder, 'cert.pem'), certificate)
  keytool('-importcert', '-noprompt', '-alias', 'TRUSTED', '-file', join(folder, 'cert.pem'), ...at('a.jks', 'JKS'))
  keytool('-genkeypair', '-alias', 'rsa', ...kinds.rsa, '-dname', 'CN=rsa', ...at('a.jceks', 'JCEKS'))
  keytool('-genkeypair', '-alias', 'ec', ...kinds.ec, '-dname', 'CN=ec', '-keypass', 'key-of-ec', ...at('a.jceks', 'JCEKS'))
  for (const [alias, algorithm, size] of [['aes', 'AES', '256'], ['hmac', 'HmacSHA256', '256'], ['des', 'DESede', '168']] as const) keytool('-genseckey', '-alias', alias, '-keyalg', algorithm, '-keysize', size, ...at('a.jceks', 'JCEKS'))

  const jks = readFileSync(join(folder, 'a.jks'))
  const jceks = readFileSync(join(folder, 'a.jceks'))
  const opened = await readJks(jks, 'store-1', { keyPasswords: new Map([['EC', 'key-of-ec']]) })
  assert.deepEqual(opened.entries.map(({ kind, alias }) => `${kind} ${alias}`).toSorted(), ['certificate trusted', ...Object.keys(kinds).map((alias) => `key ${alias}`)].toSorted())
  const closed = await readJks(jks, 'store-1')
  assert.deepEqual(closed.entries.flatMap((entry) => (entry.kind === 'locked-key' ? [entry.alias, entry.reason, entry.certificates.length] : [])), ['ec', 'password-wrong', 1])
  const secrets = await readJks(jceks, 'store-1', { keyPasswords: ['key-of-ec'] })
  assert.deepEqual(secrets.entries.map((entry) => `${entry.kind} ${entry.alias} ${entry.kind === 'opaque' ? entry.title : ''}`.trim()).toSorted(), ['key ec', 'key rsa', 'opaque aes secret key', 'opaque des secret key', 'opaque hmac secret key'])
  // Nothing changed: the same file, whether its keys were opened or not.
  for (const keystore of [opened, closed, await readJks(jks, null)]) assert.ok((await writeJks(keystore, 'store-1')).equals(jks))
  for (const keystore of [secrets, await readJks(jceks, null)]) assert.ok((await writeJceks(keystore, 'store-1')).equals(jceks))

  // One entry replaced, with everything else locked: keytool sees it and opens all others as before.
  const [material] = makeKeyMaterial(t, ['rsa-3072'])
  assert.ok(material)
  const entry: KeyEntry = { kind: 'key', alias: 'rsa', privateKey: material.privateKey, certificates: material.certificates, createdAt: date }
  writeFileSync(join(folder, 'b.jks'), await writeJks(putEntry(closed, entry), 'store-1'))
  writeFileSync(join(folder, 'b.jceks'), await writeJceks(putEntry(await readJks(jceks, 'store-1'), entry), 'store-1', { iterations: 10_000 }))
  const list = keytool('-list', '-v', ...at('b.jks', 'JKS'))
  assert.match(list, /contains 7 entries/)
  assert.match(list, /Certificate chain length: 2/)
  assert.match(list, /CN=rsa-3072\.example/)
  assert.match(keytool('-list', '-v', ...at('b.jceks', 'JCEKS')), /contains 5 entries/)
  keytool('-importkeystore', '-noprompt', '-srckeystore', join(folder, 'b.jks'), '-srcstoretype', 'JKS', '-srcstorepass', 'store-1', '-srcalias', 'ec', '-srckeypass', 'key-of-ec', '-destkeypass', 'store-1', ...at2(folder))
  for (const alias of ['rsa', 'ed25519', 'ed448', 'dsa', 'pss']) keytool('-importkeystore', '-noprompt', '-srckeystore', join(folder, 'b.jks'), '-srcstoretype', 'JKS', '-srcstorepass', 'store-1', '-srcalias', alias, ...at2(folder))
  keytool('-importkeystore', '-noprompt', '-srckeystore', join(folder, 'b.jceks'), '-srcstoretype', 'JCEKS', '-srcstorepass', 'store-1', '-srcalias', 'aes', ...at2(folder))
  assert.match(keytool('-list', '-keystore', join(folder, 'out.p12'), '-storepass', 'store-1'), /contains 7 entries/)
  assert.equal(derOf(certificate).length > 0, true)
})
const at2 = (folder: string): string[] => ['-destkeystore', join(folder, 'out.p12'), '-deststoretype', 'PKCS12', '-deststorepass', 'store-1']

test('Java seals a key with any salt, also one with two equal halves', { skip, timeout: 60_000 }, async (t) => {
  const java = javaPeer(t)
  const plain = sequence(octetString(Buffer.from('a key')))
  for (const salt of ['0102030405060708', '0102030401020304', 'aaaaaaaaaaaaaaaa']) {
    const encrypted = await java.seal('pass word', Buffer.from(salt, 'hex'), 1000, plain)
    const sealed = sequence(sequence(objectIdentifier(oid.sunPbeWithMd5AndTripleDes), sequence(octetString(Buffer.from(salt, 'hex')), integer(Buffer.of(3, 0xe8)))), octetString(encrypted))
    assert.deepEqual(await keyProtection(sealed)?.open('pass word', new IterationBudget(2000)), plain, salt)
    assert.equal(await keyProtection(sealed)?.open('pass worse', new IterationBudget(2000)), undefined)
  }
})

test('secret keys that Java wrote go back to Java', { skip, timeout: 60_000 }, async (t) => {
  const java = javaPeer(t)
  const secret = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
  const store = await java.write('JCEKS', 'store', 'store', [{ alias: 'one', secret }, { alias: 'two', secret: Buffer.alloc(5000, 7) }])
  const written = await writeJceks(await readJks(store, 'store'), 'other')
  const back = await java.read('JCEKS', written, 'other', 'store')
  assert.deepEqual(back.map(({ alias, key }) => [alias, key instanceof Buffer ? key.length : key]), [['one', 16], ['two', 5000]])
})
