import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { leftOut, requireTool, type Tool } from '@certloop/test-kit'
import { temporaryFolder } from '../openssl-testing.ts'
import { splitPem } from '../pem.ts'
import { readContainer, writeContainer, type ContainerForm } from './container.ts'
import { makeKeyMaterial, sameKey, type KeyMaterial } from './container-testing.ts'

/**
 * The door to all containers against the tools that people use. Each line of a table is a container with a kind of
 * password; each is tried with every key type that the tool knows, and counted, so that none falls away unseen.
 */
const passwords = { ascii: 'secret word', unicode: 'pässwörd €', empty: '' } as const
const now = new Date('2026-01-02T03:04:05Z')
const date = { alias: 'the entry', now }

/** Runs a tool in a folder of its own: files in, standard output out. */
class Bench {
  readonly folder: string
  readonly covered = new Set<string>()
  constructor(t: TestContext) { this.folder = temporaryFolder(t) }
  at(name: string): string { return join(this.folder, name) }
  put(name: string, bytes: string | Uint8Array): string {
    writeFileSync(this.at(name), bytes)
    return this.at(name)
  }
  run(tool: Tool | 'pk12util', ...args: string[]): string {
    // pk12util comes in the same package as certutil.
    const program = tool === 'pk12util' ? requireTool('certutil').replace(/certutil$/, 'pk12util') : requireTool(tool)
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C.UTF-8' } })
  }
  count(...words: string[]): void {
    const name = words.join(', ')
    assert.ok(!this.covered.has(name), `${name} is there twice`)
    this.covered.add(name)
  }
}

const samePublicKey = (pem: string, material: KeyMaterial): boolean => createPublicKey(material.pem.key).equals(createPublicKey(pem))
const certificatesIn = (text: string): string[] => splitPem(text).filter(({ label }) => label === 'CERTIFICATE').map(({ der }) => der.toString('hex'))
const hexOf = (certificates: readonly Buffer[]): string[] => certificates.map((der) => der.toString('hex'))
/** The usual number of password iterations is for the first type alone: with all of them the test would take minutes. */
function withFewIterations(form: ContainerForm): ContainerForm {
  switch (form.format) {
    case 'pkcs7': case 'jks': case 'jceks': return form
    default: return { iterations: 2_000, ...form }
  }
}
async function written(material: KeyMaterial, form: ContainerForm): Promise<Buffer> {
  const parts = await writeContainer(material, material.type === 'rsa-2048' ? form : withFewIterations(form))
  return (parts.find(({ role }) => role === (form.format === 'pkcs8' || form.format === 'der' ? 'key' : 'certificate')) ?? parts[0])?.bytes ?? Buffer.alloc(0)
}
/** Password and form of the key, the words of the table. */
const keyForms: [string, keyof typeof passwords | undefined, ContainerForm][] = [
  ['PKCS#8 PEM', undefined, { format: 'pkcs8' }], ['PKCS#8 DER', undefined, { format: 'pkcs8', encoding: 'der' }],
  ['encrypted PKCS#8 PEM', 'ascii', { format: 'pkcs8', password: passwords.ascii }], ['encrypted PKCS#8 PEM', 'unicode', { format: 'pkcs8', password: passwords.unicode }],
  ['encrypted PKCS#8 PEM', 'empty', { format: 'pkcs8', password: passwords.empty }], ['encrypted PKCS#8 DER', 'ascii', { format: 'pkcs8', encoding: 'der', password: passwords.ascii }], ['old encrypted PKCS#8 PEM', 'ascii', { format: 'pkcs8', password: passwords.ascii, encryption: 'old' }],
]
const textOf = (kind: keyof typeof passwords | undefined): string => (kind ? passwords[kind] : '')
const isDer = (form: ContainerForm): boolean => 'encoding' in form && form.encoding === 'der'

