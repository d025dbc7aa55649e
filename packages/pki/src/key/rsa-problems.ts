import { DerCursor, readElement, type DerElement } from '../der/der-reader.ts'
import { bitLength, squareRoot } from './big-number.ts'
import type { KeyBlocklist } from './key-blocklist.ts'
import { isRoca } from './roca.ts'
import type { KeyProblem } from './weak-key.ts'

const leastBits = 2048
/** Above, checking one signature costs so much that it serves for attacks; authorities stop at 8192 or before. */
const mostBits = 8192
const leastExponent = 65_537n
const mostExponent = (1n << 256n) - 1n
/** BR 6.1.6: no factor below 752. */
const smallPrimes = Array.from({ length: 750 }, (_, i) => i + 2).filter((n) => !Array.from({ length: 26 }, (_, i) => i + 2).some((d) => d < n && n % d === 0)).map(BigInt)
const fermatRounds = 100

/** What is wrong with the bits of an RSA key (RSAPublicKey, RFC 8017, A.1.1). @throws DerError */
export function rsaProblems(bits: Buffer, known: KeyBlocklist | undefined): KeyProblem[] {
  const cursor = new DerCursor(readElement(bits))
  const [modulusElement, exponentElement] = [cursor.take(0x02), cursor.take(0x02)]
  if (isNegative(modulusElement)) return [{ code: 'rsa-modulus-invalid', message: 'The modulus is negative or empty.' }]
  // Judged by its length alone: arithmetic with a number of megabytes would take minutes.
  const bitsAtMost = modulusElement.content.length * 8
  if (bitsAtMost > mostBits + 64) return [{ code: 'rsa-too-large', message: `The modulus has about ${bitsAtMost} bits; at most ${mostBits} are taken.` }]
  const modulus = BigInt(`0x${modulusElement.content.toString('hex')}`)
  return [...sizeProblems(modulus), ...exponentProblems(exponentElement, modulus), ...factorProblems(modulus), ...listProblems(modulus, known)]
}

const isNegative = ({ content }: DerElement): boolean => (content[0] ?? 0x80) >= 0x80

function sizeProblems(modulus: bigint): KeyProblem[] {
  const size = bitLength(modulus)
  const problems: KeyProblem[] = []
  if (size < leastBits) problems.push({ code: 'rsa-too-small', message: `The modulus has ${size} bits; at least ${leastBits} are needed.` })
  if (size > mostBits) problems.push({ code: 'rsa-too-large', message: `The modulus has ${size} bits; at most ${mostBits} are taken.` })
  if (size % 8 !== 0) problems.push({ code: 'rsa-size-odd', message: `The modulus has ${size} bits, which is no multiple of 8.` })
  return problems
}

/** BR 6.1.6: an odd exponent from 2^16 + 1 to 2^256 - 1. */
function exponentProblems(element: DerElement, modulus: bigint): KeyProblem[] {
  if (isNegative(element)) return [{ code: 'rsa-exponent-invalid', message: 'The public exponent is negative or empty.' }]
  if (element.content.length > 33) return [{ code: 'rsa-exponent-too-large', message: 'The public exponent has more than 256 bits.' }]
  const exponent = BigInt(`0x${element.content.toString('hex')}`)
  if (exponent > mostExponent || exponent >= modulus) return [{ code: 'rsa-exponent-too-large', message: 'The public exponent has more than 256 bits, or is as large as the modulus.' }]
  if (exponent < 2n || exponent % 2n === 0n) return [{ code: 'rsa-exponent-invalid', message: `The public exponent ${exponent} can not be: it has to be odd and above 1.` }]
  if (exponent < leastExponent) return [{ code: 'rsa-exponent-too-small', message: `The public exponent is ${exponent}; at least ${leastExponent} is needed.` }]
  return []
}

function factorProblems(modulus: bigint): KeyProblem[] {
  if (modulus < 4n) return [{ code: 'rsa-modulus-invalid', message: 'The modulus is no product of two primes.' }]
  const small = smallPrimes.find((prime) => modulus % prime === 0n)
  if (small !== undefined) return [{ code: 'rsa-small-factor', message: `The modulus can be divided by ${small}.` }]
  if (isRoca(modulus)) return [{ code: 'rsa-roca', message: 'The key is from the broken generator of CVE-2017-15361 (ROCA): its private half can be computed.' }]
  if (hasClosePrimes(modulus)) return [{ code: 'rsa-close-primes', message: 'The two primes of the key are so close to each other that its private half can be computed (Fermat).' }]
  return []
}

/**
 * Fermat's way: n = a² - b² for the first values of a above the root of n (CVE-2022-26320). A number that is no square
 * modulo 64, 63 or 65 need not be looked at.
 */
function hasClosePrimes(modulus: bigint): boolean {
  let a = squareRoot(modulus)
  if (a * a < modulus) a++
  let rest = a * a - modulus
  for (let round = 0; round < fermatRounds; round++) {
    if (mayBeSquare(rest) && squareRoot(rest) ** 2n === rest) return true
    rest += 2n * a + 1n
    a++
  }
  return false
}

const squaresModulo = (n: number): Set<number> => new Set(Array.from({ length: n }, (_, i) => (i * i) % n))
const [squares64, squares63, squares65, squares11] = [squaresModulo(64), squaresModulo(63), squaresModulo(65), squaresModulo(11)]
function mayBeSquare(value: bigint): boolean {
  if (!squares64.has(Number(value & 63n))) return false
  const rest = Number(value % 45_045n) // 63 * 65 * 11
  return squares63.has(rest % 63) && squares65.has(rest % 65) && squares11.has(rest % 11)
}

function listProblems(modulus: bigint, known: KeyBlocklist | undefined): KeyProblem[] {
  return known?.hasModulus(modulus) ? [{ code: 'key-listed', message: 'The key is on the list of broken keys: anybody can have its private half (such as CVE-2008-0166, Debian 2006 to 2008).' }] : []
}
