import { createCipheriv, createDecipheriv, createHash, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { DerCursor, DerError, readElement, readIntegerHex, readOid } from '../der/der-reader.ts'
import { integer, nullElement, objectIdentifier, octetString, sequence } from '../der/der-writer.ts'
import { oid } from '../oids.ts'
import type { IterationBudget } from './iteration-budget.ts'

/**
 * How Sun's keystores protect keys and whole files. Both ways are weak by today's measure (SHA-1 and MD5), and both
 * are what the formats have: a new store is better written as PKCS#12.
 */

/** Java's passwords are char arrays, hashed as UTF-16. */
const javaChars = (password: string): Buffer => Buffer.from(password, 'utf16le').swap16()

/** The last 20 bytes of a store: SHA-1 over password, a fixed phrase and everything before them. */
export function storeDigest(password: string, body: Buffer): Buffer {
  return createHash('sha1').update(javaChars(password)).update('Mighty Aphrodite', 'latin1').update(body).digest()
}
const digestSize = 20

const pauseAfter = 5_000
const pause = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

/** How a sealed key is protected, and what to undo it with. */
export interface KeyProtection {
  /** JCEKS opens both, JKS its own only. */
  format: 'jks' | 'jceks'
  /** PrivateKeyInfo (DER), or undefined when the password does not fit. @throws CertloopError LIMIT_EXCEEDED */
  open(password: string, budget: IterationBudget): Promise<Buffer | undefined>
}

/** Reads EncryptedPrivateKeyInfo without opening it; undefined when it is damaged or protected in an unknown way. */
export function keyProtection(sealed: Buffer): KeyProtection | undefined {
  try {
    const outer = new DerCursor(readElement(sealed))
    const algorithm = new DerCursor(outer.take(0x30))
    const id = readOid(algorithm.take(0x06))
    if (id === oid.sunJksKeyProtector) {
      const content = outer.take(0x04).content
      return { format: 'jks', open: (password, budget) => openJksKey(content, password, budget) }
    }
    if (id !== oid.sunPbeWithMd5AndTripleDes) return undefined
    const parameters = new DerCursor(algorithm.take(0x30))
    const salt = parameters.take(0x04).content
    const iterations = Number.parseInt(readIntegerHex(parameters.take(0x02)), 16)
    const content = outer.take(0x04).content
    if (salt.length !== 8 || !(iterations > 0) || content.length % 8 !== 0) return undefined
    return { format: 'jceks', open: (password, budget) => openJceksKey({ salt, iterations, content }, password, budget) }
  } catch (error) {
    if (error instanceof DerError) return undefined // the entry is listed as unreadable
    throw error
  }
}

/** XOR with the chain of SHA-1 digests that starts at the salt; its own inverse. */
async function jksKeystream(password: Buffer, salt: Buffer, bytes: Buffer): Promise<Buffer> {
  const out = Buffer.from(bytes)
  const seed = Buffer.concat([password, salt])
  for (let at = 0; at < out.length; at += digestSize) {
    const block = hash('sha1', seed, 'buffer')
    seed.set(block, password.length)
    for (let i = 0; i < digestSize && at + i < out.length; i++) out[at + i] = (out[at + i] ?? 0) ^ (block[i] ?? 0)
    if (at % (pauseAfter * digestSize) === 0) await pause()
  }
  return out
}

/** One digest for 20 bytes of the key, over password and salt. */
const jksCost = (content: Buffer, chars: Buffer): number => Math.ceil(content.length / digestSize) * Math.ceil((chars.length + digestSize) / sha1Block)
const sha1Block = 64

async function openJksKey(content: Buffer, password: string, budget: IterationBudget): Promise<Buffer | undefined> {
  if (content.length < 2 * digestSize) return undefined
  const chars = javaChars(password)
  budget.spend(jksCost(content, chars))
  const key = await jksKeystream(chars, content.subarray(0, digestSize), content.subarray(digestSize, -digestSize))
  const check = createHash('sha1').update(chars).update(key).digest()
  return timingSafeEqual(check, content.subarray(-digestSize)) ? key : undefined
}

export async function sealJksKey(key: Buffer, password: string): Promise<Buffer> {
  const chars = javaChars(password)
  const salt = randomBytes(digestSize)
  const check = createHash('sha1').update(chars).update(key).digest()
  const content = Buffer.concat([salt, await jksKeystream(chars, salt, key), check])
  return sequence(sequence(objectIdentifier(oid.sunJksKeyProtector), nullElement()), octetString(content))
}

/** Key and initialisation vector of Sun's PBEWithMD5AndTripleDES: each half of the salt hashed with the password over and over. */
async function tripleDesParts(password: string, salt: Buffer, iterations: number): Promise<{ key: Buffer; iv: Buffer }> {
  const chars = Buffer.from(password, 'latin1')
  const halves = [Buffer.from(salt.subarray(0, 4)), Buffer.from(salt.subarray(4))]
  const [first = Buffer.alloc(4), second = Buffer.alloc(4)] = halves
  if (first.equals(second)) first.reverse() // equal halves would give a weak key
  const digests: Buffer[] = []
  for (const half of halves) {
    let digest: Buffer = half
    let input = Buffer.concat([digest, chars])
    for (let done = 0; done < iterations; done++) {
      digest = hash('md5', input, 'buffer')
      if (done === 0) input = Buffer.concat([digest, chars])
      else input.set(digest)
      if (done % pauseAfter === pauseAfter - 1) await pause()
    }
    digests.push(digest)
  }
  const whole = Buffer.concat(digests)
  return { key: whole.subarray(0, 24), iv: whole.subarray(24) }
}

/** Java refuses to make a PBE key of anything else, so no key was ever sealed with it. */
const isPbePassword = (password: string): boolean => /^[\x20-\x7e]*$/.test(password)

async function openJceksKey({ salt, iterations, content }: { salt: Buffer; iterations: number; content: Buffer }, password: string, budget: IterationBudget): Promise<Buffer | undefined> {
  if (!isPbePassword(password)) return undefined
  budget.spend(2 * iterations) // each half of the salt is hashed by itself
  const { key, iv } = await tripleDesParts(password, salt, iterations)
  const decipher = createDecipheriv('des-ede3-cbc', key, iv)
  try {
    const opened = Buffer.concat([decipher.update(content), decipher.final()])
    // Padding fits by chance once in 256 wrong passwords; a whole DER element does not.
    const { tag, raw } = readElement(opened)
    return tag === 0x30 && raw.length === opened.length ? opened : undefined
  } catch (error) {
    if (error instanceof DerError || (error as NodeJS.ErrnoException).code === 'ERR_OSSL_BAD_DECRYPT') return undefined // the password does not fit
    throw error
  }
}

/** @throws CertloopError INPUT_INVALID for a password that Java would not take */
export async function sealJceksKey(key: Buffer, password: string, iterations: number): Promise<Buffer> {
  if (!isPbePassword(password)) throw new CertloopError('INPUT_INVALID', 'Keys in a JCEKS keystore need a password of ASCII characters; Java takes no other.')
  const salt = randomBytes(8)
  const { key: cipherKey, iv } = await tripleDesParts(password, salt, iterations)
  const cipher = createCipheriv('des-ede3-cbc', cipherKey, iv)
  const count = Buffer.alloc(4)
  count.writeUInt32BE(iterations)
  const algorithm = sequence(objectIdentifier(oid.sunPbeWithMd5AndTripleDes), sequence(octetString(salt), integer(count)))
  return sequence(algorithm, octetString(Buffer.concat([cipher.update(key), cipher.final()])))
}
