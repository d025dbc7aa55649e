import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fuzzParser } from '../fuzz-testing.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { splitPem, toPem } from '../pem.ts'
import { readContainer, recognise, writeContainer, type ContainerForm, type ContainerFormat } from './container.ts'
import { derOf, sameKey } from './container-testing.ts'
import { writeJceks } from './jks-writer.ts'
import { defaultReadLimits } from './keystore.ts'
import { testHierarchy, testLeaf } from './pkcs12-testing.ts'

const { root, intermediate } = await testHierarchy()
const leaf = await testLeaf('ec-256', intermediate)
const other = await testLeaf('ed25519', intermediate)
const chain = [leaf.certificate, intermediate.certificate, root.certificate]
const material = { certificates: chain, privateKey: leaf.privateKey }
const now = new Date('2026-05-06T07:08:09Z')
const keyPem = toPem('PRIVATE KEY', leaf.privateKey)
const certPem = toPem('CERTIFICATE', leaf.certificate)
const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'testdata', name))
const one = async (form: ContainerForm): Promise<Buffer> => (await writeContainer(material, form))[0]?.bytes ?? Buffer.alloc(0)
const crlPem = (folder: string): string => {
  const at = (name: string) => join(folder, name)
  writeFileSync(at('root.pem'), toPem('CERTIFICATE', root.certificate))
  writeFileSync(at('root.key'), toPem('PRIVATE KEY', root.privateKey))
  writeFileSync(at('index'), '')
  writeFileSync(at('ca.cnf'), `[ca]\ndefault_ca=d\n[d]\ndatabase=${at('index')}\ndefault_md=sha256\ndefault_crl_days=3\n`)
  return openssl(['ca', '-gencrl', '-config', at('ca.cnf'), '-cert', at('root.pem'), '-keyfile', at('root.key')])
}

/** Files of every format that is recognised, by several makers. */
async function samples(folder: string): Promise<[ContainerFormat, string, Buffer][]> {
  const rsa = openssl(['genrsa', '-traditional', '1024'])
  const ssl = (args: string[], input: string) => derOf(openssl(args, input))
  writeFileSync(join(folder, 'dsa'), '')
  openssl(['genpkey', '-genparam', '-algorithm', 'DSA', '-pkeyopt', 'dsa_paramgen_bits:1024', '-out', join(folder, 'dsa')])
  const dsa = openssl(['genpkey', '-paramfile', join(folder, 'dsa')])
  const v1 = ssl(['x509', '-req', '-signkey', writeKey(folder, rsa), '-days', '2'], openssl(['req', '-new', '-key', writeKey(folder, rsa), '-subj', '/CN=v1']))
  const crl = derOf(crlPem(folder))
  const csr = ssl(['req', '-new', '-key', writeKey(folder, keyPem), '-subj', '/CN=a.example', '-addext', 'subjectAltName=DNS:a.example'], '')
  const p12 = await one({ format: 'pkcs12', alias: 'a', password: 'x', now, iterations: 100, macIterations: 100 })
  return [
    ['der-certificate', 'version 3', leaf.certificate], ['der-certificate', 'version 1', v1], ['csr', 'with attributes', csr],
    ['csr', 'without attributes', ssl(['req', '-new', '-key', writeKey(folder, rsa), '-subj', '/CN=none'], '')], ['crl', 'version 2', crl],
    ['der-key', 'PKCS#8', leaf.privateKey], ['der-key', 'PKCS#1', derOf(rsa)], ['der-key', 'SEC1', ssl(['ec'], keyPem)], ['der-key', 'old DSA', ssl(['dsa'], dsa)],
    ['der-encrypted-key', 'PBES2', ssl(['pkcs8', '-topk8', '-passout', 'pass:x'], keyPem)], ['der-encrypted-key', 'PKCS#12 PBE', ssl(['pkcs8', '-topk8', '-v1', 'PBE-SHA1-3DES', '-passout', 'pass:x'], keyPem)],
    ['der-public-key', 'SPKI', ssl(['pkey', '-pubout'], keyPem)], ['pkcs7', 'DER', await one({ format: 'pkcs7' })], ['pkcs7', 'BER', Buffer.concat([Buffer.of(0x30, 0x80), Buffer.from('06092a864886f70d010702a080', 'hex')])],
    ['pkcs12', 'DER', p12], ['pkcs12', 'BER', Buffer.concat([Buffer.of(0x30, 0x80, 2, 1, 3, 0x30, 0x80), Buffer.from('06092a864886f70d010701a080', 'hex')])],
    ['jks', 'keytool', fixture('keytool.jks')], ['jceks', 'keytool', fixture('keytool.jceks')], ['pem', 'certificate', Buffer.from(certPem)], ['pem', 'with text', Buffer.from(`hello\r\n\r\n  ${certPem}`)],
    ['base64', 'certificate', Buffer.from(leaf.certificate.toString('base64'))], ['base64', 'PKCS#12 in lines', Buffer.from(`\n${p12.toString('base64').replace(/(.{76})/g, '$1\r\n')}\r\n`)],
    ['openssh-key', 'armoured', Buffer.from('-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n')], ['openssh-key', 'binary', Buffer.from('openssh-key-v1\0rest')],
    ['openssh-public-key', 'line', Buffer.from('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA me@host\n')], ['putty-key', 'version 3', Buffer.from('PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\n')],
    ['unknown', 'nothing', Buffer.alloc(0)], ['unknown', 'zeros', Buffer.alloc(1000)], ['unknown', 'HTML', Buffer.from('<!doctype html><p>Sign in</p>')], ['unknown', 'zip', Buffer.from('PK\u0003\u0004')], ['unknown', 'a number', Buffer.from('020105', 'hex')],
    ['unknown', 'base64 of something else', Buffer.from(Buffer.from('MI this is no certificate').toString('base64'))], ['unknown', 'cut certificate', leaf.certificate.subarray(0, 100)], ['unknown', 'OCSP response', Buffer.from('30030a0106', 'hex')],
  ]
}
function writeKey(folder: string, pem: string): string {
  writeFileSync(join(folder, 'some.key'), pem)
  return join(folder, 'some.key')
}

