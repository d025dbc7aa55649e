import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { keyAlgorithms, type KeyAlgorithm } from '@certloop/contract'
import { findTool, leftOut } from '@certloop/test-kit'
import { temporaryFolder } from '../openssl-testing.ts'
import { toPem } from '../pem.ts'
import { readPkcs12 } from './pkcs12.ts'
import { flatPem, flatSummary, passwords, protections, shapes, summary, testStores } from './pkcs12-peers-testing.ts'
import { writePkcs12 } from './pkcs12-writer.ts'

const stores = await testStores(keyAlgorithms.filter((algorithm) => !algorithm.startsWith('ml-dsa')))
const iterations = { iterations: 500, macIterations: 500 }
const nssKnows = keyAlgorithms.filter((algorithm) => /^(rsa|ec)-/.test(algorithm))
const gnutlsKnows = keyAlgorithms.filter((algorithm) => !algorithm.startsWith('ml-dsa'))
const kinds = ['normal', 'foreign', 'empty'] as const

function run(program: string, args: readonly string[], cwd?: string): string {
  // UTF-8 whatever the machine: the tools turn the password of the command line into UTF-16 by it.
  return execFileSync(program, args, { encoding: 'utf8', input: '', stdio: ['pipe', 'pipe', 'pipe'], cwd, env: { ...process.env, LC_ALL: 'C.UTF-8' } })
}

/** An empty NSS database, and its tools on it. */
function nssDatabase(folder: string): { pk12util: (...args: string[]) => string } {
  const certutil = findTool('certutil') ?? 'certutil'
  const database = join(folder, 'nss')
  rmSync(database, { recursive: true, force: true })
  execFileSync('mkdir', [database])
  run(certutil, ['-N', '-d', database, '--empty-password'])
  return {
    // In the folder of the test: listing leaves every certificate in a file.
    pk12util: (...args) => run(join(dirname(certutil), 'pk12util'), ['-d', database, ...args], folder),
  }
}

const certificateBags = { 'one': 1, 'one with chain': 3, 'several': 3, 'several with chain': 5 }

test('NSS reads what is written here: every key type it knows, style, password kind and shape', { skip: leftOut('certutil'), timeout: 300_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'p12')
  const nss = nssDatabase(folder)
  let count = 0
  for (const algorithm of nssKnows) {
    for (const { style, kind } of protections) {
      // NSS takes no file without an integrity check.
      if (kind === 'none') continue
      for (const shape of shapes) {
        const store = stores.storeOf(algorithm, shape)
        writeFileSync(file, await writePkcs12(store, passwords[kind], { style, ...iterations }))
        const listed = nss.pk12util('-l', file, '-W', passwords[kind], '-r')
        assert.equal(listed.match(/Certificate/g)?.length, certificateBags[shape], `${algorithm}, ${style}, ${kind}, ${shape}\n${listed}`)
        assert.match(listed, /Friendly Name: site/)
        if (shape === 'one with chain') assert.match(nss.pk12util('-i', file, '-W', passwords[kind]), /IMPORT SUCCESSFUL/)
        count++
      }
    }
  }
  assert.equal(count, 6 * 6 * 4)
})

test('NSS takes a key made here, and what it writes of it is read: BER, its ciphers, every password kind', { skip: leftOut('certutil'), timeout: 300_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const [file, out] = [join(folder, 'p12'), join(folder, 'out.p12')]
  const ciphers: [string, string, 'modern' | 'old'][] = [
    ['AES-256-CBC', 'AES-128-CBC', 'modern'], ['AES-128-CBC', 'none', 'modern'], ['PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC', 'PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC', 'old'],
    ['PKCS #12 V2 PBE With SHA-1 And 128 Bit RC4', 'PKCS #12 V2 PBE With SHA-1 And 128 Bit RC2 CBC', 'old'],
  ]
  const nss = nssDatabase(folder)
  for (const algorithm of nssKnows) {
    const { entries } = stores.storeOf(algorithm, 'one with chain')
    writeFileSync(file, await writePkcs12({ entries: entries.map((entry) => ({ ...entry, alias: algorithm })) }, 'x', iterations))
    nss.pk12util('-i', file, '-W', 'x')
  }
  let count = 0
  const check = async (algorithm: KeyAlgorithm, kind: (typeof kinds)[number], cipher: (typeof ciphers)[number] | undefined): Promise<void> => {
    nss.pk12util('-o', out, '-n', algorithm, '-W', passwords[kind], ...(cipher ? ['-c', cipher[0], '-C', cipher[1]] : []))
    const bytes = readFileSync(out)
    assert.equal(bytes[1], 0x80, 'NSS writes BER')
    const read = await readPkcs12(bytes, passwords[kind])
    const what = `${algorithm}, ${kind}, ${cipher?.join()}`
    assert.deepEqual(flatSummary(read), flatSummary(stores.storeOf(algorithm, 'one with chain')), what)
    assert.deepEqual(read.entries.map((entry) => [entry.kind, entry.alias]), [['key', algorithm]], what)
    if (cipher) assert.equal(read.protection.style, cipher[2], what)
    assert.equal(read.protection.password, kind === 'empty' ? 'empty' : 'given', what)
    count++
  }
  for (const algorithm of nssKnows) await check(algorithm, 'normal', undefined)
  for (const kind of kinds) for (const cipher of ciphers.slice(0, 2)) await check('ec-256', kind, cipher)
  // NSS takes 600,000 iterations for each part, which the old ciphers need own code for: some seconds for every file.
  for (const cipher of ciphers.slice(2)) await check('ec-256', 'foreign', cipher)
  assert.equal(count, 6 + 3 * 2 + 2)
})

