/** Every kind of key × format × encoding × encryption, written here and read there, written there and read here. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { keyAlgorithms, type KeyAlgorithm } from '@certloop/contract'
import { leftOut, requireTool } from '@certloop/test-kit'
import { opensslKnows, temporaryFolder } from '../openssl-testing.ts'
import { generateKey, readPrivateKey } from './key.ts'
import { openPrivateKey } from './open-private-key.ts'
import { keyIdOfSpki, sha256Hex, spkiOfKey } from './spki.ts'
import { writePrivateKey, type PrivateKeyForm } from './write-private-key.ts'

const digest = (key: KeyObject): string => sha256Hex(spkiOfKey(key))
const password = 'Gänse & "Füße" 1'
const keys = new Map<KeyAlgorithm, KeyObject>()
for (const algorithm of keyAlgorithms) keys.set(algorithm, readPrivateKey(await generateKey(algorithm)))
const keyOf = (algorithm: KeyAlgorithm): KeyObject => keys.get(algorithm) ?? assert.fail(algorithm)

type Form = PrivateKeyForm & { encoding: 'pem' | 'der' }
/** All that writePrivateKey can write for a kind of key. */
function formsOf(algorithm: KeyAlgorithm): Form[] {
  const forms: Form[] = []
  for (const encoding of ['pem', 'der'] as const) {
    forms.push({ format: 'pkcs8', encoding })
    for (const encryption of ['modern', 'old'] as const) forms.push({ format: 'pkcs8', encoding, encryption, password, iterations: 2_000 })
  }
  const own = algorithm.startsWith('rsa') ? 'pkcs1' : algorithm.startsWith('ec-') ? 'sec1' : undefined
  if (own) forms.push({ format: own, encoding: 'pem' }, { format: own, encoding: 'der' }, ...(['modern', 'old'] as const).map((encryption) => ({ format: own, encoding: 'pem', encryption, password }) as const))
  return forms
}
const write = (key: KeyObject, form: Form): Promise<string | Buffer> => (form.encoding === 'der' ? writePrivateKey(key, { ...form, encoding: 'der' }) : writePrivateKey(key, { ...form, encoding: 'pem' }))
const allForms = keyAlgorithms.flatMap((algorithm) => formsOf(algorithm).map((form) => ({ algorithm, form, title: `${algorithm} ${JSON.stringify(form)}` })))

test('what is written here is read here and by Node', async () => {
  for (const { algorithm, form, title } of allForms) {
    const written = await write(keyOf(algorithm), form)
    assert.equal(digest(await openPrivateKey(written, form.password)), digest(keyOf(algorithm)), title)
    const input = { key: written, format: form.encoding, type: form.format ?? 'pkcs8', ...(form.password === undefined ? {} : { passphrase: form.password }) } as const
    assert.equal(digest(createPrivateKey(input)), digest(keyOf(algorithm)), title)
  }
  assert.equal(allForms.length, 6 * 10 + 4 * 6)
})

test('what Node writes is read here', async () => {
  let count = 0
  for (const [algorithm, key] of keys) {
    for (const cipher of ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des-ede3-cbc']) {
      for (const format of ['pem', 'der'] as const) {
        const written = key.export({ type: 'pkcs8', format, cipher, passphrase: password })
        assert.equal(digest(await openPrivateKey(written, password)), digest(key), `${algorithm} ${cipher} ${format}`)
        count++
      }
    }
  }
  assert.equal(count, keyAlgorithms.length * 8)
})

const runOpenssl = (args: readonly string[], input: string | Buffer): Buffer => execFileSync(requireTool('openssl'), args, { input, stdio: ['pipe', 'pipe', 'pipe'] })
const known = keyAlgorithms.filter(opensslKnows)

test('what is written here is read by openssl', { skip: leftOut('openssl') }, async () => {
  let count = 0
  for (const { algorithm, form, title } of allForms.filter((one) => opensslKnows(one.algorithm))) {
    const written = await write(keyOf(algorithm), form)
    // `pkey` alone does not take DER with a password: pkcs8 does.
    const isSealedDer = form.encoding === 'der' && form.password !== undefined
    const args = isSealedDer ? ['pkcs8', '-inform', 'DER', '-outform', 'DER', '-passin', `pass:${password}`] : ['pkey', '-inform', form.encoding.toUpperCase(), '-outform', 'DER', '-passin', `pass:${password}`]
    assert.equal(digest(await openPrivateKey(runOpenssl(args, written))), digest(keyOf(algorithm)), title)
    count++
  }
  // RSA and EC: three sizes each, ten forms; Ed25519 six; ML-DSA six each where openssl has it.
  assert.equal(count, 6 * 10 + 6 + (opensslKnows('ml-dsa-44') ? 18 : 0))
})

