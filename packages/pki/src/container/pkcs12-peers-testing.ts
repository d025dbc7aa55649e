import { createHash, createPrivateKey } from 'node:crypto'
import { keyAlgorithms, type KeyAlgorithm } from '@certloop/contract'
import { splitPem } from '../pem.ts'
import type { CertificateEntry, KeyEntry, Keystore } from './keystore.ts'
import { testHierarchy, testLeaf, type Identity } from './pkcs12-testing.ts'

export const passwords = { normal: 'correct horse 7', foreign: 'pässwörd€', empty: '', none: null } as const
export type PasswordKind = keyof typeof passwords
export const styles = ['modern', 'old'] as const
/** One key or two with a trusted certificate, each key with its certificate alone or with all issuers. */
export const shapes = ['one', 'one with chain', 'several', 'several with chain'] as const
export type Shape = (typeof shapes)[number]

/** Every style and password kind; without a password there is but one style. */
export const protections: readonly { style: (typeof styles)[number]; kind: PasswordKind }[] = [
  ...styles.flatMap((style) => (['normal', 'foreign', 'empty'] as const).map((kind) => ({ style, kind }))), { style: 'modern', kind: 'none' },
]

export interface TestStores { root: Identity; intermediate: Identity; leaves: Map<KeyAlgorithm, Identity>; other: Identity; storeOf: (algorithm: KeyAlgorithm, shape: Shape) => Keystore }

/** Keystores of every key type and shape, made once for a test file. */
export async function testStores(algorithms: readonly KeyAlgorithm[] = keyAlgorithms): Promise<TestStores> {
  const { root, intermediate } = await testHierarchy()
  const leaves = new Map<KeyAlgorithm, Identity>()
  for (const algorithm of algorithms) leaves.set(algorithm, await testLeaf(algorithm, intermediate))
  const other = await testLeaf('ec-256', intermediate, 'other leaf')
  const keyEntry = (alias: string, leaf: Identity, withChain: boolean): KeyEntry => ({
    kind: 'key', alias, privateKey: leaf.privateKey, certificates: [leaf.certificate, ...(withChain ? [intermediate.certificate, root.certificate] : [])], createdAt: null,
  })
  const storeOf = (algorithm: KeyAlgorithm, shape: Shape): Keystore => {
    const leaf = leaves.get(algorithm)
    if (!leaf) throw new Error(`no leaf of ${algorithm}`)
    const withChain = shape.endsWith('chain')
    const trusted: CertificateEntry = { kind: 'certificate', alias: 'anchor', certificate: root.certificate, createdAt: null }
    return { entries: [keyEntry('site', leaf, withChain), ...(shape.startsWith('several') ? [keyEntry('other', other, withChain), trusted] : [])] }
  }
  return { root, intermediate, leaves, other, storeOf }
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** One way of writing a key, whatever the tool's own: by its public key would hide a damaged private part. */
const keyDigest = (pkcs8: Buffer): string => digest(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'der' }))

/** What a keystore holds, for comparing: one line per entry, sorted. @param aliases whether the other side keeps them */
export function summary({ entries }: Keystore, aliases = true): string[] {
  return entries.map((entry) => {
    const alias = aliases ? `${entry.alias}=` : ''
    switch (entry.kind) {
      case 'key': return `${alias}key:${[keyDigest(entry.privateKey), ...entry.certificates.map(digest)].join(':')}`
      case 'certificate': return `${alias}certificate:${digest(entry.certificate)}`
      default: return `${alias}${entry.kind}`
    }
  }).toSorted()
}

/** Keys and certificates without who belongs to whom, sorted and each once, as tools that print PEM show them. */
export function flatSummary({ entries }: Keystore): string[] {
  return [...new Set(entries.flatMap((entry) => {
    if (entry.kind === 'key') return [`key ${keyDigest(entry.privateKey)}`, ...entry.certificates.map((der) => `certificate ${digest(der)}`)]
    return entry.kind === 'certificate' ? [`certificate ${digest(entry.certificate)}`] : [entry.kind]
  }))].toSorted()
}

/** The same of PEM text that a tool printed. */
export function flatPem(text: string): string[] {
  const pemOnly = [...text.matchAll(/-----BEGIN ([A-Z ]+)-----[^]*?-----END \1-----/g)].map(([block]) => block).join('\n')
  return [...new Set(splitPem(pemOnly).map(({ label, der, pem }) => {
    if (label === 'CERTIFICATE') return `certificate ${digest(der)}`
    return `key ${digest(createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }))}`
  }))].toSorted()
}