async function assertKeyRead(bytes: Buffer, password: string | undefined, material: KeyMaterial, what: string): Promise<void> {
  const { keys, problems } = await readContainer(bytes, password === undefined ? {} : { password })
  assert.deepEqual(problems, [], what)
  assert.ok(keys.length === 1 && keys[0] && sameKey(keys[0].privateKey, material.privateKey), what)
}
async function assertKeystoreRead(bytes: Buffer, password: string, material: KeyMaterial, what: string): Promise<void> {
  const { entries } = await readContainer(bytes, { password })
  const entry = entries.find(({ kind }) => kind === 'key')
  assert.ok(entry?.kind === 'key' && sameKey(entry.privateKey, material.privateKey), what)
  assert.deepEqual(hexOf(entry.certificates), hexOf(material.certificates), what)
}

const opensslTypes = ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-256', 'ec-384', 'ec-521', 'ed25519', 'ed448', 'rsa-pss-2048']

test('written here, read by openssl', { skip: leftOut('openssl'), timeout: 240_000 }, async (t) => {
  const bench = new Bench(t)
  const openssl = (...args: string[]) => bench.run('openssl', ...args)
  for (const material of makeKeyMaterial(t, opensslTypes)) {
    const { type, certificates } = material
    for (const [container, kind, form] of keyForms) {
      const file = bench.put('key', await written(material, form))
      assert.ok(samePublicKey(openssl('pkey', '-in', file, '-inform', container.slice(-3), '-passin', `pass:${textOf(kind)}`, '-pubout'), material), `${container} ${type}`)
      bench.count(type, container, kind ?? 'none')
    }
    for (const [container, args] of [['certificate PEM', { format: 'pem' }], ['certificate DER', { format: 'der' }]] as const) {
      const [part] = await writeContainer(material, args)
      assert.deepEqual(certificatesIn(openssl('x509', '-in', bench.put('cert', part?.bytes ?? ''), '-inform', container.slice(-3))), hexOf(certificates.slice(0, 1)))
      bench.count(type, container)
    }
    const bundle = bench.put('bundle', await written(material, { format: 'pem-bundle', order: ['key', 'leaf', 'chain', 'root'] }))
    assert.ok(samePublicKey(openssl('pkey', '-in', bundle, '-pubout'), material))
    openssl('crl2pkcs7', '-nocrl', '-certfile', bundle, '-out', bench.at('out'))
    assert.deepEqual(certificatesIn(openssl('pkcs7', '-in', bench.at('out'), '-print_certs')), hexOf(certificates))
    bench.count(type, 'bundle')
    for (const encoding of ['pem', 'der'] as const) {
      const file = bench.put('p7', (await writeContainer(material, { format: 'pkcs7', encoding, withRoot: true }))[0]?.bytes ?? '')
      assert.deepEqual(certificatesIn(openssl('pkcs7', '-in', file, '-inform', encoding, '-print_certs')), hexOf(certificates))
      bench.count(type, `PKCS#7 ${encoding}`)
    }
    const file = bench.put('p12', await written(material, { format: 'pkcs12', password: passwords.unicode, withRoot: true, ...date }))
    const text = openssl('pkcs12', '-in', file, '-passin', `pass:${passwords.unicode}`, '-nodes')
    assert.ok(samePublicKey(openssl('pkey', '-in', bench.put('key', text), '-pubout'), material))
    assert.deepEqual(certificatesIn(text).toSorted(), hexOf(certificates).toSorted())
    assert.match(text, /friendlyName: the entry/)
    // What openssl prints, attributes and all, is one of the texts that are read here.
    const back = await readContainer(Buffer.from(text))
    assert.deepEqual([back.keys[0]?.alias, back.certificates.length, back.problems], ['the entry', 2, []])
    bench.count(type, 'PKCS#12', 'unicode')
  }
  assert.equal(bench.covered.size, 9 * (7 + 2 + 1 + 2 + 1))
})

