import { randomBytes } from 'node:crypto'
import type { Id, IdKind } from './ids.ts'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz' // Crockford's base 32, lower case

/**
 * A new id: prefix, 48 bits of UTC milliseconds and 80 random bits, in base 32. Sorts by time of making.
 * @param now UTC; passed in by tests, otherwise the wall clock.
 */
export function newId<K extends IdKind>(kind: K, now: Date = new Date()): Id<K> {
  let time = now.getTime()
  let head = ''
  for (let i = 0; i < 10; i++) {
    head = alphabet[time % 32] + head
    time = Math.floor(time / 32)
  }
  let tail = ''
  for (const byte of randomBytes(16)) tail += alphabet[byte % 32]
  return `${kind}_${head}${tail}`
}
