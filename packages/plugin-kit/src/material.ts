import { type MaterialPart, sha256Hex } from '@certloop/contract'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { PlanMaterial } from './driver.ts'

/** Each block ends with one newline: a missing one between leaf and chain makes a file that no server reads. */
const joinPem = (blocks: readonly string[]) => blocks.map((pem) => `${pem.replaceAll('\r\n', '\n').trim()}\n`).join('')

/** The text of a certificate part as it goes into a file: PEM, leaf first, no root. */
export function materialText(part: Exclude<MaterialPart, 'key'>, chainPem: readonly string[]): string {
  if (part === 'certificate') return joinPem(chainPem.slice(0, 1))
  return joinPem(part === 'chain' ? chainPem.slice(1) : chainPem)
}

/** `contentDigest` of the step that writes this part. Hex. */
export function materialDigest(part: MaterialPart, material: PlanMaterial): string {
  return part === 'key' ? material.spkiDigest : sha256Hex(materialText(part, material.chainPem))
}

/**
 * `replaces` of the step that overwrites a file with this content. Hex.
 * A private key is named by its public half, so that a plan tells nothing about it; a key file that
 * can't be read as one (encrypted, empty, damaged) is named by the SHA-256 of its bytes.
 */
export function fileDigest(part: MaterialPart, content: Uint8Array): string {
  if (part !== 'key') return sha256Hex(content)
  try {
    const key = createPublicKey(createPrivateKey(Buffer.from(content)))
    return sha256Hex(key.export({ type: 'spki', format: 'der' }))
  } catch {
    return sha256Hex(content) // not a readable key: the bytes are the only name it has
  }
}
