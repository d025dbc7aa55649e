import { createPublicKey } from 'node:crypto'
import { DerCursor, DerError, readBits, readElement, readOid, type DerElement } from '../der/der-reader.ts'
import { curveWords, oid, plainKeyWords } from '../oids.ts'
import { modularPower } from './big-number.ts'
import type { KeyBlocklist } from './key-blocklist.ts'
import { publishedKeys } from './published-keys.ts'
import { rsaProblems } from './rsa-problems.ts'
import { sha256Hex } from './spki.ts'

export type KeyProblemCode =
  | 'key-unreadable' | 'key-kind-unknown' | 'key-published' | 'key-listed'
  | 'rsa-modulus-invalid' | 'rsa-too-small' | 'rsa-too-large' | 'rsa-size-odd' | 'rsa-small-factor' | 'rsa-roca' | 'rsa-close-primes'
  | 'rsa-exponent-invalid' | 'rsa-exponent-too-small' | 'rsa-exponent-too-large'
  | 'ec-curve-unknown' | 'ec-too-small' | 'ec-point-invalid' | 'ed25519-point-invalid'

export interface KeyProblem {
  code: KeyProblemCode
  /** A sentence for people. */
  message: string
}

export interface KeyProblemOptions {
  /** Broken keys known one by one: see readKeyBlocklist. None are built in but those of publishedKeys. */
  known?: KeyBlocklist
}

const smallCurves = new Set(['ec-192', 'ec-224'])

/**
 * What speaks against certifying a public key (SubjectPublicKeyInfo, DER); empty when nothing is found. Looks at sizes,
 * exponent and factors (BR 6.1.5 and 6.1.6), ROCA (CVE-2017-15361), close primes (CVE-2022-26320), keys whose private half is
 * published, points that are not on their curve. Well below a millisecond. Primes shared with other keys: sharedPrimes
 * and createModulusPool. Never throws.
 */
export function keyProblems(spki: Uint8Array, { known }: KeyProblemOptions = {}): KeyProblem[] {
  const bytes = Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength)
  try {
    return [...publishedProblems(bytes), ...algorithmProblems(bytes, known)]
  } catch (error) {
    if (error instanceof DerError) return [{ code: 'key-unreadable', message: `The public key can not be read: ${error.message}.` }]
    throw error
  }
}

function publishedProblems(spki: Buffer): KeyProblem[] {
  const source = publishedKeys.get(sha256Hex(spki))
  return source === undefined ? [] : [{ code: 'key-published', message: `The private half of this key is known to everybody: ${source}.` }]
}

function algorithmProblems(spki: Buffer, known: KeyBlocklist | undefined): KeyProblem[] {
  const cursor = new DerCursor(readElement(spki))
  const algorithm = new DerCursor(cursor.take(0x30))
  const bits = readBits(cursor.take(0x03))
  const id = readOid(algorithm.take())
  if (id === oid.rsa || id === oid.rsaPss) return rsaProblems(bits, known)
  if (id === oid.ecPublicKey) return ecProblems(spki, bits, algorithm.takeIf(0x06))
  const word = plainKeyWords[id]
  if (word !== 'ed25519' && word !== 'ed448' && !word?.startsWith('ml-dsa')) return [{ code: 'key-kind-unknown', message: `Keys of the kind ${word ?? id} are not for certificates.` }]
  if (word === 'ed25519') return isEd25519Point(bits) ? [] : [{ code: 'ed25519-point-invalid', message: 'The public key is no point of the curve, or one of its few weak points.' }]
  return isUsable(spki) ? [] : [{ code: 'key-unreadable', message: `The public key is no ${word} key.` }]
}

function ecProblems(spki: Buffer, point: Buffer, curve: DerElement | undefined): KeyProblem[] {
  const word = curve && curveWords[readOid(curve)]
  if (word === undefined) return [{ code: 'ec-curve-unknown', message: curve ? `The curve ${readOid(curve)} is not known.` : 'The curve is written out in numbers instead of named; such curves can be chosen to be weak.' }]
  if (smallCurves.has(word)) return [{ code: 'ec-too-small', message: 'The curve is too small; at least 256 bits are needed.' }]
  // OpenSSL takes the point at infinity, a single zero byte, which is no key (RFC 5480, 2.2; SEC 1, 3.2.2.1).
  return point.length > 1 && isUsable(spki) ? [] : [{ code: 'ec-point-invalid', message: 'The public key is no point of its curve.' }]
}

/** OpenSSL looks whether a point is on its curve, and at the length of ML-DSA keys. */
function isUsable(spki: Buffer): boolean {
  try {
    createPublicKey({ key: spki, format: 'der', type: 'spki' })
    return true
  } catch {
    return false
  }
}

const fieldPrime = (1n << 255n) - 19n
const curveConstant = (fieldPrime - 121_665n) * modularPower(121_666n, fieldPrime - 2n, fieldPrime) % fieldPrime

/** RFC 8032, 5.1.3 and 5.1: -x² + y² = 1 + d x² y² has to have an x, and the point must not be one of the eight whose order divides 8. */
function isEd25519Point(bits: Buffer): boolean {
  if (bits.length !== 32) return false
  const y = BigInt(`0x${Buffer.from(bits).reverse().toString('hex')}`) & ((1n << 255n) - 1n)
  if (y >= fieldPrime) return false
  const ySquare = (y * y) % fieldPrime
  const denominator = (curveConstant * ySquare + 1n) % fieldPrime
  const xSquare = ((ySquare + fieldPrime - 1n) * modularPower(denominator, fieldPrime - 2n, fieldPrime)) % fieldPrime
  // x = 0 gives order 1 and 2, y = 0 order 4; order 8 is where doubling gives y = 0, that is y² = -x².
  const isWeak = xSquare === 0n || y === 0n || (ySquare + xSquare) % fieldPrime === 0n
  return !isWeak && modularPower(xSquare, (fieldPrime - 1n) / 2n, fieldPrime) === 1n
}
