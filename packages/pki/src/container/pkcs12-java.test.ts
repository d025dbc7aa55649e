import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { keyAlgorithms } from '@certloop/contract'
import { findTool, leftOut } from '@certloop/test-kit'
import { temporaryFolder } from '../openssl-testing.ts'
import type { Keystore } from './keystore.ts'
import { readPkcs12 } from './pkcs12.ts'
import { passwords, protections, shapes, summary, testStores, type PasswordKind } from './pkcs12-peers-testing.ts'
import { writePkcs12 } from './pkcs12-writer.ts'

const skip = leftOut('keytool')
const peer = fileURLToPath(new URL('testdata/Pkcs12Peer.java', import.meta.url))
/** ML-DSA came with Java 24; Debian's has none. */
const known = keyAlgorithms.filter((algorithm) => !algorithm.startsWith('ml-dsa'))
const stores = await testStores(known)
const hexOf = (kind: PasswordKind): string => passwords[kind] === null ? '-' : Buffer.from(passwords[kind], 'utf8').toString('hex')

/** Java takes passwords of printable ASCII alone for encrypting and decrypting, whatever the file. */
const foreignRefusal = 'keystore password was incorrect'

/** One Java process for many jobs. @returns a line for each */
function java(jobs: readonly string[], properties: readonly string[] = []): string[] {
  const program = (findTool('keytool') ?? 'keytool').replace(/keytool$/, 'java')
  const answer = execFileSync(program, [...properties.map((property) => `-D${property}`), peer], { encoding: 'utf8', input: jobs.map((job) => `${job}\n`).join(''), stdio: ['pipe', 'pipe', 'pipe'], maxBuffer: 1 << 26 })
  return answer.trimEnd().split('\n')
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** As Pkcs12Peer prints it. Java finds the issuers of every key among all certificates, so that chains are always whole when there is a root. */
function javaSummary({ entries }: Keystore): string {
  const lines = entries.map((entry) => {
    if (entry.kind === 'key') return `${entry.alias}=key:${[entry.privateKey, ...entry.certificates].map(digest).join(':')}`
    return `${entry.alias}=certificate:${entry.kind === 'certificate' ? digest(entry.certificate) : ''}`
  })
  return lines.toSorted().join(' ')
}

test('Java reads what is written here: every key type, style, password kind and shape', { skip, timeout: 300_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const cases: { store: Keystore; what: string; job: string; kind: PasswordKind }[] = []
  for (const algorithm of known) {
    for (const { style, kind } of protections) {
      for (const shape of shapes) {
        const store = stores.storeOf(algorithm, shape)
        const file = join(folder, `${cases.length}.p12`)
        writeFileSync(file, await writePkcs12(store, passwords[kind], { style, iterations: 500, macIterations: 500 }))
        cases.push({ store, what: `${algorithm}, ${style}, ${kind}, ${shape}`, job: `read\t${file}\t${hexOf(kind)}`, kind })
      }
    }
  }
  const answers = java(cases.map(({ job }) => job))
  const differences = cases.flatMap(({ store, what, kind }, i) => {
    // Java knows no keys that are not encrypted; the certificates are there.
    const expected = kind === 'none' ? { entries: store.entries.filter((entry) => entry.kind === 'certificate') } : store
    const isRight = kind === 'foreign' ? answers[i]?.includes(foreignRefusal) : answers[i] === javaSummary(expected)
    return isRight ? [] : [`${what}: ${answers[i]?.slice(0, 200)}`]
  })
  assert.deepEqual(differences, [])
  assert.equal(cases.length, 7 * 7 * 4)
})

test('what Java writes is read: every key type, password kind and shape, its old and new ways', { skip, timeout: 300_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const counts = ['keystore.pkcs12.certPbeIterationCount=500', 'keystore.pkcs12.keyPbeIterationCount=500', 'keystore.pkcs12.macIterationCount=500']
  const oldAlgorithms = ['keystore.pkcs12.certProtectionAlgorithm=PBEWithSHA1AndRC2_40', 'keystore.pkcs12.keyProtectionAlgorithm=PBEWithSHA1AndDESede', 'keystore.pkcs12.macAlgorithm=HmacPBESHA1']
  const ways = [
    { name: 'modern', properties: counts, style: 'modern', algorithms: known }, { name: 'old', properties: [...counts, ...oldAlgorithms], style: 'old', algorithms: known },
    { name: 'without MAC', properties: [...counts, 'keystore.pkcs12.macAlgorithm=NONE', 'keystore.pkcs12.certProtectionAlgorithm=NONE'], style: 'modern', algorithms: known },
    // With Java's own counts of 50,000 and 100,000.
    { name: 'legacy', properties: ['keystore.pkcs12.legacy'], style: 'old', algorithms: ['ec-256'] },
  ] as const
  let count = 0
  const refused: string[] = []
  for (const way of ways) {
    const cases: { what: string; store: Keystore; job: string; target: string; kind: PasswordKind }[] = []
    for (const algorithm of way.algorithms) {
      for (const kind of ['normal', 'foreign', 'empty'] as const) {
        for (const shape of shapes) {
          const store = stores.storeOf(algorithm, shape)
          const source = join(folder, `${way.name}-${cases.length}.p12`)
          writeFileSync(source, await writePkcs12(store, passwords.normal, { iterations: 500, macIterations: 500 }))
          cases.push({ what: `${algorithm}, ${way.name}, ${kind}, ${shape}`, store, kind, target: `${source}.java`, job: `copy\t${source}\t${hexOf('normal')}\t${source}.java\t${hexOf(kind)}` })
        }
      }
    }
    const answers = java(cases.map(({ job }) => job), way.properties)
    for (const [i, { what, store, kind, target }] of cases.entries()) {
      if (answers[i] !== 'copied') {
        refused.push(`${what}: ${answers[i]}`)
        continue
      }
      const read = await readPkcs12(readFileSync(target), passwords[kind])
      assert.deepEqual(summary(read), summary(store), what)
      assert.equal(read.protection.style, way.style, what)
      for (const entry of read.entries) if (entry.kind === 'key') assert.ok(entry.createdAt && entry.createdAt.getTime() > 1_700_000_000_000, 'Java says when an entry was made')
      count++
    }
  }
  assert.deepEqual(refused.filter((line) => !/, foreign, .*(not ASCII|Key protection)/.test(line)), [])
  assert.deepEqual([count, refused.length], [22 * 2 * 4, 22 * 4])
})
