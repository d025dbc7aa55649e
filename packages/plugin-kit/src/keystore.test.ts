import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { sha256Hex } from '@certloop/contract'
import { leftOut, requireTool, tempFolder } from '@certloop/test-kit'
import type { PlanMaterial } from './driver.ts'
import { writeKeystoreEntry, type KeystoreChange } from './keystore-writing.ts'
import { holdsMaterial, keystoreDigest, keystoreKey, keystoreStep, readKeystoreFile, type KeystoreFormat } from './keystore.ts'

/** JCEKS takes a second for each key, so it has its turn with Java alone. */
const formats: KeystoreFormat[] = ['pkcs12', 'jks']
const password = 'changeit'
const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString()

/** A root, and two leaves of it, by OpenSSL. */
async function materials(t: TestContext) {
  const folder = await tempFolder(t, 'keystore')
  const at = (name: string) => join(folder, name)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30']
  openssl('req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.crt'), '-subj', '/CN=Issuer')
  const make = (name: string) => {
    openssl('req', '-x509', ...key, '-keyout', at(`${name}.key`), '-out', at(`${name}.crt`), '-subj', `/CN=${name}`, '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-addext', 'basicConstraints=critical,CA:FALSE')
    const keyPem = readFileSync(at(`${name}.key`), 'utf8')
    const chainPem = [readFileSync(at(`${name}.crt`), 'utf8'), readFileSync(at('ca.crt'), 'utf8')]
    const material: PlanMaterial = { chainPem, fingerprint: 'f'.repeat(64), spkiDigest: sha256Hex(createPublicKey(createPrivateKey(keyPem)).export({ type: 'spki', format: 'der' })), keyType: 'ec' }
    return { keyPem, chainPem, material }
  }
  return { at, first: make('first'), second: make('second') }
}

const change = (format: KeystoreFormat, { keyPem, chainPem }: { keyPem: string; chainPem: string[] }, more: Partial<KeystoreChange> & { alias?: string } = {}): KeystoreChange => ({
  step: { path: '/ks', format, alias: more.alias ?? 'tomcat' }, present: undefined, keyPem, chainPem, passwords: { password }, now: new Date('2026-01-01T00:00:00Z'), ...more,
})
const place = { path: '/ks', alias: 'Tomcat', password: 'keystorePassword', ownership: null }

test('a new keystore holds the material under the alias, and then nothing is left to do', async (t) => {
  const { first, second } = await materials(t)
  for (const format of formats) {
    const made = await writeKeystoreEntry(change(format, first))
    const file = await readKeystoreFile(made, password)
    assert.deepEqual([file.format, file.digest, file.entries.map(({ alias, kind }) => [alias, kind])], [format, sha256Hex(made), [['tomcat', 'key']]])
    assert.deepEqual(keystoreKey(file, 'TOMCAT').chainPem.join(''), first.chainPem.join(''))
    assert.equal(keystoreKey(file, 'tomcat').spkiDigest, first.material.spkiDigest)
    assert.equal(keystoreStep({ ...place, format }, first.material, file), undefined)
    const step = keystoreStep({ ...place, format: 'pkcs12' }, second.material, file)
    assert.deepEqual(step, { kind: 'keystore-entry', ...place, format, contentDigest: keystoreDigest('Tomcat', second.material), replaces: file.digest })
    assert.equal(keystoreStep({ ...place, format }, second.material, undefined)?.replaces, null)
  }
})

test('the other entries stay, and the name of the replaced one', async (t) => {
  const { first, second } = await materials(t)
  for (const format of formats) {
    const two = await writeKeystoreEntry(change(format, second, { alias: 'other', present: await writeKeystoreEntry(change(format, first)) }))
    const before = await readKeystoreFile(two, password)
    const after = await readKeystoreFile(await writeKeystoreEntry(change(format, second, { alias: 'TOMCAT', present: two })), password)
    assert.ok(holdsMaterial(after, 'tomcat', second.material), format)
    assert.deepEqual(after.entries.map(({ alias }) => alias), ['tomcat', 'other'])
    assert.deepEqual(keystoreKey(after, 'other'), keystoreKey(before, 'other'))
    assert.ok(!holdsMaterial(after, 'tomcat', first.material))
  }
})

test('a chain without its issuer is another content', async (t) => {
  const { first } = await materials(t)
  for (const format of formats) {
    const file = await readKeystoreFile(await writeKeystoreEntry(change(format, { ...first, chainPem: first.chainPem.slice(0, 1) })), password)
    assert.ok(!holdsMaterial(file, 'tomcat', first.material))
  }
})