test('formats are told by content', { timeout: 60_000 }, async (t) => {
  const all = await samples(temporaryFolder(t))
  for (const [format, what, bytes] of all) assert.equal(recognise(bytes), format, `${format}: ${what}`)
  assert.equal(new Set(all.map(([format]) => format)).size, 16)
})

test('every sample is read for what it is', { timeout: 60_000 }, async (t) => {
  for (const [format, what, bytes] of (await samples(temporaryFolder(t))).filter(([, name]) => name !== 'BER' && name !== 'old DSA')) {
    if (format === 'unknown') await assert.rejects(readContainer(bytes), { code: 'KEYSTORE_INVALID' }, what)
    else if (/ssh|putty/.test(format)) await assert.rejects(readContainer(bytes), { code: 'KEY_INVALID' }, what)
    else {
      const contents = await readContainer(bytes, { passwords: ['fixture', 'x', 'own-key'] })
      assert.equal(contents.format, format)
      assert.deepEqual([contents.problems, contents.locked], [[], []], what)
      const { certificates, keys, requests, crls, publicKeys } = contents
      const found = [certificates, keys, requests, crls, publicKeys].map(({ length }) => Math.min(length, 1)).join('')
      const expected: Record<string, string> = { 'der-certificate': '10000', 'csr': '00100', 'crl': '00010', 'der-key': '01000', 'der-encrypted-key': '01000', 'der-public-key': '00001', 'pkcs7': '10000', 'pkcs12': '11000', 'jks': '11000', 'jceks': '11000', 'pem': '10000', 'base64': what === 'certificate' ? '10000' : '11000' }
      assert.equal(found, expected[format], `${format}: ${what}`)
    }
  }
  await assert.rejects(readContainer(Buffer.from('-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n')), { code: 'KEY_INVALID', message: /ssh-keygen/ })
  const mixed = await readContainer(Buffer.from(`-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n${certPem}`))
  assert.deepEqual([mixed.certificates.length, mixed.problems.map(({ code }) => code)], [1, ['KEY_INVALID']])
})

