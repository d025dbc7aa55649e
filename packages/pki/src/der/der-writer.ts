/**
 * DER (X.690) written from the inside out: every function returns the bytes of one complete element.
 * Own code because writing a leaf is a hot path: it has to cost less than its signature does.
 */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  let size = 0
  for (const part of parts) size += part.length
  const lengthBytes = size < 0x80 ? 0 : size < 0x100 ? 1 : size < 0x10000 ? 2 : size < 0x1000000 ? 3 : 4
  const out = Buffer.allocUnsafe(2 + lengthBytes + size)
  out[0] = tag
  if (lengthBytes === 0) out[1] = size
  else {
    out[1] = 0x80 | lengthBytes
    out.writeUIntBE(size, 2, lengthBytes)
  }
  let at = 2 + lengthBytes
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Tag and length of an element whose content, of `size` bytes, is written elsewhere. */
export function header(tag: number, size: number): Buffer {
  if (size < 0x80) return Buffer.of(tag, size)
  const lengthBytes = size < 0x100 ? 1 : size < 0x10000 ? 2 : size < 0x1000000 ? 3 : 4
  const out = Buffer.alloc(2 + lengthBytes)
  out[0] = tag
  out[1] = 0x80 | lengthBytes
  out.writeUIntBE(size, 2, lengthBytes)
  return out
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts)
/** SET OF: DER wants the members sorted by their bytes. */
export const setOf = (...parts: readonly Uint8Array[]): Buffer => element(0x31, ...parts.toSorted((a, b) => Buffer.compare(a, b)))
export const octetString = (bytes: Uint8Array): Buffer => element(0x04, bytes)
export const boolean = (value: boolean): Buffer => element(0x01, Buffer.of(value ? 0xff : 0))
export const nullElement = (): Buffer => element(0x05)
export const utf8String = (text: string): Buffer => element(0x0c, Buffer.from(text, 'utf8'))
/** [n] EXPLICIT */
export const explicit = (n: number, ...parts: readonly Uint8Array[]): Buffer => element(0xa0 | n, ...parts)
/** [n] IMPLICIT of a primitive type */
export const implicit = (n: number, content: Uint8Array): Buffer => element(0x80 | n, content)
export const bitString = (bytes: Uint8Array, unusedBits = 0): Buffer => element(0x03, Buffer.of(unusedBits), bytes)

/** A non-negative INTEGER from its big-endian magnitude, in the fewest bytes. */
export function integer(magnitude: Uint8Array): Buffer {
  let start = 0
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++
  const bytes = magnitude.subarray(start)
  const first = bytes[0]
  if (first === undefined) return element(0x02, Buffer.of(0))
  return first >= 0x80 ? element(0x02, Buffer.of(0), bytes) : element(0x02, bytes)
}

/** A small non-negative INTEGER, below 128. */
export const smallInteger = (value: number): Buffer => element(0x02, Buffer.of(value))

/** Named bits as in KeyUsage: trailing zero bits are left out (X.690, 11.2.2). */
export function namedBits(bits: readonly number[]): Buffer {
  const highest = Math.max(-1, ...bits)
  const bytes = Buffer.alloc(Math.ceil((highest + 1) / 8))
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7))
  return bitString(bytes, bytes.length * 8 - (highest + 1))
}

const oidCache = new Map<string, Buffer>()
/** More than the identifiers of this package; those that others bring must not fill the memory. */
const cachedOids = 1000

/** OBJECT IDENTIFIER from dotted text, whose form has been checked; arcs of any size. */
export function objectIdentifier(dotted: string): Buffer {
  const known = oidCache.get(dotted)
  if (known) return known
  const [first = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt)
  const bytes: number[] = []
  for (const arc of [first * 40n + second, ...rest]) {
    const septets = [Number(arc & 0x7fn)]
    for (let left = arc >> 7n; left > 0n; left >>= 7n) septets.unshift(0x80 | Number(left & 0x7fn))
    bytes.push(...septets)
  }
  const made = element(0x06, Buffer.from(bytes))
  if (oidCache.size < cachedOids) oidCache.set(dotted, made)
  return made
}

/** Decimal digits of `value` into `places` bytes from `at`. */
function putDigits(out: Buffer, at: number, places: number, value: number): void {
  let left = value
  for (let i = at + places - 1; i >= at; i--) {
    out[i] = 0x30 + (left % 10)
    left = Math.floor(left / 10)
  }
}

/** UTCTime to 2049, GeneralizedTime from 2050 (RFC 5280, 4.1.2.5). Fractions of a second are cut off. @throws RangeError before the year 0 and after 9999 */
export function time(date: Date): Buffer {
  const year = date.getUTCFullYear()
  return timeElement(date, year >= 1950 && year < 2050)
}

/** GeneralizedTime whatever the year, as OCSP and a few extensions want it. Fractions of a second are cut off. @throws RangeError as time() */
export const generalizedTime = (date: Date): Buffer => timeElement(date, false)

function timeElement(date: Date, isShort: boolean): Buffer {
  const year = date.getUTCFullYear()
  if (!(year >= 0 && year <= 9999)) throw new RangeError('a date without a year of four digits can not be written')
  const yearDigits = isShort ? 2 : 4
  const out = Buffer.allocUnsafe(yearDigits + 13)
  out[0] = isShort ? 0x17 : 0x18
  out[1] = yearDigits + 11
  putDigits(out, 2, yearDigits, year)
  const rest = [date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
  rest.forEach((value, i) => { putDigits(out, 2 + yearDigits + i * 2, 2, value) })
  out[out.length - 1] = 0x5a
  return out
}

export const enumerated = (value: number): Buffer => element(0x0a, Buffer.of(value))
