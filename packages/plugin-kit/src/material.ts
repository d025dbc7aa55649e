import { type Encoding, type MaterialPart, sha256Hex } from '@certloop/contract'
import { splitPem, writePkcs7, writePkcs7Pem } from '@certloop/pki'
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { PlanMaterial } from './driver.ts'

/** Each block ends with one newline: a missing one between leaf and chain makes a file that no server reads. */
const joinPem = (blocks: readonly string[]) => blocks.map((pem) => `${pem.replaceAll('\r\n', '\n').trim()}\n`).join('')

type CertificatePart = 'certificate' | 'chain' | 'full-chain'
type Piece = CertificatePart | 'key'

/** What a part is made of, in the order of the file. */
const piecesOf: Readonly<Record<MaterialPart, readonly Piece[]>> = {
  'certificate': ['certificate'], 'chain': ['chain'], 'full-chain': ['full-chain'], 'key': ['key'],
  'full-chain-and-key': ['full-chain', 'key'], 'key-and-full-chain': ['key', 'full-chain'],
  'certificate-and-key': ['certificate', 'key'], 'key-and-certificate': ['key', 'certificate'],
  'certificate-key-and-chain': ['certificate', 'key', 'chain'],
}

/** The file holds the private key, so its content never leaves the host. */
export const holdsKey = (part: MaterialPart): part is Exclude<MaterialPart, CertificatePart> => piecesOf[part].includes('key')

/** The certificates of a part, leaf first. */
const certificatesOf = (part: CertificatePart, chainPem: readonly string[]): readonly string[] => ({ 'certificate': chainPem.slice(0, 1), 'chain': chainPem.slice(1), 'full-chain': chainPem })[part]

/** The text of a certificate part as it goes into a file: PEM, leaf first, no root. */
export const materialText = (part: CertificatePart, chainPem: readonly string[]): string => joinPem(certificatesOf(part, chainPem))

/** Why a part can't be written in an encoding, as the end of a sentence that begins with the file; undefined when it can. */
export function encodingProblem(part: MaterialPart, encoding: Encoding = 'pem'): string | undefined {
  if (encoding === 'pem') return undefined
  if (encoding === 'der') return part === 'certificate' || part === 'key' ? undefined : 'would hold several things as DER, which has room for one certificate or one key'
  return holdsKey(part) ? 'would hold a private key as PKCS#7, which has room for certificates alone' : undefined
}

const derOf = (pem: string): Buffer => {
  const [block] = splitPem(pem)
  if (block === undefined) throw new Error('A certificate of the material is no PEM.')
  return block.der
}

/**
 * A part as it goes into a file.
 * @param keyPem PKCS#8 PEM
 * @throws Error for combinations that {@link encodingProblem} names
 */
export function materialContent(part: MaterialPart, chainPem: readonly string[], keyPem: string, encoding: Encoding = 'pem'): Buffer {
  const problem = encodingProblem(part, encoding)
  if (problem !== undefined) throw new Error(`The file ${problem}.`)
  if (part === 'key' && encoding === 'der') return createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' })
  if (!holdsKey(part)) return certificateContent(part, chainPem, encoding)
  return Buffer.from(piecesOf[part].map((piece) => (piece === 'key' ? joinPem([keyPem]) : materialText(piece, chainPem))).join(''))
}

function certificateContent(part: CertificatePart, chainPem: readonly string[], encoding: Encoding): Buffer {
  if (encoding === 'pem') return Buffer.from(materialText(part, chainPem))
  const certificates = certificatesOf(part, chainPem).map(derOf)
  if (encoding === 'der') return Buffer.concat(certificates)
  return encoding === 'pkcs7-der' ? writePkcs7({ certificates }) : Buffer.from(writePkcs7Pem({ certificates }))
}

/** `contentDigest` of the step that writes this part. Hex. @throws Error for combinations that {@link encodingProblem} names */
export function materialDigest(part: MaterialPart, { chainPem, spkiDigest }: PlanMaterial, encoding: Encoding = 'pem'): string {
  if (!holdsKey(part)) return sha256Hex(materialContent(part, chainPem, '', encoding))
  const texts = piecesOf[part].map((piece) => (piece === 'key' ? null : materialText(piece, chainPem)))
  return layoutDigest(texts, spkiDigest)
}

/**
 * Names a file with a key: the SHA-256 of the certificates before it, the SPKI's, and that of the certificates behind it.
 * @param texts null: the place of the key
 */
function layoutDigest(texts: readonly (string | null)[], spkiDigest: string): string {
  const names = texts.filter((text) => text !== '').map((text) => (text === null ? spkiDigest : sha256Hex(text)))
  return names.length === 1 && names[0] !== undefined ? names[0] : sha256Hex(names.join(' '))
}

/**
 * `replaces` of the step that overwrites a file with this content. Hex; equal to the digest of the material only for a
 * file that holds just that, in that order, with those line ends and nothing between.
 * A private key is named by its public half, so that a plan tells nothing about it, and whatever its form; a file whose
 * key can't be read (encrypted, empty, damaged), or with several, is named by the SHA-256 of its bytes.
 */
export function fileDigest(part: MaterialPart, content: Uint8Array, encoding: Encoding = 'pem'): string {
  if (!holdsKey(part)) return sha256Hex(content)
  return (encoding === 'der' ? derKeyDigest(content) : pemLayoutDigest(content)) ?? sha256Hex(content)
}

const keyBlocks = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\n[^-\r]*-----END (?:[A-Z]+ )?PRIVATE KEY-----\n/g

function pemLayoutDigest(content: Uint8Array): string | undefined {
  const text = Buffer.from(content).toString('latin1')
  const [block, second] = text.match(keyBlocks) ?? []
  if (block === undefined || second !== undefined) return undefined
  const at = text.indexOf(block)
  const digest = spkiDigestOf(() => createPrivateKey(block))
  return digest && layoutDigest([text.slice(0, at), null, text.slice(at + block.length)], digest)
}

function derKeyDigest(content: Uint8Array): string | undefined {
  const bytes = Buffer.from(content)
  const read = () => {
    const key = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' })
    // OpenSSL takes other forms for PKCS#8 as well, and passes over what follows.
    if (!key.export({ type: 'pkcs8', format: 'der' }).equals(bytes)) throw new Error('This is another form.')
    return key
  }
  return spkiDigestOf(read)
}

/** SHA-256 of the SPKI of a private key, hex; undefined when it can't be read. */
function spkiDigestOf(read: () => KeyObject): string | undefined {
  try {
    return sha256Hex(createPublicKey(read()).export({ type: 'spki', format: 'der' }))
  } catch {
    return undefined // not a readable key: the bytes are the only name it has
  }
}

/** The certificates of a PEM text and nothing else: what a file holds besides, such as a key, stays on the host. */
export function certificateBlocks(text: string): string {
  return joinPem(text.match(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g) ?? [])
}
