import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { berToDer } from '../der/ber.ts'
import { DerCursor, DerError, ifReadable, readElement, readIntegerHex, readOid, type DerElement } from '../der/der-reader.ts'
import { integer, objectIdentifier, octetString, sequence } from '../der/der-writer.ts'
import { decryptPbes, pbesCost, pbesIterations } from '../key/pbes.ts'
import type { IterationBudget } from './iteration-budget.ts'
import type { ReadLimits } from './keystore.ts'
import { pkcs12Kdf } from './pkcs12-kdf.ts'
import { decryptRc2Cbc, rc4 } from './pkcs12-old-ciphers.ts'
import type { PasswordForms } from './pkcs12-password.ts'

type OldCipher = { cipher: 'rc4' | 'rc2' | '3des'; keyBytes: number }
/** Password encryption of PKCS#12 (RFC 7292, C): SHA-1 and a cipher. */
const oldCiphers: Record<string, OldCipher> = {
  '1.2.840.113549.1.12.1.1': { cipher: 'rc4', keyBytes: 16 }, '1.2.840.113549.1.12.1.2': { cipher: 'rc4', keyBytes: 5 },
  '1.2.840.113549.1.12.1.3': { cipher: '3des', keyBytes: 24 }, '1.2.840.113549.1.12.1.4': { cipher: '3des', keyBytes: 16 },
  '1.2.840.113549.1.12.1.5': { cipher: 'rc2', keyBytes: 16 }, '1.2.840.113549.1.12.1.6': { cipher: 'rc2', keyBytes: 5 },
}
const tripleDes = '1.2.840.113549.1.12.1.3'
const maxSaltBytes = 4_096
/** 3DES takes some milliseconds for these. */
const bytesPerTurn = 131_072

/** AlgorithmIdentifier and what it encrypted. */
export interface Sealed { algorithm: DerElement; encrypted: Buffer }

/** EncryptedPrivateKeyInfo (RFC 5958, 3). @throws DerError */
export function readSealed(info: DerElement): Sealed {
  const cursor = new DerCursor(info)
  return { algorithm: cursor.take(0x30), encrypted: cursor.take(0x04).content }
}

export const isOldProtection = ({ algorithm }: Sealed): boolean => readOid(new DerCursor(algorithm).take()) in oldCiphers

/** A count that is at least 1; what is beyond any limit is infinite. @throws DerError */
export function readIterations(element: DerElement): number {
  const hex = readIntegerHex(element)
  if (hex.startsWith('-') || /^0+$/.test(hex)) throw new DerError('a number of iterations is not positive')
  return hex.length > 12 ? Infinity : Number.parseInt(hex, 16)
}

/** @throws CertloopError LIMIT_EXCEEDED */
export function checkSalt(salt: Buffer): Buffer {
  if (salt.length > maxSaltBytes) throw new CertloopError('LIMIT_EXCEEDED', `A salt has ${salt.length} bytes; at most ${maxSaltBytes} are read.`, { given: salt.length, allowed: maxSaltBytes })
  return salt
}

function readOldParameters(algorithm: DerElement): OldCipher & { salt: Buffer; iterations: number } | undefined {
  const cursor = new DerCursor(algorithm)
  const kind = oldCiphers[readOid(cursor.take())]
  if (!kind) return undefined
  const parameters = new DerCursor(cursor.take(0x30))
  return { ...kind, salt: checkSalt(parameters.take(0x04).content), iterations: readIterations(parameters.take(0x02)) }
}

/** How many iterations it was sealed with. @throws DerError; CertloopError KEY_ALGORITHM_UNSUPPORTED, LIMIT_EXCEEDED (salt) */
export const sealedIterations = ({ algorithm }: Sealed): number => readOldParameters(algorithm)?.iterations ?? pbesIterations(algorithm)

/** Digests of SHA-1: one run of the iterations for each 20 bytes of the key, and one for what CBC starts with. */
const oldCost = ({ cipher, keyBytes, iterations }: OldCipher & { iterations: number }): number => iterations * (Math.ceil(keyBytes / 20) + (cipher === 'rc4' ? 0 : 1))

