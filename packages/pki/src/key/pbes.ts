import { createCipheriv, createDecipheriv, hash, pbkdf2, randomBytes, scrypt, type Decipheriv } from 'node:crypto'
import { promisify } from 'node:util'
import { CertloopError } from '@certloop/contract'
import type { ReadLimits } from '../container/keystore.ts'
import { DerCursor, DerError, readChildren, readIntegerHex, readOid, type DerElement } from '../der/der-reader.ts'
import { integer, nullElement, objectIdentifier, octetString, sequence } from '../der/der-writer.ts'

const pbes2Oid = '1.2.840.113549.1.5.13'
const pbkdf2Oid = '1.2.840.113549.1.5.12'
const scryptOid = '1.3.6.1.4.1.11591.4.11'

const prfOids = {
  sha1: '1.2.840.113549.2.7', sha224: '1.2.840.113549.2.8', sha256: '1.2.840.113549.2.9', sha384: '1.2.840.113549.2.10', sha512: '1.2.840.113549.2.11',
} as const
export type PbePrf = keyof typeof prfOids
const prfByOid = new Map<string, PbePrf>(Object.entries(prfOids).map(([prf, id]) => [id, prf as PbePrf]))

interface CipherKind { name: string; keyBytes: number; ivBytes: number; gcm: boolean }
const cbc = (name: string, keyBytes: number, ivBytes: number): CipherKind => ({ name, keyBytes, ivBytes, gcm: false })
const gcm = (name: string, keyBytes: number): CipherKind => ({ name, keyBytes, ivBytes: 12, gcm: true })
const ciphers: Record<string, CipherKind> = {
  '2.16.840.1.101.3.4.1.2': cbc('aes-128-cbc', 16, 16), '2.16.840.1.101.3.4.1.22': cbc('aes-192-cbc', 24, 16), '2.16.840.1.101.3.4.1.42': cbc('aes-256-cbc', 32, 16),
  '2.16.840.1.101.3.4.1.6': gcm('aes-128-gcm', 16), '2.16.840.1.101.3.4.1.26': gcm('aes-192-gcm', 24), '2.16.840.1.101.3.4.1.46': gcm('aes-256-gcm', 32),
  '1.2.840.113549.3.7': cbc('des-ede3-cbc', 24, 8), '1.3.14.3.2.7': cbc('des-cbc', 8, 8),
}
/** Ciphers that encryptPbes2 writes. */
const writtenCiphers = { 'aes-128-cbc': '2.16.840.1.101.3.4.1.2', 'aes-192-cbc': '2.16.840.1.101.3.4.1.22', 'aes-256-cbc': '2.16.840.1.101.3.4.1.42', 'des-ede3-cbc': '1.2.840.113549.3.7' } as const
export type PbeCipher = keyof typeof writtenCiphers

/** PBES1 (RFC 8018, A.3): digest and, where node:crypto can do it, the cipher. */
const pbes1Kinds: Record<string, { hash: 'md5' | 'sha1' | 'md2'; cipher: 'DES' | 'RC2' }> = {
  '1.2.840.113549.1.5.1': { hash: 'md2', cipher: 'DES' }, '1.2.840.113549.1.5.4': { hash: 'md2', cipher: 'RC2' }, '1.2.840.113549.1.5.3': { hash: 'md5', cipher: 'DES' },
  '1.2.840.113549.1.5.6': { hash: 'md5', cipher: 'RC2' }, '1.2.840.113549.1.5.10': { hash: 'sha1', cipher: 'DES' }, '1.2.840.113549.1.5.11': { hash: 'sha1', cipher: 'RC2' },
}

const pbkdf2Async = promisify(pbkdf2)
const scryptAsync = promisify<Buffer, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt)
const unsupported = (what: string): CertloopError => new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `The encryption ${what} is not known to Certloop. Encrypt it again, for example with AES-256 and PBKDF2.`)
const tooCostly = (what: string): CertloopError => new CertloopError('LIMIT_EXCEEDED', `Opening it with a password ${what}, which is more than is allowed.`)

