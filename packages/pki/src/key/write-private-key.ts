import type { KeyObject } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { octetString, sequence } from '../der/der-writer.ts'
import { toPem } from '../pem.ts'
import { encryptPbes2, type Pbes2Options } from './pbes.ts'
import { sealTraditional } from './traditional-encryption.ts'

export interface PrivateKeyForm {
  /** pkcs1 is for RSA keys, sec1 for EC keys; pkcs8 (the default) for all. */
  format?: 'pkcs8' | 'pkcs1' | 'sec1'
  /** Encrypts the key when given; an empty one counts as one. */
  password?: string | Buffer
  /**
   * modern (the default): AES-256-CBC, PBKDF2 with HMAC-SHA-256, 600,000 iterations. old: 3DES and HMAC-SHA-1, 100,000
   * iterations, which software from before 2010 reads as well. With pkcs1 and sec1 it is OpenSSL's encryption of PEM
   * blocks, AES-256 or 3DES, whose password function is a single MD5: only for software that reads nothing else.
   */
  encryption?: 'modern' | 'old'
  /** Password iterations, for pkcs8. */
  iterations?: number
}

const labels = { pkcs8: 'PRIVATE KEY', pkcs1: 'RSA PRIVATE KEY', sec1: 'EC PRIVATE KEY' } as const
const keyTypes = { pkcs1: 'rsa', sec1: 'ec' } as const
const encryptions: Record<'modern' | 'old', Required<Pbes2Options>> = {
  modern: { cipher: 'aes-256-cbc', prf: 'sha256', iterations: 600_000 },
  old: { cipher: 'des-ede3-cbc', prf: 'sha1', iterations: 100_000 },
}

/**
 * Writes a private key: text for PEM, bytes for DER. Encrypted PKCS#8 is EncryptedPrivateKeyInfo (RFC 5958, 3).
 * @throws CertloopError INPUT_INVALID for combinations that can't be: pkcs1 for a key that is not RSA, sec1 for one
 *   that is not EC, an encrypted pkcs1 or sec1 in DER
 */
export function writePrivateKey(key: KeyObject, form: PrivateKeyForm & { encoding: 'der' }): Promise<Buffer>
export function writePrivateKey(key: KeyObject, form?: PrivateKeyForm & { encoding?: 'pem' }): Promise<string>
export async function writePrivateKey(key: KeyObject, form: PrivateKeyForm & { encoding?: 'pem' | 'der' } = {}): Promise<string | Buffer> {
  const { format = 'pkcs8', encoding = 'pem', password, encryption = 'modern' } = form
  checkForm(key, format)
  const der = exportDer(key, format)
  if (password === undefined) return encoding === 'der' ? der : toPem(labels[format], der)
  if (format !== 'pkcs8') {
    if (encoding === 'der') throw new CertloopError('INPUT_INVALID', `${format} has no encrypted form in DER; choose PEM or PKCS#8.`)
    return sealTraditional(labels[format], der, Buffer.from(password), encryption === 'old' ? 'DES-EDE3-CBC' : 'AES-256-CBC')
  }
  const sealed = await sealPkcs8(der, password, { ...encryptions[encryption], ...(form.iterations === undefined ? {} : { iterations: form.iterations }) })
  return encoding === 'der' ? sealed : toPem('ENCRYPTED PRIVATE KEY', sealed)
}

async function sealPkcs8(der: Buffer, password: string | Buffer, options: Pbes2Options): Promise<Buffer> {
  const { algorithm, encrypted } = await encryptPbes2(der, password, options)
  return sequence(algorithm, octetString(encrypted))
}

// As one call with a variable type, TypeScript finds no fitting overload.
const exportDer = (key: KeyObject, format: 'pkcs8' | 'pkcs1' | 'sec1'): Buffer => (format === 'pkcs1' ? key.export({ type: 'pkcs1', format: 'der' }) : key.export({ type: format, format: 'der' }))

function checkForm(key: KeyObject, format: 'pkcs8' | 'pkcs1' | 'sec1'): void {
  if (key.type !== 'private') throw new CertloopError('INPUT_INVALID', 'Only a private key can be written as one.')
  if (format !== 'pkcs8' && key.asymmetricKeyType !== keyTypes[format]) {
    throw new CertloopError('INPUT_INVALID', `A key of the kind ${key.asymmetricKeyType} has no form ${format}; choose PKCS#8.`)
  }
}
