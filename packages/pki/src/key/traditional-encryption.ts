import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { DerError } from '../der/der-reader.ts'

/** OpenSSL's old encryption of PEM blocks (RFC 1421 headers): the key is one or two rounds of MD5 of password and salt. */
const ciphers: Record<string, { name: string; keyBytes: number; ivBytes: number }> = {
  'AES-128-CBC': { name: 'aes-128-cbc', keyBytes: 16, ivBytes: 16 }, 'AES-192-CBC': { name: 'aes-192-cbc', keyBytes: 24, ivBytes: 16 }, 'AES-256-CBC': { name: 'aes-256-cbc', keyBytes: 32, ivBytes: 16 },
  'DES-EDE3-CBC': { name: 'des-ede3-cbc', keyBytes: 24, ivBytes: 8 }, 'DES-CBC': { name: 'des-ede3-cbc', keyBytes: 8, ivBytes: 8 },
}

function keyOf(password: Buffer, salt: Buffer, bytes: number): Buffer {
  let block = Buffer.alloc(0)
  let key = Buffer.alloc(0)
  while (key.length < bytes) {
    block = hash('md5', Buffer.concat([block, password, salt]), 'buffer')
    key = Buffer.concat([key, block])
  }
  return key.subarray(0, bytes)
}

export const isTraditionallyEncrypted = (headers: ReadonlyMap<string, string>): boolean => headers.has('dek-info') || /ENCRYPTED/i.test(headers.get('proc-type') ?? '')

/** @throws DerError, CertloopError PASSWORD_WRONG, KEY_INVALID */
export function openTraditional(headers: ReadonlyMap<string, string>, encrypted: Buffer, password: Buffer): Buffer {
  const [, name = '', hex = ''] = /^([A-Za-z0-9-]+)\s*,\s*([0-9A-Fa-f]+)$/.exec(headers.get('dek-info') ?? '') ?? []
  const cipher = ciphers[name.toUpperCase()]
  if (!cipher) throw new DerError(name ? `its encryption ${name} is not known to Certloop` : 'it does not say how it is encrypted')
  const iv = Buffer.from(hex, 'hex')
  if (iv.length !== cipher.ivBytes || hex.length !== cipher.ivBytes * 2) throw new DerError('its encryption has a start value of the wrong length')
  const single = keyOf(password, iv.subarray(0, 8), cipher.keyBytes)
  // OpenSSL 3 has no single DES any more; three times the same key is the same.
  const decipher = createDecipheriv(cipher.name, cipher.keyBytes === 8 ? Buffer.concat([single, single, single]) : single, iv)
  try {
    return Buffer.concat([decipher.update(encrypted), decipher.final()])
  } catch (error) {
    throw new CertloopError('PASSWORD_WRONG', 'The password does not open the private key, or it is damaged.', {}, error)
  }
}

/** A PEM block with the label of its form, encrypted as `openssl rsa -aes256 -traditional` does it. */
export function sealTraditional(label: string, der: Buffer, password: Buffer, cipherName: 'AES-256-CBC' | 'DES-EDE3-CBC'): string {
  const { name, keyBytes, ivBytes } = ciphers[cipherName] ?? { name: cipherName, keyBytes: 0, ivBytes: 0 }
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv(name, keyOf(password, iv.subarray(0, 8), keyBytes), iv)
  const base64 = Buffer.concat([cipher.update(der), cipher.final()]).toString('base64').replace(/(.{64})(?=.)/g, '$1\n')
  return `-----BEGIN ${label}-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: ${cipherName},${iv.toString('hex').toUpperCase()}\n\n${base64}\n-----END ${label}-----\n`
}