/**
 * Opens what was encrypted with PBES1 or PBES2 (RFC 8018; scrypt: RFC 7914; AES-GCM: RFC 5084). The key is derived
 * beside the event loop. Text passwords are taken as UTF-8. With CBC, one wrong password in 256 gives noise instead
 * of an error: the caller has to see whether the result is what it should be.
 * @throws DerError when the parameters are not of their form
 * @throws CertloopError PASSWORD_WRONG (also for damaged contents), LIMIT_EXCEEDED before the work is done, KEY_ALGORITHM_UNSUPPORTED
 */
export async function decryptPbes(algorithm: DerElement, encrypted: Buffer, password: string | Buffer, limits: ReadLimits): Promise<Buffer> {
  const scheme = readScheme(algorithm)
  checkCost(scheme, limits)
  const secret = Buffer.from(password)
  if (scheme.kind === 'pbes1') {
    const derived = await pbkdf1(scheme.hash, secret, scheme.salt, scheme.iterations)
    return open(cbc('des-cbc', 8, 8), derived.subarray(0, 8), derived.subarray(8, 16), encrypted)
  }
  const { cipher, iv, tagBytes } = scheme
  const key = scheme.kind === 'scrypt'
    ? await scryptAsync(secret, scheme.salt, cipher.keyBytes, { N: scheme.cost, r: scheme.blockSize, p: scheme.parallel, maxmem: scryptMemory(scheme) + (1 << 20) })
    : await pbkdf2Async(secret, scheme.salt, scheme.iterations, cipher.keyBytes, scheme.prf)
  return open(cipher, key, iv, encrypted, tagBytes)
}

/**
 * How many password iterations it was sealed with. For scrypt: N * r * p, which costs about as much as so many.
 * @throws DerError, CertloopError KEY_ALGORITHM_UNSUPPORTED
 */
export const pbesIterations = (algorithm: DerElement): number => iterationsOf(readScheme(algorithm))

/**
 * What opening it takes, so that a reader of several parts can keep count of all of them: PBKDF2 goes through all its
 * iterations again for each piece of the key as long as its digest (RFC 8018, 5.2).
 * @throws as pbesIterations
 */
export const pbesCost = (algorithm: DerElement): number => costOf(readScheme(algorithm))

export interface Pbes2Options { cipher?: PbeCipher; prf?: PbePrf; iterations?: number }

/**
 * Encrypts with PBES2 and PBKDF2 (RFC 8018, 6.2): AES-256-CBC, HMAC-SHA-256 and 600,000 iterations unless said
 * otherwise (a fifth of a second or so), salt of 16 bytes. `algorithm` is the AlgorithmIdentifier, DER.
 */
export async function encryptPbes2(plain: Uint8Array, password: string | Buffer, options: Pbes2Options = {}): Promise<{ algorithm: Buffer; encrypted: Buffer }> {
  const { cipher = 'aes-256-cbc', prf = 'sha256', iterations = 600_000 } = options
  const kind = ciphers[writtenCiphers[cipher]]
  if (!kind || !Number.isInteger(iterations) || iterations < 1 || iterations > 0x7fffffff) throw new CertloopError('INPUT_INVALID', 'The number of iterations has to be a whole number from 1.')
  const salt = randomBytes(16)
  const iv = randomBytes(kind.ivBytes)
  const key = await pbkdf2Async(password, salt, iterations, kind.keyBytes, prf)
  const count = Buffer.alloc(4)
  count.writeUInt32BE(iterations)
  // HMAC-SHA-1 is the default and so must not be written in DER.
  const prfPart = prf === 'sha1' ? [] : [sequence(objectIdentifier(prfOids[prf]), nullElement())]
  const derivation = sequence(objectIdentifier(pbkdf2Oid), sequence(octetString(salt), integer(count), ...prfPart))
  const algorithm = sequence(objectIdentifier(pbes2Oid), sequence(derivation, sequence(objectIdentifier(writtenCiphers[cipher]), octetString(iv))))
  const engine = createCipheriv(kind.name, key, iv)
  return { algorithm, encrypted: Buffer.concat([engine.update(plain), engine.final()]) }
}

