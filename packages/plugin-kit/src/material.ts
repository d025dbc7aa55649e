import { type MaterialPart, sha256Hex } from '@certloop/contract'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { PlanMaterial } from './driver.ts'

/** Each block ends with one newline: a missing one between leaf and chain makes a file that no server reads. */
const joinPem = (blocks: readonly string[]) => blocks.map((pem) => `${pem.replaceAll('\r\n', '\n').trim()}\n`).join('')

type CertificatePart = Exclude<MaterialPart, 'key' | 'full-chain-and-key' | 'key-and-full-chain'>

/** The file holds the private key, so its text never leaves the host. */
export const holdsKey = (part: MaterialPart): part is Exclude<MaterialPart, CertificatePart> => part === 'key' || part === 'full-chain-and-key' || part === 'key-and-full-chain'

/** The text of a certificate part as it goes into a file: PEM, leaf first, no root. */
export function materialText(part: CertificatePart, chainPem: readonly string[]): string {
  if (part === 'certificate') return joinPem(chainPem.slice(0, 1))
  return joinPem(part === 'chain' ? chainPem.slice(1) : chainPem)
}

/** The text of any part as it goes into a file. @param keyPem PKCS#8 PEM */
export function materialContent(part: MaterialPart, chainPem: readonly string[], keyPem: string): string {
  if (part === 'key') return joinPem([keyPem])
  if (part === 'full-chain-and-key') return joinPem([...chainPem, keyPem])
  if (part === 'key-and-full-chain') return joinPem([keyPem, ...chainPem])
  return materialText(part, chainPem)
}

/** `contentDigest` of the step that writes this part. Hex. */
export function materialDigest(part: MaterialPart, material: PlanMaterial): string {
  if (part === 'key') return material.spkiDigest
  if (part === 'full-chain-and-key') return combinedDigest(materialText('full-chain', material.chainPem), material.spkiDigest)
  if (part === 'key-and-full-chain') return keyFirstDigest(materialText('full-chain', material.chainPem), material.spkiDigest)
  return sha256Hex(materialText(part, material.chainPem))
}

const combinedDigest = (certificates: string, spkiDigest: string) => sha256Hex(`${sha256Hex(certificates)} ${spkiDigest}`)
const keyFirstDigest = (certificates: string, spkiDigest: string) => sha256Hex(`${spkiDigest} ${sha256Hex(certificates)}`)

/**
 * `replaces` of the step that overwrites a file with this content. Hex.
 * A private key is named by its public half, so that a plan tells nothing about it; a key file that
 * can't be read as one (encrypted, empty, damaged) is named by the SHA-256 of its bytes.
 */
export function fileDigest(part: MaterialPart, content: Uint8Array): string {
  if (part === 'key') return keyDigest(content) ?? sha256Hex(content)
  if (!holdsKey(part)) return sha256Hex(content)
  const text = Buffer.from(content).toString('latin1')
  const key = keyDigest(content)
  if (key === undefined) return sha256Hex(content)
  const certificates = text.replace(keyBlock, '')
  if (part === 'full-chain-and-key') return combinedDigest(certificates, key)
  // Servers that want the key first refuse the same blocks in another order.
  return text.search(keyBlock) === 0 ? keyFirstDigest(certificates, key) : sha256Hex(content)
}

const keyBlock = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[^-]*-----END (?:[A-Z]+ )?PRIVATE KEY-----\r?\n?/

/** SHA-256 of the SPKI of the first private key in a PEM text. */
function keyDigest(content: Uint8Array): string | undefined {
  try {
    const key = createPublicKey(createPrivateKey(Buffer.from(content)))
    return sha256Hex(key.export({ type: 'spki', format: 'der' }))
  } catch {
    return undefined // not a readable key: the bytes are the only name it has
  }
}

/** The certificates of a PEM text and nothing else: what a file holds besides, such as a key, stays on the host. */
export function certificateBlocks(text: string): string {
  return joinPem(text.match(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g) ?? [])
}
