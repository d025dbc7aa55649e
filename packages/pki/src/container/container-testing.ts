import { spawn } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { requireTool } from '@certloop/test-kit'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { splitPem } from '../pem.ts'

/** A private key with its own certificate and the one of its issuer, made by openssl. */
export interface KeyMaterial {
  /** As in KeyAlgorithm, or a word like it. */
  type: string
  /** PKCS#8, DER. */
  privateKey: Buffer
  /** Leaf and root, DER. */
  certificates: Buffer[]
  pem: { key: string; leaf: string; root: string }
}

const keyArguments: Record<string, string[]> = {
  'rsa-2048': ['-newkey', 'rsa:2048'], 'rsa-3072': ['-newkey', 'rsa:3072'], 'rsa-4096': ['-newkey', 'rsa:4096'],
  'ec-256': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], 'ec-384': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], 'ec-521': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  'ed25519': ['-newkey', 'ed25519'], 'ed448': ['-newkey', 'ed448'], 'rsa-pss-2048': ['-newkey', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'],
  'dsa-2048': ['-newkey', 'dsa:PARAMETERS'],
}
export const opensslKeyTypes = Object.keys(keyArguments)

/** Keys of each type with certificates of one root. */
export function makeKeyMaterial(t: TestContext, types: readonly string[] = opensslKeyTypes): KeyMaterial[] {
  const folder = temporaryFolder(t)
  const file = (name: string) => join(folder, name)
  openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('root.key'), '-out', file('root.pem'), '-subj', '/CN=Test Root', '-days', '30'])
  const root = readFileSync(file('root.pem'), 'utf8')
  return types.map((type) => {
    if (type.startsWith('dsa')) openssl(['genpkey', '-genparam', '-algorithm', 'DSA', '-pkeyopt', 'dsa_paramgen_bits:2048', '-out', file('parameters')])
    const args = (keyArguments[type] ?? []).map((argument) => argument.replace('PARAMETERS', file('parameters')))
    openssl(['req', ...args, '-nodes', '-keyout', file('leaf.key'), '-out', file('leaf.csr'), '-subj', `/CN=${type}.example`])
    const leaf = openssl(['x509', '-req', '-in', file('leaf.csr'), '-CA', file('root.pem'), '-CAkey', file('root.key'), '-days', '20', '-set_serial', '77'])
    const key = openssl(['pkcs8', '-topk8', '-nocrypt', '-in', file('leaf.key')])
    return { type, privateKey: derOf(key), certificates: [derOf(leaf), derOf(root)], pem: { key, leaf, root } }
  })
}

export const derOf = (pem: string): Buffer => splitPem(pem)[0]?.der ?? Buffer.alloc(0)

/** Whether two PKCS#8 texts hold the same key, whatever attributes and optional parts they have. */
export const sameKey = (a: Buffer, b: Buffer): boolean => createPrivateKey({ key: a, format: 'der', type: 'pkcs8' }).equals(createPrivateKey({ key: b, format: 'der', type: 'pkcs8' }))

export interface JavaEntry { alias: string; kind: string; date: number; key: Buffer | 'locked' | null; certificates: Buffer[] }
export interface JavaPeer {
  read(type: string, store: Buffer, storePassword: string | null, keyPassword: string): Promise<JavaEntry[]>
  write(type: string, storePassword: string, keyPassword: string, entries: readonly { alias: string; key?: Buffer; secret?: Buffer; certificates?: readonly Buffer[] }[]): Promise<Buffer>
  seal(password: string, salt: Buffer, iterations: number, plain: Buffer): Promise<Buffer>
}

const base64 = (value: string | Uint8Array): string => Buffer.from(value as string).toString('base64')
const passwordField = (password: string | null): string => (password === null ? '-' : base64(password))

/** Makes Java spend fewer iterations on the keys of a JCEKS store than the 200,000 that are usual. */
export const fewIterations = '-Djdk.jceks.iterationCount=10000'

/** Java's own KeyStore in one process for all questions of a test. @throws when Java throws, with its words */
export function javaPeer(t: TestContext, javaOptions: readonly string[] = []): JavaPeer {
  const java = join(dirname(requireTool('keytool')), 'java')
  const child = spawn(java, [...javaOptions, join(import.meta.dirname, 'testdata/KeystorePeer.java')], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(async () => {
    const gone = once(child, 'exit')
    child.stdin.end()
    await gone
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  async function ask(...fields: string[]): Promise<string> {
    child.stdin.write(`${fields.join('\t')}\n`)
    const { value, done } = await lines.next() as { value: string; done: boolean }
    if (done) throw new Error('Java ended')
    if (value.startsWith('!')) throw new Error(Buffer.from(value.slice(1), 'base64').toString())
    return value
  }
  return {
    read: async (type, store, storePassword, keyPassword) => (await ask('read', type, base64(store), passwordField(storePassword), base64(keyPassword))).split('\t').filter(Boolean).map(javaEntry),
    write: async (type, storePassword, keyPassword, entries) => Buffer.from(await ask('write', type, base64(storePassword), base64(keyPassword), ...entries.map((entry) =>
      [base64(entry.alias), entry.secret ? `secret:${base64(entry.secret)}` : base64(entry.key ?? ''), ...(entry.certificates ?? []).map(base64)].join(','))), 'base64'),
    seal: async (password, salt, iterations, plain) => Buffer.from(await ask('seal', base64(password), base64(salt), String(iterations), base64(plain)), 'base64'),
  }
}

function javaEntry(line: string): JavaEntry {
  const [alias = '', kind = '', date = '', key = '', ...certificates] = line.split(',')
  return {
    alias: Buffer.from(alias, 'base64').toString(), kind, date: Number(date), key: key === 'locked' ? key : key === '' ? null : Buffer.from(key, 'base64'),
    certificates: certificates.map((certificate) => Buffer.from(certificate, 'base64')),
  }
}