test('GnuTLS reads what is written here', { skip: leftOut('certtool'), timeout: 300_000 }, async (t) => {
  const file = join(temporaryFolder(t), 'p12')
  let count = 0
  for (const algorithm of gnutlsKnows) {
    for (const { style, kind } of protections) {
      if (kind === 'none') continue
      for (const shape of shapes) {
        const store = stores.storeOf(algorithm, shape)
        writeFileSync(file, await writePkcs12(store, passwords[kind], { style, ...iterations }))
        const shown = run('certtool', ['--p12-info', '--inder', '--infile', file, '--password', passwords[kind]])
        const keys = [...shown.matchAll(/-----BEGIN ENCRYPTED PRIVATE KEY-----/g)].length
        const expected = flatSummary(store)
        // It shows keys encrypted with the same password: that they are there and whole is what the next test sees.
        assert.deepEqual(flatPem(shown.replace(/-----BEGIN ENCRYPTED[^]*?-----END ENCRYPTED PRIVATE KEY-----/g, '')).filter((line) => line.startsWith('certificate')), expected.filter((line) => line.startsWith('certificate')), `${algorithm}, ${style}, ${kind}, ${shape}`)
        assert.ok(keys + flatPem(shown.replace(/-----BEGIN ENCRYPTED[^]*?-----END ENCRYPTED PRIVATE KEY-----/g, '')).filter((line) => line.startsWith('key')).length >= 1)
        count++
      }
    }
  }
  assert.equal(count, 7 * 6 * 4)
})

test('what GnuTLS writes is read: every key type, cipher and password kind', { skip: leftOut('certtool'), timeout: 300_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const at = (name: string): string => join(folder, name)
  // It takes one certificate of an issuer.
  writeFileSync(at('ca'), toPem('CERTIFICATE', stores.intermediate.certificate))
  let count = 0
  const check = async (algorithm: KeyAlgorithm, kind: (typeof kinds)[number] | 'none', options: string[], style: string): Promise<void> => {
    const leaf = stores.leaves.get(algorithm)
    assert.ok(leaf)
    writeFileSync(at('key'), toPem('PRIVATE KEY', leaf.privateKey))
    writeFileSync(at('certs'), toPem('CERTIFICATE', leaf.certificate))
    rmSync(at('p12'), { force: true })
    const password = kind === 'none' ? ['--null-password'] : kind === 'empty' ? ['--empty-password'] : ['--password', passwords[kind]]
    run('certtool', ['--to-p12', '--load-privkey', at('key'), '--load-certificate', at('certs'), '--load-ca-certificate', at('ca'), '--p12-name', 'site', '--outder', '--outfile', at('p12'), ...password, ...options])
    assert.ok(existsSync(at('p12')))
    const read = await readPkcs12(readFileSync(at('p12')), kind === 'none' ? null : passwords[kind])
    const what = `${algorithm}, ${kind}, ${options.join(' ')}`
    assert.deepEqual(summary(read), summary({ entries: [{ kind: 'key', alias: 'site', privateKey: leaf.privateKey, certificates: [leaf.certificate, stores.intermediate.certificate], createdAt: null }] }), what)
    assert.deepEqual([read.protection.style, read.protection.password], [style, kind === 'empty' || kind === 'none' ? kind : 'given'], what)
    count++
  }
  // It takes 600,000 iterations for each part: a second for every file, several with the old ciphers.
  for (const algorithm of gnutlsKnows) await check(algorithm, 'normal', [], 'modern')
  for (const kind of ['foreign', 'empty', 'none'] as const) for (const cipher of ['aes-128', 'aes-192', 'aes-256']) await check('ec-256', kind, [`--pkcs-cipher=${cipher}`], 'modern')
  for (const [cipher, kind] of [['3des-pkcs12', 'foreign'], ['arcfour', 'empty'], ['rc2-40', 'none']] as const) await check('ec-256', kind, [`--pkcs-cipher=${cipher}`], 'old')
  assert.equal(count, 7 + 3 * 3 + 3)
})
