import type { KeyObject } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { readCertificate } from '../certificate/certificate.ts'
import { isSelfSigned } from '../chain/chain.ts'
import { keyMatchesCertificate } from '../key/key.ts'
import { openPrivateKey } from '../key/open-private-key.ts'
import { writePrivateKey } from '../key/write-private-key.ts'
import { toPem } from '../pem.ts'
import { writeJceks, writeJks } from './jks-writer.ts'
import type { Keystore } from './keystore.ts'
import { writePkcs12, type WritePkcs12Options } from './pkcs12-writer.ts'
import { writePkcs7, writePkcs7Pem } from './pkcs7.ts'

/** What is to be deployed. */
export interface ContainerMaterial {
  /** DER, leaf first, each signed by the next; a root at the end may be there. */
  certificates: readonly Buffer[]
  /** PKCS#8 (DER) or any other form that openPrivateKey reads; absent for trust stores and certificates alone. */
  privateKey?: KeyObject | Buffer
}

export type BundlePart = 'key' | 'leaf' | 'chain' | 'root'

interface Keys {
  /** Encrypts the private key. */
  password?: string
  /** See writePrivateKey; old is for software from before 2010. */
  encryption?: 'modern' | 'old'
  /** Password iterations, when other than writePrivateKey's own. */
  iterations?: number
}
interface Root {
  /** Whether a root at the end is written too; default false, since clients have their own (RFC 8446, 4.4.2). */
  withRoot?: boolean
}
interface Named {
  /** Name of the entry; without a key there is one entry for each certificate, "name", "name-2", … */
  alias: string
  /** Date of the entries, where the format has one. */
  now: Date
}

export type ContainerForm =
  /** One file each: certificate, chain if there is any, key if there is one. */
  | { format: 'pem' } & Keys & Root
  /** One file, its parts in this order; 'root' writes the root where there is one. */
  | { format: 'pem-bundle'; order: readonly BundlePart[] } & Keys
  /** The leaf, and the key as PKCS#8. */
  | { format: 'der' } & Keys
  /** The key alone. */
  | { format: 'pkcs8'; encoding?: 'pem' | 'der' } & Keys
  /** Certificates alone. */
  | { format: 'pkcs7'; encoding?: 'pem' | 'der' } & Root
  /** null is no password, '' an empty one. */
  | { format: 'pkcs12'; password: string | null } & WritePkcs12Options & Named & Root
  | { format: 'jks' | 'jceks'; password: string; keyPassword?: string } & Named & Root

export interface WrittenPart {
  role: 'certificate' | 'chain' | 'key' | 'bundle' | 'keystore'
  bytes: Buffer
}

/**
 * Writes certificates and key the way a server wants them: one part for each file.
 * @throws CertloopError KEY_MISMATCH when the key is not that of the first certificate; INPUT_INVALID when the form needs
 * what is not there; KEY_INVALID, PASSWORD_NEEDED, CERTIFICATE_INVALID for unreadable material
 */
export async function writeContainer(material: ContainerMaterial, form: ContainerForm): Promise<WrittenPart[]> {
  const parts = await partsOf(material, form.format)
  switch (form.format) {
    case 'pem': return separatePem(parts, form)
    case 'pem-bundle': return [{ role: 'bundle', bytes: Buffer.from(await bundle(parts, form)) }]
    case 'der': return [{ role: 'certificate', bytes: neededLeaf(parts) }, ...parts.key ? [{ role: 'key', bytes: await writePrivateKey(parts.key, { ...keyForm(form), encoding: 'der' }) } as const] : []]
    case 'pkcs8': return [{ role: 'key', bytes: Buffer.from(form.encoding === 'der' ? await writePrivateKey(neededKey(parts), { ...keyForm(form), encoding: 'der' }) : await writePrivateKey(neededKey(parts), keyForm(form))) }]
    case 'pkcs7': {
      const certificates = withChain(parts, form)
      return [{ role: 'bundle', bytes: form.encoding === 'pem' ? Buffer.from(writePkcs7Pem({ certificates })) : writePkcs7({ certificates }) }]
    }
    case 'pkcs12': return [{ role: 'keystore', bytes: await writePkcs12(keystoreOf(parts, form), form.password, form) }]
    case 'jks': case 'jceks': {
      const { keyPassword } = form
      const write = form.format === 'jks' ? writeJks : writeJceks
      return [{ role: 'keystore', bytes: await write(keystoreOf(parts, form), form.password, keyPassword === undefined ? {} : { keyPasswords: () => keyPassword }) }]
    }
  }
}

