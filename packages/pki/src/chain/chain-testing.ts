import { createPrivateKey, randomBytes, sign, type KeyObject } from 'node:crypto'
import type { KeyAlgorithm } from '@certloop/contract'
import { authorityKeyIdentifier, basicConstraints, extendedKeyUsage, keyUsage, subjectAltName, subjectKeyIdentifier, type KeyUsage } from '../certificate/extensions.ts'
import { buildCertificate, readCertificate, type CertificateFacts } from '../certificate/index.ts'
import { nullElement, objectIdentifier, sequence, setOf, utf8String } from '../der/der-writer.ts'
import { generateKey } from '../key/key.ts'
import { keySigner, type Signer } from '../key/signature.ts'
import { keyIdOfSpki, spkiOfKey } from '../key/spki.ts'
import type { GeneralName } from '../name/general-names.ts'

/** A certificate made for a test, with its key, so that it can issue. */
export interface Made { facts: CertificateFacts; key: KeyObject; subject: Buffer }

export interface MakeOptions {
  name: string
  /** Self-signed without. */
  issuer?: Made
  /** Its own new key without. */
  key?: KeyObject
  algorithm?: KeyAlgorithm
  isCa?: boolean
  pathLength?: number
  /** null: no key usage extension. */
  usages?: readonly KeyUsage[] | null
  purposes?: readonly string[]
  names?: readonly (GeneralName | string)[]
  extra?: readonly Buffer[]
  notBefore?: Date
  notAfter?: Date
  /** null: no authority key identifier. */
  authorityKeyId?: Buffer | null
  withoutBasic?: boolean
  signer?: Signer
  subject?: Buffer
}

export const at = new Date('2026-06-01T00:00:00Z')
export const nameOf = (...parts: readonly (readonly [string, string])[]): Buffer => sequence(...parts.map(([id, value]) => setOf(sequence(objectIdentifier(id), utf8String(value)))))

const keys = new Map<string, Promise<KeyObject>>()
/** A key kept for the whole test file: making one takes longer than using it. */
export function testKey(label: string, algorithm: KeyAlgorithm = 'ec-256'): Promise<KeyObject> {
  const known = keys.get(`${algorithm} ${label}`)
  if (known) return known
  const made = generateKey(algorithm).then((pem) => createPrivateKey(pem))
  keys.set(`${algorithm} ${label}`, made)
  return made
}

function extensionsOf(options: MakeOptions, key: KeyObject): Buffer[] {
  const { issuer, isCa = false } = options
  const usual = isCa ? { usages: ['keyCertSign', 'cRLSign'] as const, names: [] } : { usages: ['digitalSignature'] as const, names: ['www.example.com'] }
  const { usages, names } = { ...usual, ...options }
  const { authorityKeyId = keyIdOfSpki(spkiOfKey(issuer?.key ?? key)) } = options
  return [
    ...(options.withoutBasic ? [] : [basicConstraints(isCa, options.pathLength)]),
    ...(usages ? [keyUsage(usages)] : []),
    ...(options.purposes ? [extendedKeyUsage(...options.purposes)] : []),
    subjectKeyIdentifier(keyIdOfSpki(spkiOfKey(key))), ...(authorityKeyId ? [authorityKeyIdentifier(authorityKeyId)] : []),
    ...(names.length > 0 ? [subjectAltName(names, false)] : []), ...(options.extra ?? []),
  ]
}

export async function make(options: MakeOptions): Promise<Made> {
  const { name, issuer, notBefore = new Date('2020-01-01T00:00:00Z'), notAfter = new Date('2099-01-01T00:00:00Z'), subject = nameOf(['2.5.4.3', name]) } = options
  const key = options.key ?? await testKey(name, options.algorithm)
  const der = await buildCertificate({
    serialNumber: `01${randomBytes(8).toString('hex')}`, spki: spkiOfKey(key), subject, notBefore, notAfter, issuer: issuer?.subject ?? subject, extensions: extensionsOf(options, key),
  }, options.signer ?? keySigner(issuer?.key ?? key))
  return { facts: readCertificate(der), key, subject }
}

/** RSA with an old digest, for showing that it is refused. */
const oldSigner = (hash: string, id: string) => (key: KeyObject): Signer => ({
  algorithm: sequence(objectIdentifier(id), nullElement()),
  sign: (bytes) => Promise.resolve(sign(hash, bytes, key)),
})
export const sha1Signer = oldSigner('sha1', '1.2.840.113549.1.1.5')
export const md5Signer = oldSigner('md5', '1.2.840.113549.1.1.4')

export interface TestChain { root: Made; middle: Made; leaf: Made }
export async function makeChain(algorithm: KeyAlgorithm = 'ec-256', more: { root?: Partial<MakeOptions>; middle?: Partial<MakeOptions>; leaf?: Partial<MakeOptions> } = {}): Promise<TestChain> {
  const root = await make({ name: 'Root', algorithm, isCa: true, ...more.root })
  const middle = await make({ name: 'Middle', algorithm, isCa: true, issuer: root, ...more.middle })
  const leaf = await make({ name: 'www.example.com', algorithm, issuer: middle, purposes: ['serverAuth'], ...more.leaf })
  return { root, middle, leaf }
}

export const pemOf = (...made: readonly Made[]): string => made.map(({ facts }) => facts.pem).join('')