/** What one try of a password costs, for an IterationBudget. @throws as sealedIterations */
export function sealedCost({ algorithm }: Sealed): number {
  const old = readOldParameters(algorithm)
  return old ? oldCost(old) : pbesCost(algorithm)
}

/** What opening may cost, all parts and tries together. */
export interface OpeningCosts { limits: ReadLimits; budget: IterationBudget }

/**
 * Opens a part with the form of the password that fits.
 * @param isRight whether the plain bytes are what they should be: with a wrong password, one time in 256 the padding looks right
 * @returns undefined when no form of the password opens it
 * @throws CertloopError KEY_ALGORITHM_UNSUPPORTED, LIMIT_EXCEEDED
 */
export async function openSealed(sealed: Sealed, passwords: PasswordForms, { limits, budget }: OpeningCosts, isRight: (plain: Buffer) => boolean): Promise<Buffer | undefined> {
  const old = readOldParameters(sealed.algorithm)
  const cost = sealedCost(sealed)
  for (const form of old ? passwords.forms('bmp') : passwords.forms('pbes')) {
    budget.spend(cost)
    const plain = old ? await decryptOld(old, sealed.encrypted, form) : await decryptModern(sealed, form, limits)
    if (plain && isRight(plain)) {
      passwords.fits(old ? 'bmp' : 'pbes', form)
      return plain
    }
  }
  return undefined
}

async function decryptModern({ algorithm, encrypted }: Sealed, password: Buffer, limits: ReadLimits): Promise<Buffer | undefined> {
  try {
    return await decryptPbes(algorithm, encrypted, password, limits)
  } catch (error) {
    if (error instanceof CertloopError && error.code === 'PASSWORD_WRONG') return undefined
    throw error
  }
}

async function decryptOld({ cipher, keyBytes, salt, iterations }: OldCipher & { salt: Buffer; iterations: number }, encrypted: Buffer, password: Buffer): Promise<Buffer | undefined> {
  const derive = (purpose: 'key' | 'iv', size: number): Promise<Buffer> => pkcs12Kdf({ digest: 'sha1', purpose, password, salt, iterations, size })
  const key = await derive('key', keyBytes)
  if (cipher === 'rc4') return rc4(key, encrypted)
  const iv = await derive('iv', 8)
  if (cipher === 'rc2') return decryptRc2Cbc(key, iv, encrypted)
  const decipher = createDecipheriv('des-ede3-cbc', keyBytes === 24 ? key : Buffer.concat([key, key.subarray(0, 8)]), iv)
  const plain: Buffer[] = []
  for (let at = 0; at < encrypted.length; at += bytesPerTurn) {
    plain.push(decipher.update(encrypted.subarray(at, at + bytesPerTurn)))
    if (at + bytesPerTurn < encrypted.length) await new Promise((resolve) => { setImmediate(resolve) })
  }
  try {
    return Buffer.concat([...plain, decipher.final()])
  } catch {
    return undefined // wrong padding: the caller tries the next form of the password, and says so in the end
  }
}

/** pbeWithSHAAnd3-KeyTripleDES-CBC, which every reader since the 1990s knows. */
export async function encryptTripleDes(plain: Uint8Array, password: Buffer, iterations: number): Promise<{ algorithm: Buffer; encrypted: Buffer }> {
  const salt = randomBytes(20)
  const [key, iv] = [
    await pkcs12Kdf({ digest: 'sha1', purpose: 'key', password, salt, iterations, size: 24 }),
    await pkcs12Kdf({ digest: 'sha1', purpose: 'iv', password, salt, iterations, size: 8 }),
  ]
  const engine = createCipheriv('des-ede3-cbc', key, iv)
  return { algorithm: sequence(objectIdentifier(tripleDes), sequence(octetString(salt), count(iterations))), encrypted: Buffer.concat([engine.update(plain), engine.final()]) }
}

/** INTEGER of a number of iterations. */
export function count(iterations: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(iterations)
  return integer(bytes)
}

/** Whether the bytes are one SEQUENCE from begin to end, DER or BER: what is encrypted in PKCS#12 always is. */
export function isSequence(plain: Buffer): boolean {
  if (plain[0] !== 0x30) return false
  return ifReadable(() => (plain[1] === 0x80 ? berToDer(plain, plain.length).length > 0 : readElement(plain).raw.length === plain.length), false)
}