test('what openssl writes is read here', { skip: leftOut('openssl'), timeout: 120_000 }, async () => {
  const schemes = [
    ...['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des3'].flatMap((cipher) => ['hmacWithSHA1', 'hmacWithSHA224', 'hmacWithSHA256', 'hmacWithSHA384', 'hmacWithSHA512'].map((prf) => ['-v2', cipher, '-v2prf', prf])),
    ['-scrypt'], ['-v2', 'aes-256-cbc', '-scrypt', '-scrypt_N', '1024', '-scrypt_r', '8', '-scrypt_p', '2'], ['-v1', 'PBE-SHA1-3DES'], ['-v1', 'PBE-SHA1-2DES'],
    ...['PBE-MD5-DES', 'PBE-SHA1-DES', 'PBE-SHA1-RC2-40', 'PBE-SHA1-RC2-128', 'PBE-SHA1-RC4-128'].map((name) => ['-v1', name, '-provider', 'legacy', '-provider', 'default']),
    ['-v2', 'des', '-provider', 'legacy', '-provider', 'default'],
  ]
  let count = 0
  for (const algorithm of known.filter((one) => ['rsa-2048', 'ec-384', 'ed25519', 'ml-dsa-65'].includes(one))) {
    const plain = await writePrivateKey(keyOf(algorithm))
    for (const scheme of schemes) {
      const format = count % 2 === 0 ? 'PEM' : 'DER'
      const written = runOpenssl(['pkcs8', '-topk8', '-outform', format, '-iter', '1500', '-passout', `pass:${password}`, ...scheme].filter((arg, i, args) => !(scheme.includes('-scrypt') && (arg === '-iter' || args[i - 1] === '-iter'))), plain)
      assert.equal(digest(await openPrivateKey(written, password)), digest(keyOf(algorithm)), `${algorithm} ${scheme.join(' ')}`)
      await assert.rejects(openPrivateKey(written, 'wrong'), { code: 'PASSWORD_WRONG' }, scheme.join(' '))
      count++
    }
  }
  assert.equal(count, schemes.length * (opensslKnows('ml-dsa-65') ? 4 : 3))
  assert.equal(schemes.length, 30)
})

test('what openssl writes in its old forms is read here', { skip: leftOut('openssl') }, async () => {
  let count = 0
  for (const algorithm of ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-256', 'ec-384', 'ec-521'] as const) {
    const tool = algorithm.startsWith('rsa') ? ['rsa', '-traditional'] : ['ec']
    for (const cipher of [[], ['-aes128'], ['-aes192'], ['-aes256'], ['-des3']]) {
      const written = runOpenssl([...tool, ...cipher, '-passout', `pass:${password}`], await writePrivateKey(keyOf(algorithm)))
      assert.equal(digest(await openPrivateKey(written, password)), digest(keyOf(algorithm)), `${algorithm} ${cipher.join()}`)
      count++
    }
    assert.equal(digest(await openPrivateKey(runOpenssl([...tool, '-outform', 'DER'], await writePrivateKey(keyOf(algorithm))))), digest(keyOf(algorithm)))
  }
  assert.equal(count, 30)
})

const runCerttool = (args: readonly string[], input?: string | Buffer): Buffer =>
  execFileSync(requireTool('certtool'), args, input === undefined ? { stdio: ['ignore', 'pipe', 'pipe'] } : { input, stdio: ['pipe', 'pipe', 'pipe'] })
/** GnuTLS 3.7 has no ML-DSA; what a newer one calls it is asked of it. */
const gnutlsKnows = (algorithm: KeyAlgorithm): boolean => !algorithm.startsWith('ml-dsa') || /mldsa|ml-dsa/i.test(execFileSync(requireTool('certtool'), ['--help'], { encoding: 'utf8' }))

test('what is written here is read by certtool', { skip: leftOut('certtool') }, async (t) => {
  const file = `${temporaryFolder(t)}/key`
  let count = 0
  for (const { algorithm, form, title } of allForms.filter((one) => gnutlsKnows(one.algorithm))) {
    const written = await write(keyOf(algorithm), form)
    const isPkcs8 = form.format === 'pkcs8' && (form.encoding === 'der' || form.password !== undefined)
    const args = ['--key-info', '--no-text', ...(form.encoding === 'der' ? ['--inder'] : []), ...(isPkcs8 ? ['--pkcs8'] : []), `--password=${password}`]
    const text = runCerttool(args, written).toString()
    assert.equal(digest(await openPrivateKey(text.slice(text.indexOf('-----BEGIN')), password)), digest(keyOf(algorithm)), title)
    writeFileSync(file, written)
    const publicArgs = ['--pubkey-info', '--load-privkey', file, '--outder', ...(form.encoding === 'der' ? ['--inder'] : []), `--password=${password}`]
    assert.equal(sha256Hex(runCerttool(publicArgs)), digest(keyOf(algorithm)), title)
    count++
  }
  assert.equal(count, 66)
})

