import { CertloopError } from '@certloop/contract'
import { bitLength, greatestCommonDivisor } from './big-number.ts'

/** BigInt ends at 2^30 bits, and the square of the whole product has to fit. */
const maxProductBits = 2 ** 29 - 1
const maxModulusBits = 16_384

function checkModulus(modulus: bigint): bigint {
  if (modulus < 2n || modulus >> BigInt(maxModulusBits) > 0n) throw new CertloopError('INPUT_INVALID', `A modulus is a number from 2 of at most ${maxModulusBits} bits.`)
  return modulus
}

/**
 * RSA moduli that share a prime with another of the list, and so are broken both: index to the common factor, or to
 * the modulus itself where each of its primes is shared. The same modulus several times counts as one: a key used
 * again is no key broken. Batch GCD with product and remainder trees (Bernstein), quasi-linear in the bits.
 * Synchronous: 10,000 moduli of 2048 bits take some eight seconds, so call it in a worker.
 * @throws CertloopError INPUT_INVALID (below 2, or above 16384 bits), LIMIT_EXCEEDED (above 2^29 bits together: 260,000 keys of 2048)
 */
export function sharedPrimes(moduli: readonly bigint[]): Map<number, bigint> {
  const unique = [...new Set(moduli.map(checkModulus))]
  if (unique.length * bitLength(unique.reduce((a, b) => (a > b ? a : b), 0n)) > maxProductBits) throw new CertloopError('LIMIT_EXCEEDED', `${unique.length} moduli are too many for one comparison.`)
  const factors = new Map<bigint, bigint>()
  for (const [index, rest] of productsOfOthers(unique).entries()) {
    const modulus = unique[index] ?? 1n
    const factor = greatestCommonDivisor(modulus, rest)
    if (factor > 1n) factors.set(modulus, factor)
  }
  return new Map(moduli.flatMap((modulus, index) => {
    const factor = factors.get(modulus)
    return factor === undefined ? [] : [[index, factor] as const]
  }))
}

/** A product of moduli, and the sum of the products that leave one of them out. */
interface ProductNode { product: bigint; sum: bigint }

/**
 * For each, the product of all others modulo itself. That is the rest of the sum of all such products, since every other
 * term holds the modulus: half the length of the product modulo its square, the usual way.
 */
function productsOfOthers(moduli: readonly bigint[]): bigint[] {
  const levels: ProductNode[][] = []
  for (let level: ProductNode[] = moduli.map((product) => ({ product, sum: 1n })); level.length > 1; level = pairs(level)) levels.push(level)
  const top = levels.at(-1) ?? []
  let rests: bigint[] = pairs(top).map(({ sum }) => sum)
  for (const level of levels.toReversed()) rests = level.map(({ product }, i) => (rests[i >> 1] ?? 0n) % product)
  return levels.length === 0 ? moduli.map(() => 1n) : rests
}

function pairs(level: readonly ProductNode[]): ProductNode[] {
  const above: ProductNode[] = []
  for (let i = 0; i < level.length; i += 2) {
    const [left, right] = [level[i], level[i + 1]]
    if (left && right) above.push({ product: left.product * right.product, sum: left.sum * right.product + right.sum * left.product })
    else if (left) above.push(left)
  }
  return above
}

/** Moduli that are known, for looking at one new key after the other. */
export interface ModulusPool {
  readonly size: number
  /** A modulus that is in already is passed over. @throws CertloopError INPUT_INVALID */
  add(modulus: bigint): void
  /**
   * The factor that it has in common with another modulus of the pool, or the modulus itself where each of its primes is
   * shared; null when there is none. The same modulus does not count as another.
   * @throws CertloopError INPUT_INVALID
   */
  sharesPrime(modulus: bigint): bigint | null
}

/**
 * An empty pool. Keeps products of 1, 2, 4, … moduli, so that adding multiplies each only log n times over, and a
 * look is one division of each product (some 30 ms for 10,000 moduli of 2048 bits).
 */
export function createModulusPool(): ModulusPool {
  const known = new Set<bigint>()
  const products: { count: number; product: bigint }[] = []
  return {
    get size() { return known.size },
    add(modulus) {
      if (known.has(checkModulus(modulus))) return
      known.add(modulus)
      let made = { count: 1, product: modulus }
      for (let last = products.at(-1); last && last.count <= made.count; last = products.at(-1)) {
        if (bitLength(modulus) * (last.count + made.count) > maxProductBits) break
        products.pop()
        made = { count: last.count + made.count, product: last.product * made.product }
      }
      products.push(made)
    },
    sharesPrime(modulus) {
      let isOwnLeft = known.has(checkModulus(modulus))
      let rest = 1n
      for (const { product } of products) {
        const part = product % modulus
        // Its own entry is taken out once: the product without it, modulo itself.
        const isOwn = isOwnLeft && part === 0n
        rest = (rest * (isOwn ? (product % (modulus * modulus)) / modulus : part)) % modulus
        if (isOwn) isOwnLeft = false
      }
      const factor = greatestCommonDivisor(modulus, rest)
      return factor > 1n ? factor : null
    },
  }
}
