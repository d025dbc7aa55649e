import { randomBytes } from 'node:crypto'
import type { Id, IdKind } from './ids.ts'

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz' // Crockford's base 32, lower case

let last = { head: '', tail: '' }

/**
 * A new id: prefix, 50 bits of UTC milliseconds and 80 random bits, in base 32. Sorts by time of making; within one
 * millisecond, or when the clock goes back, the ids of one process go on counting.
 * @param now UTC
 */
export function newId<K extends IdKind>(kind: K, now: Date): Id<K> {
  let time = now.getTime()
  let head = ''
  for (let i = 0; i < 10; i++) {
    head = alphabet[time % 32] + head
    time = Math.floor(time / 32)
  }
  // A clock that went back must not put later ids before earlier ones.
  last = head > last.head ? { head, tail: randomTail() } : { head: last.head, tail: increment(last.tail) }
  return `${kind}_${last.head}${last.tail}`
}

function randomTail(): string {
  let tail = ''
  for (const byte of randomBytes(16)) tail += alphabet[byte % 32]
  return tail
}

function increment(tail: string): string {
  const digits = [...tail]
  for (let i = digits.length - 1; i >= 0; i--) {
    const next = alphabet.indexOf(digits[i] ?? '0') + 1
    digits[i] = alphabet[next % 32] ?? '0'
    if (next < 32) break
  }
  return digits.join('')
}