test('wrong passwords, other files and absent aliases have codes of their own, and the aliases are named', async (t) => {
  const { first } = await materials(t)
  for (const format of formats) {
    const bytes = await writeKeystoreEntry(change(format, first))
    await assert.rejects(readKeystoreFile(bytes, 'wrong', { path: '/ks' }), { code: 'KEYSTORE_PASSWORD_WRONG', message: /\/ks/ })
    await assert.rejects(writeKeystoreEntry(change(format, first, { present: bytes, passwords: { password: 'wrong' } })), { code: 'KEYSTORE_PASSWORD_WRONG' })
    await assert.rejects(readKeystoreFile(bytes.subarray(0, 200), password), { code: format === 'pkcs12' ? 'KEYSTORE_UNREADABLE' : /^KEYSTORE_/ })
    const file = await readKeystoreFile(bytes, password)
    assert.throws(() => keystoreKey(file, 'jetty', '/ks'), { code: 'ALIAS_NOT_FOUND', message: /"jetty" in \/ks\. It has: tomcat/ })
  }
  await assert.rejects(readKeystoreFile(Buffer.from('hello'), password), { code: 'KEYSTORE_UNREADABLE' })
  await assert.rejects(readKeystoreFile(Buffer.from(first.keyPem), password), { code: 'KEYSTORE_UNREADABLE', message: /pem/ })
  await assert.rejects(writeKeystoreEntry(change('jks', first, { present: await writeKeystoreEntry(change('pkcs12', first)) })), { code: 'KEYSTORE_UNREADABLE', message: /pkcs12, not jks/ })
})

test('a key of JKS may have a password of its own; one of PKCS#12 may not', async (t) => {
  const { first, second } = await materials(t)
  const passwords = { password, keyPassword: 'of-the-key' }
  const bytes = await writeKeystoreEntry(change('jks', first, { passwords }))
  const closed = await readKeystoreFile(bytes, password)
  assert.throws(() => keystoreKey(closed, 'tomcat'), { code: 'KEYSTORE_PASSWORD_WRONG' })
  assert.throws(() => keystoreStep({ ...place, format: 'jks' }, second.material, closed), { code: 'KEYSTORE_PASSWORD_WRONG' })
  assert.ok(holdsMaterial(await readKeystoreFile(bytes, password, { keyPassword: 'of-the-key' }), 'tomcat', first.material))
  // The key that stays closed is carried along beside a new one.
  const more = await writeKeystoreEntry(change('jks', second, { present: bytes, alias: 'other' }))
  assert.ok(holdsMaterial(await readKeystoreFile(more, password, { keyPassword: 'of-the-key' }), 'tomcat', first.material))
  await assert.rejects(writeKeystoreEntry(change('pkcs12', first, { passwords })), { code: 'PLAN_FAILED' })
})

test('a PKCS#12 key without a name is called as Java calls it', { skip: leftOut('keytool') }, async (t) => {
  const { at, second } = await materials(t)
  openssl('pkcs12', '-export', '-inkey', at('first.key'), '-in', at('first.crt'), '-certfile', at('ca.crt'), '-passout', `pass:${password}`, '-out', at('p12'))
  const named = keytool(['-list', '-keystore', at('p12')])
  assert.match(named, /^1, /m)
  const file = await readKeystoreFile(readFileSync(at('p12')), password)
  assert.deepEqual(file.entries.map(({ alias }) => alias), ['1'])
  writeFileSync(at('p12'), await writeKeystoreEntry(change('pkcs12', second, { alias: '1', present: readFileSync(at('p12')) })))
  assert.ok(holdsMaterial(await readKeystoreFile(readFileSync(at('p12')), password), '1', second.material))
  assert.match(keytool(['-list', '-v', '-keystore', at('p12')]), /contains 1 entry[^]*Alias name: 1\n[^]*Owner: CN=second/)
})

const keytool = (args: string[]) => execFileSync(requireTool('keytool'), ['-J-Duser.language=en', '-J-XX:TieredStopAtLevel=1', ...args, '-storepass', password], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

test('Java reads what was written into its own keystores: key, trusted certificate and secret key are there as before', { skip: leftOut('keytool') }, async (t) => {
  const { at, second } = await materials(t)
  for (const format of [...formats, 'jceks'] as const) {
    const store = ['-keystore', at(format), '-storetype', format.toUpperCase()]
    keytool(['-genkeypair', '-alias', 'Tomcat', '-keyalg', 'EC', '-dname', 'CN=old', ...(format === 'pkcs12' ? [] : ['-keypass', 'of-the-key']), ...store])
    keytool(['-importcert', '-noprompt', '-alias', 'trusted', '-file', at('ca.crt'), ...store])
    if (format !== 'jks') keytool(['-genseckey', '-alias', 'hidden', '-keyalg', 'AES', '-keysize', '256', ...store])
    const present = readFileSync(at(format))
    const before = await readKeystoreFile(present, password, { keyPassword: 'of-the-key' })
    assert.throws(() => keystoreStep({ ...place, alias: 'trusted', format }, second.material, before), { code: 'PLAN_FAILED', message: /trusted certificate/ })
    const passwords = format === 'pkcs12' ? { password } : { password, keyPassword: 'of-the-key' }
    writeFileSync(at(format), await writeKeystoreEntry(change(format, second, { alias: 'TOMCAT', present, passwords })))
    const shown = keytool(['-list', '-v', ...store])
    assert.match(shown, /Alias name: tomcat\n[^]*?chain length: 2\n[^]*?Owner: CN=second/)
    assert.match(shown, /Alias name: trusted\n[^]*?trustedCertEntry/)
    if (format !== 'jks') assert.match(shown, /Alias name: hidden\n[^]*?SecretKeyEntry/)
  }
})
