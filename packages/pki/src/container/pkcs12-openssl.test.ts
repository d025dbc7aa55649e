import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { keyAlgorithms, type KeyAlgorithm } from '@certloop/contract'
import { openssl, opensslKnows, temporaryFolder } from '../openssl-testing.ts'
import { toPem } from '../pem.ts'
import { readPkcs12 } from './pkcs12.ts'
import { flatPem, flatSummary, passwords, protections, shapes, summary, testStores, type PasswordKind } from './pkcs12-peers-testing.ts'
import { writePkcs12 } from './pkcs12-writer.ts'

const known = keyAlgorithms.filter(opensslKnows)
const stores = await testStores(known)
const iterations = { iterations: 500, macIterations: 500 }

test('openssl reads what is written here: every key type, style, password kind and shape', { timeout: 300_000 }, async (t) => {
  const file = join(temporaryFolder(t), 'store.p12')
  let count = 0
  for (const algorithm of known) {
    for (const { style, kind } of protections) {
      for (const shape of shapes) {
        const store = stores.storeOf(algorithm, shape)
        const password = passwords[kind]
        writeFileSync(file, await writePkcs12(store, password, { style, ...iterations }))
        const shown = openssl(['pkcs12', '-in', file, '-nodes', '-passin', `pass:${password ?? ''}`, ...(password === null ? ['-nomacver'] : [])])
        assert.deepEqual(flatPem(shown), flatSummary(store), `${algorithm}, ${style}, ${kind}, ${shape}`)
        assert.match(shown, /friendlyName: site/)
        assert.deepEqual(summary(await readPkcs12(readFileSync(file), password)), summary(store), `read again: ${algorithm}, ${style}, ${kind}, ${shape}`)
        count++
      }
    }
  }
  assert.equal(count, known.length * 7 * 4)
  assert.ok(known.length >= 7)
})

interface Variant { name: string; options: string[]; style: 'modern' | 'old' | 'none'; mac?: 'none' }
const plain: Variant[] = [{ name: 'default', options: [], style: 'modern' }, { name: 'legacy', options: ['-legacy'], style: 'old' }]
const variants: Variant[] = [
  ...['PBE-SHA1-RC2-40', 'PBE-SHA1-RC2-128', 'PBE-SHA1-RC4-128', 'PBE-SHA1-RC4-40', 'PBE-SHA1-3DES', 'PBE-SHA1-2DES'].map((name): Variant => ({ name, options: ['-legacy', '-certpbe', name, '-keypbe', name], style: 'old' })),
  ...['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des-ede3-cbc'].map((name): Variant => ({ name, options: ['-certpbe', name, '-keypbe', name], style: 'modern' })),
  ...['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'].map((name): Variant => ({ name: `MAC ${name}`, options: ['-macalg', name], style: 'modern' })),
  { name: 'certificates not encrypted', options: ['-certpbe', 'NONE'], style: 'modern' },
  { name: 'key not encrypted', options: ['-keypbe', 'NONE'], style: 'modern' },
  { name: 'nothing encrypted', options: ['-keypbe', 'NONE', '-certpbe', 'NONE'], style: 'none' },
  { name: 'no MAC', options: ['-nomac'], style: 'modern', mac: 'none' },
  { name: 'no MAC, old', options: ['-nomac', '-legacy'], style: 'old', mac: 'none' },
  { name: 'no iterations', options: ['-noiter', '-nomaciter'], style: 'modern' },
]

test('what openssl writes is read: every key type and password kind, every cipher and digest', { timeout: 300_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const at = (name: string): string => join(folder, name)
  writeFileSync(at('chain'), toPem('CERTIFICATE', stores.intermediate.certificate) + toPem('CERTIFICATE', stores.root.certificate))
  let count = 0
  const check = async (algorithm: KeyAlgorithm, kind: Exclude<PasswordKind, 'none'>, variant: Variant, withChain: boolean): Promise<void> => {
    const leaf = stores.leaves.get(algorithm)
    assert.ok(leaf)
    writeFileSync(at('pem'), toPem('PRIVATE KEY', leaf.privateKey) + toPem('CERTIFICATE', leaf.certificate))
    const options = [...variant.options, ...(withChain ? ['-certfile', at('chain'), '-caname', 'the issuer'] : [])]
    openssl(['pkcs12', '-export', '-in', at('pem'), '-name', 'site', '-passout', `pass:${passwords[kind]}`, '-out', at('p12'), ...options])
    const read = await readPkcs12(readFileSync(at('p12')), passwords[kind])
    const what = `${algorithm}, ${kind}, ${variant.name}`
    assert.deepEqual(summary(read), summary(stores.storeOf(algorithm, withChain ? 'one with chain' : 'one')), what)
    assert.deepEqual([read.protection.style, read.protection.mac, read.protection.password], [variant.style, variant.mac ?? 'fits', kind === 'empty' ? 'empty' : 'given'], what)
    count++
  }
  for (const kind of ['normal', 'foreign', 'empty'] as const) {
    for (const algorithm of known) for (const variant of plain) for (const withChain of [false, true]) await check(algorithm, kind, variant, withChain)
    for (const variant of variants) await check('ec-256', kind, variant, true)
  }
  assert.equal(count, 3 * (known.length * 4 + 22))
})