test('what certtool writes is read here', { skip: leftOut('certtool'), timeout: 120_000 }, async (t) => {
  const folder = temporaryFolder(t)
  let count = 0
  const kinds = [['--key-type=ecdsa', '--curve=secp256r1'], ['--key-type=eddsa', '--curve=ed25519'], ['--key-type=rsa', '--bits=2048'], ['--key-type=ecdsa', '--curve=secp384r1'], ['--key-type=ecdsa', '--curve=secp521r1'], ['--key-type=rsa-pss', '--bits=2048', '--hash=sha256']]
  const sealings = ['3des', '3des-pkcs12', 'aes-128', 'aes-192', 'aes-256', 'rc2-40', 'arcfour'].map((cipher) => ['--pkcs8', `--pkcs-cipher=${cipher}`, `--password=${password}`])
  // GnuTLS takes 600,000 iterations: one kind in every cipher, the others plain and in one.
  for (const [i, kind] of kinds.entries()) {
    for (const sealing of [[], ['--pkcs8', '--password='], ...(i === 0 ? sealings : sealings.slice(4, 5))]) {
      const file = `${folder}/key-${count}`
      const encoding = count % 3 === 2 ? ['--outder'] : []
      runCerttool(['--generate-privkey', ...kind, ...sealing, ...encoding, '--no-text', '--outfile', file])
      const key = await openPrivateKey(readFileSync(file), password)
      const own = runCerttool(['--pubkey-info', '--load-privkey', file, '--outder', ...(encoding.length > 0 ? ['--inder'] : []), `--password=${password}`])
      assert.deepEqual(keyIdOfSpki(own), keyIdOfSpki(spkiOfKey(key)), [...kind, ...sealing, ...encoding].join(' '))
      count++
    }
  }
  assert.equal(count, 9 + 5 * 3)
})

test('Java reads what is written here', { skip: leftOut('keytool') }, async (t) => {
  // keytool takes no raw keys; the JDK's own PKCS#8 reader does, in a program of one file.
  const folder = temporaryFolder(t)
  const java = requireTool('keytool').replace(/keytool$/, 'java')
  writeFileSync(`${folder}/Read.java`, `
import java.nio.file.*; import java.security.*; import java.security.spec.*; import javax.crypto.*; import javax.crypto.spec.*;
public class Read { public static void main(String[] a) throws Exception {
  for (int i = 0; i < a.length; i += 3) {
    byte[] bytes = Files.readAllBytes(Path.of(a[i])); PKCS8EncodedKeySpec spec;
    if (a[i + 2].isEmpty()) spec = new PKCS8EncodedKeySpec(bytes);
    else { EncryptedPrivateKeyInfo info = new EncryptedPrivateKeyInfo(bytes);
      SecretKey key = SecretKeyFactory.getInstance(info.getAlgParameters().toString()).generateSecret(new PBEKeySpec(a[i + 2].toCharArray()));
      Cipher cipher = Cipher.getInstance(info.getAlgParameters().toString()); cipher.init(Cipher.DECRYPT_MODE, key, info.getAlgParameters()); spec = info.getKeySpec(cipher); }
    System.out.println(KeyFactory.getInstance(a[i + 1]).generatePrivate(spec).getAlgorithm());
  } } }`)
  const args: string[] = []
  const names = { rsa: 'RSA', ec: 'EC', ed: 'Ed25519' } as const
  for (const algorithm of ['rsa-2048', 'rsa-4096', 'ec-256', 'ec-384', 'ec-521', 'ed25519'] as const) {
    for (const secret of ['', 'ascii password']) {
      const file = `${folder}/${algorithm}${secret ? '-sealed' : ''}`
      writeFileSync(file, await writePrivateKey(keyOf(algorithm), { encoding: 'der', ...(secret ? { password: secret, iterations: 2_000 } : {}) }))
      args.push(file, names[algorithm.slice(0, 2) === 'rs' ? 'rsa' : algorithm.slice(0, 2) as 'ec' | 'ed'], secret)
    }
  }
  const answer = execFileSync(java, [`${folder}/Read.java`, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  assert.equal(answer.trim().split('\n').length, 12)
})

test('combinations that can not be are refused', async () => {
  const impossible: [KeyAlgorithm, Form][] = [
    ['ec-256', { format: 'pkcs1', encoding: 'pem' }], ['rsa-2048', { format: 'sec1', encoding: 'pem' }], ['ed25519', { format: 'sec1', encoding: 'der' }], ['ml-dsa-44', { format: 'pkcs1', encoding: 'der' }],
    ['rsa-2048', { format: 'pkcs1', encoding: 'der', password: 'x' }], ['ec-256', { format: 'sec1', encoding: 'der', password: 'x' }], ['ec-256', { encoding: 'pem', password: 'x', iterations: 0 }], ['ec-256', { encoding: 'pem', password: 'x', iterations: 1.5 }],
  ]
  for (const [algorithm, form] of impossible) await assert.rejects(write(keyOf(algorithm), form), { code: 'INPUT_INVALID' }, JSON.stringify([algorithm, form]))
})