type Pbes2Cipher = { cipher: CipherKind; iv: Buffer; tagBytes: number }
type ScryptCost = { cost: number; blockSize: number; parallel: number }
type Scheme =
  | { kind: 'pbes1'; hash: 'md5' | 'sha1'; salt: Buffer; iterations: number }
  | { kind: 'pbkdf2'; salt: Buffer; iterations: number; prf: PbePrf } & Pbes2Cipher
  | { kind: 'scrypt'; salt: Buffer } & ScryptCost & Pbes2Cipher

function readScheme(algorithm: DerElement): Scheme {
  const cursor = new DerCursor(algorithm)
  const id = readOid(cursor.take())
  if (id === pbes2Oid) return readPbes2(cursor.take(0x30))
  const kind = pbes1Kinds[id]
  if (!kind) throw unsupported(id)
  if (kind.cipher === 'RC2' || kind.hash === 'md2') throw unsupported(`with ${kind.hash.toUpperCase()} and ${kind.cipher}`)
  const parameters = new DerCursor(cursor.take(0x30))
  return { kind: 'pbes1', hash: kind.hash, salt: parameters.take(0x04).content, iterations: readCount(parameters.take(0x02)) }
}

function readPbes2(parameters: DerElement): Scheme {
  const cursor = new DerCursor(parameters)
  const derivation = new DerCursor(cursor.take(0x30))
  const encryption = readCipher(cursor.take(0x30))
  const id = readOid(derivation.take())
  if (id !== pbkdf2Oid && id !== scryptOid) throw unsupported(`with the key derivation ${id}`)
  const values = new DerCursor(derivation.take(0x30))
  const salt = values.take(0x04).content
  const counts: number[] = []
  for (let next = values.takeIf(0x02); next; next = values.takeIf(0x02)) counts.push(readCount(next))
  return id === pbkdf2Oid ? readPbkdf2({ salt, counts, prf: values.takeIf(0x30), encryption }) : readScrypt(salt, counts, encryption)
}

function readPbkdf2({ salt, counts, prf, encryption }: { salt: Buffer; counts: number[]; prf: DerElement | undefined; encryption: Pbes2Cipher }): Scheme {
  const [iterations, keyBytes] = counts
  if (iterations === undefined || (keyBytes !== undefined && keyBytes !== encryption.cipher.keyBytes)) throw new DerError('the password parameters do not fit the cipher')
  const id = prf ? readOid(new DerCursor(prf).take()) : prfOids.sha1
  const known = prfByOid.get(id)
  if (!known) throw unsupported(`with the digest ${id}`)
  return { kind: 'pbkdf2', salt, iterations, prf: known, ...encryption }
}

function readScrypt(salt: Buffer, counts: number[], encryption: Pbes2Cipher): Scheme {
  const [cost = 0, blockSize = 0, parallel = 0, keyBytes] = counts
  // RFC 7914, 6: N is a power of two below 2^(16 r), and p r below 2^30.
  if (cost < 2 || !Number.isInteger(Math.log2(cost)) || Math.log2(cost) >= 16 * blockSize || parallel < 1 || parallel * blockSize >= 2 ** 30 || (keyBytes !== undefined && keyBytes !== encryption.cipher.keyBytes)) throw new DerError('the scrypt parameters are not of their form')
  return { kind: 'scrypt', salt, cost, blockSize, parallel, ...encryption }
}