test('a file of openssl without password and MAC opens with every password, and says that it has none', async (t) => {
  const folder = temporaryFolder(t)
  const leaf = stores.leaves.get('rsa-2048')
  assert.ok(leaf)
  writeFileSync(join(folder, 'pem'), toPem('PRIVATE KEY', leaf.privateKey) + toPem('CERTIFICATE', leaf.certificate))
  openssl(['pkcs12', '-export', '-in', join(folder, 'pem'), '-name', 'site', '-passout', 'pass:', '-nomac', '-keypbe', 'NONE', '-certpbe', 'NONE', '-out', join(folder, 'p12')])
  for (const password of [null, '', 'anything']) {
    const read = await readPkcs12(readFileSync(join(folder, 'p12')), password)
    assert.deepEqual(summary(read), summary(stores.storeOf('rsa-2048', 'one')))
    assert.deepEqual(read.protection, { password: 'none', mac: 'none', style: 'none', iterations: 0 })
  }
})

test('a wrong, missing or empty password is told apart', async (t) => {
  const folder = temporaryFolder(t)
  const leaf = stores.leaves.get('ec-256')
  assert.ok(leaf)
  writeFileSync(join(folder, 'pem'), toPem('PRIVATE KEY', leaf.privateKey) + toPem('CERTIFICATE', leaf.certificate))
  const make = (kind: 'normal' | 'empty', options: readonly string[]): Buffer => {
    openssl(['pkcs12', '-export', '-in', join(folder, 'pem'), '-passout', `pass:${passwords[kind]}`, '-out', join(folder, 'p12'), ...options])
    return readFileSync(join(folder, 'p12'))
  }
  for (const options of [[], ['-nomac', '-certpbe', 'aes-256-cbc'], ['-legacy'], ['-legacy', '-nomac', '-certpbe', 'PBE-SHA1-RC2-40'], ['-certpbe', 'NONE', '-nomac']]) {
    const normal = make('normal', options)
    for (const wrong of ['wrong', '', 'correct horse 7 ', 'ä']) await assert.rejects(readPkcs12(normal, wrong), { code: 'PASSWORD_WRONG' }, options.join(' '))
    if (!options.includes('NONE')) await assert.rejects(readPkcs12(normal, null), { code: 'PASSWORD_NEEDED' }, options.join(' '))
    const empty = make('empty', options)
    assert.equal((await readPkcs12(empty, '')).protection.password, 'empty')
    await assert.rejects(readPkcs12(empty, 'wrong'), { code: 'PASSWORD_WRONG' })
  }
  await assert.rejects(readPkcs12(make('empty', []), null), { code: 'PASSWORD_NEEDED', message: /has an empty password/ })
})

test('certificates that are not encrypted are listed without a password, their key locked', async (t) => {
  const folder = temporaryFolder(t)
  const leaf = stores.leaves.get('ec-256')
  assert.ok(leaf)
  writeFileSync(join(folder, 'pem'), toPem('PRIVATE KEY', leaf.privateKey) + toPem('CERTIFICATE', leaf.certificate))
  for (const options of [[], ['-nomac']]) {
    openssl(['pkcs12', '-export', '-in', join(folder, 'pem'), '-name', 'site', '-passout', 'pass:secret', '-certpbe', 'NONE', '-out', join(folder, 'p12'), ...options])
    const { entries: [entry], protection } = await readPkcs12(readFileSync(join(folder, 'p12')), null)
    assert.deepEqual([entry?.kind, entry?.alias, protection.password, protection.mac], ['locked-key', 'site', 'unknown', options.length > 0 ? 'none' : 'unchecked'])
    assert.ok(entry?.kind === 'locked-key' && entry.reason === 'no-password' && entry.certificates[0]?.equals(leaf.certificate))
  }
})