interface Parts { format: string; leaf: Buffer | undefined; chain: Buffer[]; root: Buffer | undefined; key: KeyObject | undefined }

async function partsOf({ certificates, privateKey }: ContainerMaterial, format: string): Promise<Parts> {
  const key = Buffer.isBuffer(privateKey) ? await openPrivateKey(privateKey) : privateKey
  const [leaf, ...others] = certificates
  if (leaf && key && !keyMatchesCertificate(await writePrivateKey(key), toPem('CERTIFICATE', leaf))) {
    throw new CertloopError('KEY_MISMATCH', `The private key does not belong to the certificate of ${nameOf(leaf)}.`)
  }
  const last = others.at(-1)
  const root = last && isSelfSigned(readCertificate(last)) ? last : undefined
  return { format, leaf, chain: root ? others.slice(0, -1) : others, root, key }
}

const nameOf = (der: Buffer): string => readCertificate(der).subject || 'no subject'

function neededLeaf({ leaf, format }: Parts): Buffer {
  if (!leaf) throw new CertloopError('INPUT_INVALID', `There is no certificate to write as ${format}.`)
  return leaf
}
function neededKey({ key, format }: Parts): KeyObject {
  if (!key) throw new CertloopError('INPUT_INVALID', `There is no private key to write as ${format}.`)
  return key
}

const keyForm = ({ password, encryption, iterations }: Keys): Keys => ({
  ...(password === undefined ? {} : { password }), ...(encryption === undefined ? {} : { encryption }), ...(iterations === undefined ? {} : { iterations }),
})
const withRoot = ({ chain, root }: Parts, form: Root): Buffer[] => (form.withRoot && root ? [...chain, root] : chain)
const withChain = (parts: Parts, form: Root): Buffer[] => [neededLeaf(parts), ...withRoot(parts, form)]
const pemOf = (certificates: readonly Buffer[]): string => certificates.map((der) => toPem('CERTIFICATE', der)).join('')

async function separatePem(parts: Parts, form: Keys & Root): Promise<WrittenPart[]> {
  const chain = withRoot(parts, form)
  const written: WrittenPart[] = [{ role: 'certificate', bytes: Buffer.from(pemOf([neededLeaf(parts)])) }]
  if (chain.length > 0) written.push({ role: 'chain', bytes: Buffer.from(pemOf(chain)) })
  if (parts.key) written.push({ role: 'key', bytes: Buffer.from(await writePrivateKey(parts.key, keyForm(form))) })
  return written
}

async function bundle(parts: Parts, { order, ...form }: { order: readonly BundlePart[] } & Keys): Promise<string> {
  if (order.length === 0 || new Set(order).size !== order.length) throw new CertloopError('INPUT_INVALID', 'The order of a bundle names each of its parts once: key, leaf, chain, root.')
  const texts: string[] = []
  for (const part of order) {
    if (part === 'key') texts.push(await writePrivateKey(neededKey(parts), keyForm(form)))
    else if (part === 'leaf') texts.push(pemOf([neededLeaf(parts)]))
    else texts.push(pemOf(part === 'chain' ? parts.chain : parts.root ? [parts.root] : []))
  }
  return texts.join('')
}

/** One key entry, or for lack of a key one entry for each certificate. */
function keystoreOf(parts: Parts, { alias, now, ...form }: Named & Root): Keystore {
  const { key } = parts
  if (!key) {
    const all = [neededLeaf(parts), ...parts.chain, ...parts.root ? [parts.root] : []]
    return { entries: all.map((certificate, i) => ({ kind: 'certificate', alias: i === 0 ? alias : `${alias}-${i + 1}`, certificate, createdAt: now })) }
  }
  return { entries: [{ kind: 'key', alias, privateKey: key.export({ type: 'pkcs8', format: 'der' }), certificates: withChain(parts, form), createdAt: now }] }
}