test('keys that no other tool here knows go through every container all the same', { timeout: 60_000 }, async () => {
  for (const algorithm of ['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const) {
    const { certificate, privateKey } = await testLeaf(algorithm, intermediate)
    const forms: ContainerForm[] = [{ format: 'pem-bundle', order: ['leaf', 'chain', 'key'] }, { format: 'pem-bundle', order: ['leaf', 'chain', 'key'], password: 'x', iterations: 1000 }, { format: 'pkcs12', alias: 'a', password: 'x', now }, { format: 'jks', alias: 'a', password: 'x', now }]
    for (const form of forms) {
      const [part] = await writeContainer({ certificates: [certificate, intermediate.certificate], privateKey }, form)
      const contents = await readContainer(part?.bytes ?? Buffer.alloc(0), { password: 'x' })
      assert.ok(contents.keys[0] && sameKey(contents.keys[0].privateKey, privateKey), `${algorithm} ${form.format}`)
      assert.deepEqual(contents.certificates, [certificate, intermediate.certificate])
    }
  }
})

test('PEM is read in every encoding, with text, attributes and old headers, and what is damaged does not hide the rest', { timeout: 60_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const blocks = [
    'Bag Attributes\n    friendlyName: Bücher 1\n    localKeyID: 01 02 \nKey Attributes: <No Attributes>\n', keyPem, 'Bag Attributes: <No Attributes>\nsubject=CN = x\n', certPem,
    '-----BEGIN CERTIFICATE-----\nMIIB!!!!\n-----END CERTIFICATE-----\n', '-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END X509 CRL-----\n', '-----BEGIN CERTIFICATE-----\nMIIB\n', toPem('CERTIFICATE', intermediate.certificate),
    openssl(['x509', '-trustout', '-addtrust', 'serverAuth'], toPem('CERTIFICATE', root.certificate)), crlPem(folder), openssl(['ecparam', '-name', 'prime256v1', '-genkey']),
    openssl(['rsa', '-traditional', '-aes128', '-passout', 'pass:old'], openssl(['genrsa', '1024'])), openssl(['pkcs8', '-topk8', '-v1', 'PBE-SHA1-3DES', '-passout', 'pass:x'], keyPem),
    openssl(['req', '-new', '-key', writeKey(folder, keyPem), '-subj', '/CN=r']), openssl(['pkey', '-pubout'], keyPem), toPem('CERTIFICATE', Buffer.from('3003020101', 'hex')), toPem('CERTIFICATE', leaf.certificate.subarray(0, 99)),
    (await one({ format: 'pkcs7', encoding: 'pem' })).toString(), '-----BEGIN CERTIFICATE-----\nMIIB\n',
  ]
  const text = blocks.join('')
  const encodings: Record<string, Buffer> = {
    'UTF-8': Buffer.from(text), 'CRLF': Buffer.from(text.replaceAll('\n', '\r\n')), 'BOM': Buffer.from(`\ufeff${text}`), 'UTF-16 LE': Buffer.from(`\ufeff${text}`, 'utf16le'), 'UTF-16 LE, no mark': Buffer.from(text, 'utf16le'),
    'UTF-16 BE': Buffer.from(`\ufeff${text}`, 'utf16le').swap16(), 'UTF-16 BE, no mark': Buffer.from(text, 'utf16le').swap16(), 'UTF-16, cut': Buffer.from(`\ufeff${text} `, 'utf16le').subarray(0, -1), 'indented': Buffer.from(text.replaceAll('\n', '\n   ')),
  }
  for (const [name, bytes] of Object.entries(encodings)) {
    const contents = await readContainer(bytes, { passwords: ['nothing', 'old'] })
    assert.equal(contents.format, 'pem', name)
    assert.deepEqual(contents.certificates.map((der) => der.toString('hex')), chain.map((der) => der.toString('hex')), name)
    assert.equal(contents.keys.length, 3)
    assert.equal(contents.keys[0]?.alias, 'Bücher 1')
    assert.equal(contents.entries[1]?.alias, null)
    assert.deepEqual([contents.crls.length, contents.requests.length, contents.publicKeys.length], [1, 1, 1])
    assert.deepEqual(contents.locked.map(({ code, where }) => [code, /ENCRYPTED PRIVATE KEY/.test(where)]), [['PASSWORD_WRONG', true]])
    assert.deepEqual(contents.problems.map(({ code }) => code), ['PEM_INVALID', 'PEM_INVALID', 'PEM_INVALID', 'KEYSTORE_INVALID', 'KEYSTORE_INVALID', 'PEM_INVALID'])
    assert.match(contents.problems[0]?.where ?? '', /^the block "CERTIFICATE" that begins in line \d+$/)
  }
})

test('passwords are tried in order; none given and none that fits are told apart', { timeout: 60_000 }, async () => {
  const encrypted = openssl(['pkcs8', '-topk8', '-v1', 'PBE-SHA1-3DES', '-passout', 'pass:x'], keyPem)
  const old = openssl(['ec', '-aes128', '-passout', 'pass:x'], keyPem)
  const p12 = await one({ format: 'pkcs12', alias: 'a', password: 'x', now, iterations: 100, macIterations: 100 })
  for (const bytes of [Buffer.from(encrypted), Buffer.from(old), p12, derOf(encrypted)]) {
    await assert.rejects(readContainer(bytes), { code: 'PASSWORD_NEEDED' })
    await assert.rejects(readContainer(bytes, { password: null }), { code: 'PASSWORD_NEEDED' })
    await assert.rejects(readContainer(bytes, { password: '' }), { code: 'PASSWORD_WRONG' })
    await assert.rejects(readContainer(bytes, { passwords: ['a', 'b'] }), { code: 'PASSWORD_WRONG' })
    const { keys } = await readContainer(bytes, { password: 'a', passwords: ['b', 'x', 'c'] })
    assert.ok(keys[0] && sameKey(keys[0].privateKey, leaf.privateKey))
  }
  await assert.rejects(readContainer(fixture('keytool.jks'), { password: 'x' }), { code: 'PASSWORD_WRONG' })
  await assert.rejects(readContainer(p12, { passwords: Array.from({ length: 51 }, (_, i) => `p${i}`) }), { code: 'LIMIT_EXCEEDED' })
  const withCertificate = await readContainer(Buffer.from(encrypted + certPem))
  assert.deepEqual([withCertificate.certificates.length, withCertificate.keys.length, withCertificate.locked.map(({ code }) => code)], [1, 0, ['PASSWORD_NEEDED']])
})

test('keystores say what is locked and whether they were checked', async () => {
  const open = await readContainer(fixture('keytool.jks'))
  assert.equal(open.integrity, 'unchecked')
  assert.deepEqual(open.locked.map(({ alias, code }) => `${alias} ${code}`).toSorted(), ['ec PASSWORD_NEEDED', 'ed25519 PASSWORD_NEEDED'])
  assert.equal(open.certificates.length, 2, 'a certificate that is there twice is given once')
  const checked = await readContainer(fixture('keytool.jks'), { password: 'fixture' })
  assert.equal(checked.integrity, 'checked')
  assert.deepEqual(checked.locked, [{ where: 'the entry "ec"', alias: 'ec', code: 'PASSWORD_WRONG' }])
  const all = await readContainer(fixture('keytool.jceks'), { password: 'fixture', keyPasswords: new Map([['EC', 'own-key']]) })
  assert.deepEqual([all.locked, all.keys.length, all.entries.filter(({ kind }) => kind === 'opaque').length], [[], 2, 2])
  const p12 = await readContainer(await one({ format: 'pkcs12', alias: 'a', password: null, now }))
  assert.deepEqual([p12.integrity, p12.keys.length, p12.certificates.length], ['none', 1, 2])
})

test('several DER structures after one another are read, and junk behind them is said', async () => {
  const both = await readContainer(Buffer.concat([...chain, leaf.privateKey, Buffer.from('\r\n\0')]))
  assert.deepEqual([both.certificates.length, both.keys.length, both.problems], [3, 1, []])
  const junk = await readContainer(Buffer.concat([leaf.certificate, Buffer.from('junk')]))
  assert.deepEqual([junk.certificates.length, junk.problems.map(({ where }) => where)], [1, ['part 2 of the file']])
})

test('what is written comes in the order and with the parts that were asked for', { timeout: 60_000 }, async () => {
  const labels = (bytes: Buffer | undefined) => splitPem(String(bytes)).map(({ label, der }) => (label === 'CERTIFICATE' ? ['leaf', 'chain', 'root'][chain.findIndex((known) => known.equals(der))] : label))
  const bundle = async (order: ('key' | 'leaf' | 'chain' | 'root')[]) => labels((await writeContainer(material, { format: 'pem-bundle', order }))[0]?.bytes)
  assert.deepEqual(await bundle(['leaf', 'chain']), ['leaf', 'chain'])
  assert.deepEqual(await bundle(['key', 'leaf', 'chain']), ['PRIVATE KEY', 'leaf', 'chain'])
  assert.deepEqual(await bundle(['leaf', 'chain', 'root', 'key']), ['leaf', 'chain', 'root', 'PRIVATE KEY'])
  const parts = async (form: ContainerForm) => (await writeContainer(material, form)).map(({ role, bytes }) => [role, form.format === 'pem' ? labels(bytes) : recognise(bytes)])
  assert.deepEqual(await parts({ format: 'pem' }), [['certificate', ['leaf']], ['chain', ['chain']], ['key', ['PRIVATE KEY']]])
  assert.deepEqual(await parts({ format: 'pem', withRoot: true, password: 'x', encryption: 'old' }), [['certificate', ['leaf']], ['chain', ['chain', 'root']], ['key', ['ENCRYPTED PRIVATE KEY']]])
  assert.deepEqual(await parts({ format: 'der' }), [['certificate', 'der-certificate'], ['key', 'der-key']])
  assert.deepEqual(await parts({ format: 'der', password: 'x' }), [['certificate', 'der-certificate'], ['key', 'der-encrypted-key']])
  assert.deepEqual(await parts({ format: 'pkcs8', encoding: 'der' }), [['key', 'der-key']])
  assert.deepEqual(await parts({ format: 'pkcs8' }), [['key', 'pem']])
  assert.deepEqual((await readContainer(await one({ format: 'pkcs7', withRoot: true }))).certificates, chain)
  for (const format of ['pkcs12', 'jks', 'jceks'] as const) {
    const trust = await writeContainer({ certificates: chain }, { format, alias: 'ca', password: 'secret', now })
    const { entries } = await readContainer(trust[0]?.bytes ?? Buffer.alloc(0), { password: 'secret' })
    assert.deepEqual(entries.map(({ kind, alias }) => `${kind} ${alias}`), ['certificate ca', 'certificate ca-2', 'certificate ca-3'], format)
    const full = await readContainer(await one({ format, alias: 'ca', password: 'secret', now, withRoot: true }), { password: 'secret' })
    assert.deepEqual(full.entries.map((entry) => (entry.kind === 'key' ? entry.certificates.length : entry.kind)), [3], format)
  }
  assert.deepEqual((await readContainer(await one({ format: 'jks', alias: 'a', password: 'secret', keyPassword: 'other', now }), { password: 'secret' })).locked.map(({ code }) => code), ['PASSWORD_WRONG'])
})

test('what does not belong together is not written', async () => {
  await assert.rejects(writeContainer({ certificates: chain, privateKey: other.privateKey }, { format: 'pem' }), { code: 'KEY_MISMATCH', message: /CN=leaf ec-256/ })
  await assert.rejects(writeContainer({ certificates: [], privateKey: leaf.privateKey }, { format: 'der' }), { code: 'INPUT_INVALID' })
  await assert.rejects(writeContainer({ certificates: chain }, { format: 'pkcs8' }), { code: 'INPUT_INVALID' })
  await assert.rejects(writeContainer(material, { format: 'pem-bundle', order: ['leaf', 'leaf'] }), { code: 'INPUT_INVALID' })
  await assert.rejects(writeContainer({ certificates: chain, privateKey: Buffer.from('nonsense') }, { format: 'pem' }), { code: 'KEY_INVALID' })
  assert.equal((await writeContainer({ certificates: [leaf.certificate], privateKey: createPrivateKey(keyPem) }, { format: 'pem' })).length, 2)
})

test('limits: bytes, blocks and the iterations of all encrypted parts together', { timeout: 60_000 }, async () => {
  const limits = { ...defaultReadLimits, maxEntries: 3, maxIterations: 10_000 }
  await assert.rejects(readContainer(Buffer.alloc(11), { limits: { ...limits, maxBytes: 10 } }), { code: 'LIMIT_EXCEEDED' })
  await assert.rejects(readContainer(Buffer.from(certPem.repeat(4)), { limits }), { code: 'LIMIT_EXCEEDED', message: /3 PEM blocks/ })
  await assert.rejects(readContainer(Buffer.concat(Array.from({ length: 4 }, () => leaf.certificate)), { limits }), { code: 'LIMIT_EXCEEDED' })
  assert.equal((await readContainer(Buffer.from(certPem.repeat(3)), { limits })).certificates.length, 1)
  const encrypted = openssl(['pkcs8', '-topk8', '-iter', '4000', '-passout', 'pass:x'], keyPem)
  assert.equal((await readContainer(Buffer.from(encrypted.repeat(2)), { password: 'x', limits })).keys.length, 2)
  await assert.rejects(readContainer(Buffer.from(encrypted.repeat(3)), { password: 'x', limits }), { code: 'LIMIT_EXCEEDED', message: /12000 password iterations .* at most 10000 / })
  await assert.rejects(readContainer(Buffer.from(encrypted), { passwords: ['a', 'b', 'x'], limits }), { code: 'LIMIT_EXCEEDED' })
  const [p12, jceks] = [
    await one({ format: 'pkcs12', alias: 'a', password: 'x', now, iterations: 100, macIterations: 1_000 }),
    await writeJceks({ entries: [{ kind: 'key', alias: 'a', privateKey: leaf.privateKey, certificates: [leaf.certificate], createdAt: null }] }, 'x', { iterations: 1_000 }),
  ]
  const tries = (bytes: Buffer, count: number): Promise<unknown> => readContainer(bytes, { passwords: [...Array.from({ length: count }, (_, i) => `wrong ${i}`), 'x'], limits })
  await tries(p12, 8)
  await assert.rejects(tries(p12, 9), { code: 'LIMIT_EXCEEDED', message: /at most 10000 / })
  await tries(jceks, 4)
  await assert.rejects(tries(jceks, 5), { code: 'LIMIT_EXCEEDED' })
})

test('a PEM file of 50,000 certificates takes time in proportion to its length', { timeout: 240_000 }, async () => {
  // Each one another: the serial number's last bytes, which no outline depends on.
  const place = leaf.certificate.indexOf(Buffer.from('0214', 'hex')) + 10
  const pem = (count: number): Buffer => Buffer.from(Array.from({ length: count }, (_, i) => {
    const der = Buffer.from(leaf.certificate)
    der.writeUInt32BE(i, place)
    return toPem('CERTIFICATE', der)
  }).join(''))
  const limits = { ...defaultReadLimits, maxBytes: 100_000_000, maxEntries: 50_000 }
  const measured = async (bytes: Buffer, expected: number): Promise<number> => {
    const begin = performance.now()
    assert.equal((await readContainer(bytes, { limits })).certificates.length, expected)
    return performance.now() - begin
  }
  const [small, large] = [pem(5_000), pem(50_000)]
  await measured(small, 5_000)
  const [first, second] = [await measured(small, 5_000), await measured(large, 50_000)]
  assert.ok(second < 40 * first + 1_000, `${first} ms for 5,000 certificates and ${second} ms for 50,000`)
  assert.ok(second < 60_000)
  await assert.rejects(readContainer(large), { code: 'LIMIT_EXCEEDED' })
})

test('text of one line, of marks alone and of lines without end takes no long time', { timeout: 60_000 }, async () => {
  for (const text of [`-----BEGIN ${'A'.repeat(5_000_000)}`, '-----BEGIN A-----\n'.repeat(15_000), `-----BEGIN A-----\n${'AAAA\n'.repeat(1_000_000)}`, `M${'A'.repeat(8_000_000)}`, `MII${' '.repeat(8_000_000)}!`, '\n'.repeat(8_000_000), `-----BEGIN A-----\n${'A: ,\n'.repeat(1_000_000)}`]) {
    const begin = performance.now()
    await assert.rejects(readContainer(Buffer.from(text)), (error: { code?: string }) => error.code === 'PEM_INVALID' || error.code === 'KEYSTORE_INVALID', text.slice(0, 30))
    assert.ok(performance.now() - begin < 15_000, text.slice(0, 30))
  }
})

test('fuzz: any file is recognised, and read or refused in words', { timeout: 120_000 }, async (t) => {
  const corpus = (await samples(temporaryFolder(t))).map(([, , bytes]) => bytes).filter(({ length }) => length > 0)
  await fuzzParser({ corpus, parse: recognise, codes: [] })
  await fuzzParser({
    corpus, milliseconds: 4_000, parse: (bytes) => readContainer(bytes, { passwords: ['x'], limits: { ...defaultReadLimits, maxIterations: 5_000 } }),
    codes: ['KEYSTORE_INVALID', 'KEY_INVALID', 'PEM_INVALID', 'PASSWORD_NEEDED', 'PASSWORD_WRONG', 'LIMIT_EXCEEDED', 'KEY_ALGORITHM_UNSUPPORTED'],
  })
})

test('others run while hundreds of keys are read, plain or encrypted', { timeout: 60_000 }, async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const plain = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const encrypted = privateKey.export({ type: 'sec1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'right' }).toString()
  const der = Buffer.concat(Array.from({ length: 100 }, () => privateKey.export({ type: 'pkcs8', format: 'der' })))
  for (const file of [Buffer.from(plain.repeat(100)), Buffer.from(encrypted.repeat(100)), der]) {
    let turns = 0
    const count = () => { turns++; counting = setImmediate(count) }
    let counting = setImmediate(count)
    const { keys } = await readContainer(file, { passwords: ['wrong', 'right'] })
    clearImmediate(counting)
    assert.equal(keys.length, 100)
    assert.ok(turns >= 100, `${turns} turns`)
  }
})
