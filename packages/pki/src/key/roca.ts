import { greatestCommonDivisor } from './big-number.ts'

const generator = 65_537
/** The primes of the smallest modulus that the broken generator used (keys of 512 bits and more), 2 left out. */
const primes = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
]

/** Powers of the generator modulo one prime: rest to exponent, and how many there are. */
interface PowerTable { prime: bigint; exponents: Map<number, bigint>; order: bigint }

function powerTable(prime: number): PowerTable {
  const exponents = new Map<number, bigint>()
  for (let power = 1, exponent = 0n; !exponents.has(power); power = (power * (generator % prime)) % prime, exponent++) exponents.set(power, exponent)
  return { prime: BigInt(prime), exponents, order: BigInt(exponents.size) }
}

const tables = primes.map(powerTable)

/**
 * Whether a modulus is from the prime generator of CVE-2017-15361 (ROCA), whose primes are k M + (65537^a mod M) with M
 * a product of small primes. So the modulus is a power of 65537 modulo M as well, and the exponents modulo each small
 * prime agree with each other. A sound modulus looks so once in 2^154.
 */
export function isRoca(modulus: bigint): boolean {
  let exponent = 0n
  let period = 1n
  for (const { prime, exponents, order } of tables) {
    const found = exponents.get(Number(modulus % prime))
    if (found === undefined) return false
    const common = greatestCommonDivisor(period, order)
    if ((found - exponent) % common !== 0n) return false
    // Some 60 values at most have to be tried: the orders are below 167.
    while (exponent % order !== found) exponent += period
    period *= order / common
  }
  return true
}
