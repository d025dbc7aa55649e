import type { OrderId } from '@certloop/contract'

const digits = '0123456789abcdefghjkmnpqrstvwxyz'
/** 0 <= value < 1, the same for one order each time: what failed together does not come back together. The end of an id is random. */
export function spreadOf(id: OrderId): number {
  const [tens, ones] = Array.from(id.slice(-2), (digit) => Math.max(0, digits.indexOf(digit)))
  return ((tens ?? 0) * 32 + (ones ?? 0)) / 1024
}