test('written by openssl, read here', { skip: leftOut('openssl'), timeout: 240_000 }, async (t) => {
  const bench = new Bench(t)
  const openssl = (...args: string[]) => bench.run('openssl', ...args)
  const password = (kind: keyof typeof passwords): string[] => ['-passout', `pass:${passwords[kind]}`]
  /** Container, password kind, arguments; types that have no such form are left out by the pattern. */
  const forms: [string, keyof typeof passwords | undefined, string[], RegExp][] = [
    ['PKCS#8 PEM', undefined, ['pkcs8', '-topk8', '-nocrypt'], /./], ['PKCS#8 DER', undefined, ['pkcs8', '-topk8', '-nocrypt', '-outform', 'DER'], /./],
    ['PKCS#1 PEM', undefined, ['rsa', '-traditional'], /^rsa-\d/], ['PKCS#1 DER', undefined, ['rsa', '-traditional', '-outform', 'DER'], /^rsa-\d/], ['SEC1 PEM', undefined, ['ec'], /^ec/], ['SEC1 DER', undefined, ['ec', '-outform', 'DER'], /^ec/],
    ['encrypted PKCS#1', 'ascii', ['rsa', '-traditional', '-aes256', ...password('ascii')], /^rsa-\d/], ['encrypted PKCS#1, 3DES', 'unicode', ['rsa', '-traditional', '-des3', ...password('unicode')], /^rsa-\d/], ['encrypted SEC1', 'ascii', ['ec', '-aes128', ...password('ascii')], /^ec/],
    ['PBES2, AES', 'ascii', ['pkcs8', '-topk8', ...password('ascii')], /./], ['PBES2, AES', 'unicode', ['pkcs8', '-topk8', ...password('unicode')], /./], ['PBES2, AES', 'empty', ['pkcs8', '-topk8', ...password('empty')], /./],
    ['PBES2, 3DES, SHA-1', 'ascii', ['pkcs8', '-topk8', '-v2', 'des3', '-v2prf', 'hmacWithSHA1', ...password('ascii')], /./], ['PBES2, AES-128, SHA-512', 'ascii', ['pkcs8', '-topk8', '-v2', 'aes128', '-v2prf', 'hmacWithSHA512', ...password('ascii')], /./],
    ['PBES2, scrypt', 'ascii', ['pkcs8', '-topk8', '-scrypt', ...password('ascii')], /./], ['PKCS#12 PBE, 3DES', 'ascii', ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-3DES', ...password('ascii')], /./], ['PKCS#12 PBE, 3DES', 'unicode', ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-3DES', ...password('unicode')], /./],
    ['PBES2, AES, DER', 'ascii', ['pkcs8', '-topk8', '-outform', 'DER', ...password('ascii')], /./],
  ]
  for (const material of makeKeyMaterial(t, opensslTypes)) {
    const { type, certificates, pem } = material
    const key = bench.put('key', pem.key)
    const leaf = bench.put('leaf', pem.leaf)
    const root = bench.put('root', pem.root)
    for (const [container, kind, args] of forms.filter(([, , , types]) => types.test(type))) {
      openssl(...args, '-in', key, '-out', bench.at('out'))
      await assertKeyRead(readFileSync(bench.at('out')), kind && passwords[kind], material, `${container} ${type}`)
      bench.count(type, container, kind ?? 'none')
    }
    for (const encoding of ['PEM', 'DER']) {
      openssl('x509', '-in', leaf, '-outform', encoding, '-out', bench.at('out'))
      assert.deepEqual(hexOf((await readContainer(readFileSync(bench.at('out')))).certificates), hexOf(certificates.slice(0, 1)))
      bench.count(type, `certificate ${encoding}`)
      openssl('crl2pkcs7', '-nocrl', '-certfile', leaf, '-certfile', root, '-outform', encoding, '-out', bench.at('out'))
      assert.deepEqual(hexOf((await readContainer(readFileSync(bench.at('out')))).certificates), hexOf(certificates))
      bench.count(type, `PKCS#7 ${encoding}`)
    }
    const text = bench.put('text', openssl('x509', '-text', '-in', leaf) + openssl('x509', '-text', '-in', root) + pem.key)
    const found = await readContainer(readFileSync(text))
    assert.deepEqual([hexOf(found.certificates), found.keys.length], [hexOf(certificates), 1])
    bench.count(type, 'certificates with text, and key')
    openssl('pkcs12', '-export', '-inkey', key, '-in', leaf, '-certfile', root, '-name', 'the entry', '-out', bench.at('out'), ...password('unicode'))
    await assertKeystoreRead(readFileSync(bench.at('out')), passwords.unicode, material, `PKCS#12 ${type}`)
    bench.count(type, 'PKCS#12', 'unicode')
  }
  // Eleven forms of key for all types, three for EC alone, four for three sizes of RSA; and six other files.
  assert.equal(bench.covered.size, 9 * (11 + 6) + 3 * 3 + 3 * 4)
})

const passwordArguments = (password: string | undefined): string[] => (password === undefined ? [] : ['--password', password])
const derArgument = (isIt: boolean): string[] => (isIt ? ['--inder'] : [])

test('written here, read by certtool', { skip: leftOut('certtool'), timeout: 240_000 }, async (t) => {
  const bench = new Bench(t)
  const certtool = (...args: string[]) => bench.run('certtool', ...args)
  const publicKeyOf = (file: string, password: string | undefined, der = false) => certtool('--pubkey-info', '--load-privkey', file, ...derArgument(der), ...passwordArguments(password))
  for (const material of makeKeyMaterial(t, opensslTypes)) {
    const { type, certificates } = material
    // certtool takes an empty password for none on its command line.
    for (const [container, kind, form] of keyForms.filter(([, kind]) => kind !== 'empty')) {
      const file = bench.put('key', await written(material, form))
      assert.ok(samePublicKey(publicKeyOf(file, kind && passwords[kind], isDer(form)), material), `${container} ${type}`)
      bench.count(type, container, kind ?? 'none')
    }
    for (const encoding of ['pem', 'der'] as const) {
      const certificate = bench.put('cert', (await writeContainer(material, { format: encoding }))[0]?.bytes ?? '')
      assert.deepEqual(certificatesIn(certtool('--certificate-info', '--infile', certificate, ...derArgument(encoding === 'der'))), hexOf(certificates.slice(0, 1)))
      bench.count(type, `certificate ${encoding}`)
      const bundle = bench.put('p7', (await writeContainer(material, { format: 'pkcs7', encoding, withRoot: true }))[0]?.bytes ?? '')
      assert.deepEqual(certificatesIn(certtool('--p7-info', '--infile', bundle, ...derArgument(encoding === 'der'))).toSorted(), hexOf(certificates).toSorted())
      bench.count(type, `PKCS#7 ${encoding}`)
    }
    const store = bench.put('p12', await written(material, { format: 'pkcs12', password: passwords.unicode, withRoot: true, ...date }))
    const text = certtool('--p12-info', '--inder', '--infile', store, '--password', passwords.unicode)
    const key = splitPem(text).find(({ label }) => label === 'ENCRYPTED PRIVATE KEY')
    assert.ok(samePublicKey(publicKeyOf(bench.put('key', key?.pem ?? ''), passwords.unicode), material))
    assert.deepEqual(certificatesIn(text).toSorted(), hexOf(certificates).toSorted())
    bench.count(type, 'PKCS#12', 'unicode')
  }
  assert.equal(bench.covered.size, 9 * (6 + 4 + 1))
})

test('written by certtool, read here', { skip: leftOut('certtool'), timeout: 240_000 }, async (t) => {
  const bench = new Bench(t)
  const certtool = (...args: string[]) => bench.run('certtool', ...args)
  const forms: [string, keyof typeof passwords | undefined, string[]][] = [
    ['PKCS#8 PEM', undefined, []], ['PBES2, AES-256', 'unicode', ['--pkcs-cipher', 'aes-256']], ['PBES2, AES-256', 'ascii', ['--pkcs-cipher', 'aes-256']],
    ['PBES2, 3DES', 'ascii', ['--pkcs-cipher', '3des']], ['PKCS#12 PBE, 3DES', 'unicode', ['--pkcs-cipher', '3des-pkcs12']],
  ]
  for (const material of makeKeyMaterial(t, opensslTypes)) {
    const { type, pem } = material
    const plain = bench.put('plain', pem.key)
    // certtool spends 600,000 iterations on each: all ways for the first type, two for the others.
    for (const [container, kind, args] of type === 'rsa-2048' ? forms : forms.slice(0, 2)) {
      certtool('--to-p8', '--load-privkey', plain, '--outfile', bench.at('out'), ...(kind ? passwordArguments(passwords[kind]) : ['--empty-password']), ...args)
      await assertKeyRead(readFileSync(bench.at('out')), textOf(kind), material, `${container} ${type}`)
      bench.count(type, container, kind ?? 'none')
    }
    certtool('--to-p12', '--load-privkey', plain, '--load-certificate', bench.put('leaf', pem.leaf), '--load-ca-certificate', bench.put('root', pem.root), '--p12-name', 'the entry', '--password', passwords.unicode, '--outder', '--outfile', bench.at('out'))
    await assertKeystoreRead(readFileSync(bench.at('out')), passwords.unicode, material, `PKCS#12 ${type}`)
    bench.count(type, 'PKCS#12', 'unicode')
  }
  assert.equal(bench.covered.size, 5 + 8 * 2 + 9)
})

test('written here, taken in by NSS, given out by NSS and read here', { skip: leftOut('certutil'), timeout: 240_000 }, async (t) => {
  const bench = new Bench(t)
  // NSS of today takes neither Ed25519 nor Ed448, and RSA-PSS as certificates alone.
  const nssKeys = ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-256', 'ec-384', 'ec-521']
  for (const material of makeKeyMaterial(t, [...nssKeys, 'rsa-pss-2048'])) {
    const { type, certificates } = material
    const database = `sql:${bench.at(type)}`
    mkdirSync(bench.at(type))
    bench.run('certutil', '-N', '-d', database, '--empty-password')
    for (const encoding of ['pem', 'der'] as const) {
      const file = bench.put('cert', (await writeContainer(material, { format: encoding }))[0]?.bytes ?? '')
      bench.run('certutil', '-A', '-d', database, '-n', encoding, '-t', ',,', '-i', file, ...(encoding === 'pem' ? ['-a'] : []))
      const back = await readContainer(Buffer.from(bench.run('certutil', '-L', '-d', database, '-n', encoding, '-a')))
      assert.deepEqual(hexOf(back.certificates), hexOf(certificates.slice(0, 1)))
      bench.run('certutil', '-D', '-d', database, '-n', encoding)
      bench.count(type, `certificate ${encoding}`)
    }
    if (!nssKeys.includes(type)) continue
    const store = bench.put('p12', await written(material, { format: 'pkcs12', password: passwords.unicode, withRoot: true, ...date }))
    bench.run('pk12util', '-i', store, '-d', database, '-W', passwords.unicode, '-K', '')
    bench.run('pk12util', '-o', bench.at('out'), '-n', 'the entry', '-d', database, '-W', passwords.unicode, '-K', '')
    await assertKeystoreRead(readFileSync(bench.at('out')), passwords.unicode, material, `PKCS#12 ${type}`)
    bench.count(type, 'PKCS#12', 'unicode')
  }
  assert.equal(bench.covered.size, 7 * 2 + 6)
})

test('written here, read by keytool, and the other way round', { skip: leftOut('keytool'), timeout: 240_000 }, async (t) => {
  const bench = new Bench(t)
  const types = ['rsa-2048', 'ec-256', 'ed25519', 'rsa-pss-2048']
  for (const material of makeKeyMaterial(t, types)) {
    const { type, certificates } = material
    for (const format of ['jks', 'pkcs12'] as const) {
      const store = bench.put(`${type}.${format}`, await written(material, { format, password: passwords.ascii, withRoot: true, alias: 'entry', now }))
      const out = bench.at(`${type}-out.${format}`)
      const from = ['-srckeystore', store, '-srcstoretype', format, '-srcstorepass', passwords.ascii]
      bench.run('keytool', '-importkeystore', '-noprompt', ...from, '-destkeystore', out, '-deststoretype', format, '-deststorepass', passwords.ascii)
      await assertKeystoreRead(readFileSync(out), passwords.ascii, material, `${format} ${type}`)
      assert.equal(certificates.length, 2)
      bench.count(type, format, 'ascii')
    }
    const file = bench.put('p7', (await writeContainer(material, { format: 'pkcs7', withRoot: true }))[0]?.bytes ?? '')
    assert.deepEqual(certificatesIn(bench.run('keytool', '-printcert', '-rfc', '-file', file)), hexOf(certificates))
    bench.count(type, 'PKCS#7 der')
  }
  assert.equal(bench.covered.size, 4 * 3)
})