function readCipher(algorithm: DerElement): Pbes2Cipher {
  const cursor = new DerCursor(algorithm)
  const id = readOid(cursor.take())
  const cipher = ciphers[id]
  if (!cipher) throw unsupported(`with the cipher ${id}`)
  if (!cipher.gcm) {
    const iv = cursor.take(0x04).content
    if (iv.length !== cipher.ivBytes) throw new DerError('the cipher has a start value of the wrong length')
    return { cipher, iv, tagBytes: 0 }
  }
  const [nonce, tag] = readChildren(cursor.take(0x30))
  const tagBytes = tag ? readCount(tag) : 12
  if (nonce?.tag !== 0x04 || nonce.content.length < 12 || nonce.content.length > 16 || tagBytes < 12 || tagBytes > 16) throw new DerError('the cipher has a start value of the wrong length')
  return { cipher, iv: nonce.content, tagBytes }
}

/** A positive count; what does not fit a safe number is beyond every limit and becomes infinite. */
function readCount(element: DerElement): number {
  const hex = readIntegerHex(element)
  if (hex.startsWith('-') || /^0+$/.test(hex)) throw new DerError('a count is not positive')
  return hex.length > 12 ? Infinity : Number.parseInt(hex, 16)
}

const scryptMemory = ({ cost, blockSize, parallel }: ScryptCost): number => 128 * blockSize * (cost + parallel)
const iterationsOf = (scheme: Scheme): number => (scheme.kind === 'scrypt' ? scheme.cost * scheme.blockSize * scheme.parallel : scheme.iterations)

const prfBytes: Record<PbePrf, number> = { sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64 }
/** Runs of PBKDF2's iterations that a key of so many bytes takes. */
export const pbkdf2Runs = (keyBytes: number, prf: string): number => Math.ceil(keyBytes / (Object.hasOwn(prfBytes, prf) ? prfBytes[prf as PbePrf] : 20))
const costOf = (scheme: Scheme): number => iterationsOf(scheme) * (scheme.kind === 'pbkdf2' ? pbkdf2Runs(scheme.cipher.keyBytes, scheme.prf) : 1)

function checkCost(scheme: Scheme, limits: ReadLimits): void {
  if (scheme.kind === 'scrypt' && scryptMemory(scheme) > limits.maxMemory) throw tooCostly(`takes ${scryptMemory(scheme)} bytes of memory`)
  const iterations = costOf(scheme)
  if (iterations > Math.min(limits.maxIterations, 0x7fffffff)) throw tooCostly(`takes ${iterations} iterations instead of at most ${limits.maxIterations}`)
}

/** PBKDF1 (RFC 8018, 5.1). node:crypto has none, so the event loop gets a turn after every few milliseconds of it. */
async function pbkdf1(digest: 'md5' | 'sha1', password: Buffer, salt: Buffer, iterations: number): Promise<Buffer> {
  let value = hash(digest, Buffer.concat([password, salt]), 'buffer')
  for (let done = 1; done < iterations; done++) {
    value = hash(digest, value, 'buffer')
    if (done % 2_000 === 0) await new Promise((resolve) => { setImmediate(resolve) })
  }
  return value
}

function open(cipher: CipherKind, key: Buffer, iv: Buffer, encrypted: Buffer, tagBytes = 0): Buffer {
  if (encrypted.length < Math.max(1, tagBytes) || (!cipher.gcm && encrypted.length % cipher.ivBytes !== 0)) throw new DerError('the encrypted part has a length that can not be')
  const body = encrypted.subarray(0, encrypted.length - tagBytes)
  const decipher = decipherOf(cipher, key, iv, encrypted.subarray(body.length))
  try {
    return Buffer.concat([decipher.update(body), decipher.final()])
  } catch (error) {
    throw new CertloopError('PASSWORD_WRONG', 'The password does not open it, or it is damaged.', {}, error)
  }
}

function decipherOf(cipher: CipherKind, key: Buffer, iv: Buffer, tag: Buffer): Decipheriv {
  if (cipher.gcm) return createDecipheriv(cipher.name as 'aes-256-gcm', key, iv, { authTagLength: tag.length }).setAuthTag(tag)
  // OpenSSL 3 has no single DES any more; three times the same key is the same.
  return cipher.name === 'des-cbc' ? createDecipheriv('des-ede3-cbc', Buffer.concat([key, key, key]), iv) : createDecipheriv(cipher.name, key, iv)
}
