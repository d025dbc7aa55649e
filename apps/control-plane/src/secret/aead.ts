import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const nonceBytes = 12
const tagBytes = 16

/** AES-256-GCM (NIST SP 800-38D) with a random nonce: nonce, ciphertext and tag in base64url. */
export function encrypt(key: Uint8Array, plaintext: Uint8Array, associated: string): string {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(associated))
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

/** @returns undefined when text, key or associated data are not those of the encryption */
export function decrypt(key: Uint8Array, text: string, associated: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  // The text has to be the one way of writing these bytes: no bit of a stored secret can change unnoticed.
  if (bytes.length < nonceBytes + tagBytes || bytes.toString('base64url') !== text) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(associated)).setAuthTag(bytes.subarray(bytes.length - tagBytes))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, bytes.length - tagBytes)), decipher.final()])
  } catch {
    return undefined // the one thing that final() reports: the tag does not fit
  }
}
