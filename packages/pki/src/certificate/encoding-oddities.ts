import { latin1Text, type DerElement } from '../der/der-reader.ts'
import type { Oddity } from './certificate-facts.ts'

/** String types that RFC 5280, 4.1.2.4 keeps for old names only. */
const oldStrings: Readonly<Record<number, string>> = { 0x14: 'TeletexString', 0x1c: 'UniversalString', 0x1e: 'BMPString' }

/** Whether a length of `count` octets from `at` would have fitted in fewer; 0 octets are the short form. */
function isTooLong(bytes: Buffer, at: number, count: number): boolean {
  const first = bytes[at] ?? 0
  return count > 0 && (first === 0 || (count === 1 && first < 0x80))
}

/** The length that is in `first` alone, or in `count` octets from `at`. */
function lengthOf(bytes: Buffer, at: number, first: number, count: number): number {
  let size = count === 0 ? first : 0
  for (let i = at; i < at + count; i++) size = size * 256 + (bytes[i] ?? 0)
  return size
}

/**
 * Walks over all headers in the order of their bytes, into constructed elements and past primitive ones, and notes
 * what readers tolerate. Ends silently where headers make no sense: readers have judged that before.
 */
function walk(bytes: Buffer): { tooLongAt: number; oldString: number } {
  const found = { tooLongAt: -1, oldString: 0 }
  for (let at = 0; at + 2 <= bytes.length;) {
    const tag = bytes[at] ?? 0
    const first = bytes[at + 1] ?? 0
    const count = first < 0x80 ? 0 : first & 0x7f
    if (first === 0x80 || count > 6) return found
    const start = at + 2 + count
    if (found.tooLongAt < 0 && isTooLong(bytes, at + 2, count)) found.tooLongAt = at
    if (oldStrings[tag] !== undefined) found.oldString = tag
    at = (tag & 0x20) !== 0 ? start : start + lengthOf(bytes, at + 2, first, count)
  }
  return found
}

/** What is unusual in how the whole certificate is encoded, extension values not included. */
export function encodingOddities(der: Buffer, serialNumber: DerElement): Oddity[] {
  const { tooLongAt, oldString } = walk(der)
  const oddities: Oddity[] = []
  if (tooLongAt >= 0) oddities.push({ code: 'length-not-minimal', detail: `the first at byte ${tooLongAt}` })
  if (oldString !== 0) oddities.push({ code: 'string-type-old', detail: oldStrings[oldString] ?? '' })
  const [first, second] = serialNumber.content
  if (second !== undefined && first === (second < 0x80 ? 0 : 0xff)) oddities.push({ code: 'serial-not-minimal', detail: 'it begins with a byte that says nothing' })
  return oddities
}

/** Years from 2050 on are written as GeneralizedTime, others as UTCTime; both with seconds and in UTC (RFC 5280, 4.1.2.5). */
export function timeOddity(member: 'notBefore' | 'notAfter', time: DerElement): Oddity[] {
  const text = latin1Text(time)
  const isUsual = time.tag === 0x17 ? text.length === 13 && text.endsWith('Z') : text.length === 15 && text.endsWith('Z') && text >= '2050'
  return isUsual ? [] : [{ code: 'time-form', detail: `${member} is "${text.slice(0, 40)}"` }]
}
