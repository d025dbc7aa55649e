/**
 * DER read one level at a time, never by recursion, so that nesting can't exhaust the stack. Tolerates lengths
 * that are not minimal; refuses indefinite lengths, tags above 30 and everything that runs over its end.
 */
export interface DerElement {
  readonly tag: number
  readonly content: Buffer
  /** Header and content. */
  readonly raw: Buffer
}

/** Internal to this package: readers turn it into a typed error that says what was being read. */
export class DerError extends Error {}

/** What `read` gives; `otherwise` when it meets something damaged. Other errors come through. */
export function ifReadable<T, U>(read: () => T, otherwise: U): T | U {
  try {
    return read()
  } catch (error) {
    if (error instanceof DerError) return otherwise
    throw error
  }
}

/** An element as a place in its bytes: a Buffer of its own is made only when one is asked for, which most never are. */
class PlacedElement implements DerElement {
  readonly tag: number
  readonly bytes: Buffer
  readonly at: number
  readonly start: number
  readonly end: number
  constructor(tag: number, bytes: Buffer, at: number, start: number, end: number) {
    this.tag = tag
    this.bytes = bytes
    this.at = at
    this.start = start
    this.end = end
  }
  get content(): Buffer { return this.bytes.subarray(this.start, this.end) }
  get raw(): Buffer { return this.bytes.subarray(this.at, this.end) }
}

/** Where the content of an element lies. */
function placeOf(element: DerElement): { bytes: Buffer; start: number; end: number } {
  if (element instanceof PlacedElement) return element
  const { content } = element
  return { bytes: content, start: 0, end: content.length }
}

const maxChildren = 20_000
const maxElementLength = 0xffff_ffff

/** The length that begins with the octet `first` at `at - 1`, in `count` more octets. */
function longLength(bytes: Buffer, at: number, first: number, limit: number): number {
  const count = first & 0x7f
  if (count === 0) throw new DerError('it has an indefinite length, which is BER and not DER')
  if (at + count > limit) throw new DerError('it ends too early')
  let size = 0
  for (let i = at; i < at + count; i++) {
    size = size * 256 + (bytes[i] ?? 0)
    if (size > maxElementLength) throw new DerError('it has a length that DER does not allow')
  }
  return size
}

function elementAt(bytes: Buffer, at: number, limit: number): PlacedElement {
  if (at + 2 > limit) throw new DerError('it ends too early')
  const tag = bytes[at] ?? 0
  const first = bytes[at + 1] ?? 0
  if ((tag & 0x1f) === 0x1f) throw new DerError('it has a tag that is not used here')
  let start = at + 2
  let size = first
  if (first >= 0x80) {
    size = longLength(bytes, start, first, limit)
    start += first & 0x7f
  }
  if (start + size > limit) throw new DerError('it ends too early')
  return new PlacedElement(tag, bytes, at, start, start + size)
}

/** The element at `at`; what follows it is not looked at. */
export const readElement = (bytes: Buffer, at = 0): DerElement => elementAt(bytes, at, bytes.length)

/** What `read` makes of the one element that `bytes` are; undefined when it is damaged or something follows it. */
export const readWhole = <T>(bytes: Buffer, read: (element: DerElement) => T): T | undefined => ifReadable(() => {
  const element = readElement(bytes)
  return element.raw.length === bytes.length ? read(element) : undefined
}, undefined)

/** The one element in the content of another (EXPLICIT, OCTET STRING); what follows it is not looked at. */
export function readInner(parent: DerElement): DerElement {
  const { bytes, start, end } = placeOf(parent)
  return elementAt(bytes, start, end)
}

/** The members of a constructed element. */
export function readChildren(parent: DerElement): DerElement[] {
  const { bytes, start, end } = placeOf(parent)
  const children: DerElement[] = []
  for (let at = start; at < end;) {
    const child = elementAt(bytes, at, end)
    if (children.length === maxChildren) throw new DerError('it has too many members')
    children.push(child)
    at = child.end
  }
  return children
}

/** Reads members in order: `take(tag)` must be there, `takeIf(tag)` may be. */
export class DerCursor {
  readonly #members: DerElement[]
  #next = 0
  constructor(parent: DerElement, tag = 0x30) {
    if (parent.tag !== tag) throw new DerError(`an element with tag ${tag} is missing`)
    this.#members = readChildren(parent)
  }
  take(tag?: number): DerElement {
    const member = this.#members[this.#next]
    if (!member || (tag !== undefined && member.tag !== tag)) throw new DerError(tag === undefined ? 'a member is missing' : `an element with tag ${tag} is missing`)
    this.#next++
    return member
  }
  get isAtEnd(): boolean { return this.#next === this.#members.length }
  takeIf(tag: number): DerElement | undefined {
    return this.#members[this.#next]?.tag === tag ? this.take(tag) : undefined
  }
}

/** Texts of identifiers seen before, by a sum of their bytes; what collides or comes when it is full is read anew. */
const knownOids = new Map<number, { content: Buffer; dotted: string }>()
const maxKnownOids = 2_000
const maxOidBytes = 64

/** Dotted text of an OBJECT IDENTIFIER. */
export function readOid(element: DerElement): string {
  const { bytes, start, end } = placeOf(element)
  if (element.tag !== 0x06 || start === end || end - start > maxOidBytes) throw new DerError('an object identifier is missing')
  let sum = end - start
  for (let at = start; at < end; at++) sum = (Math.imul(sum, 31) + (bytes[at] ?? 0)) | 0
  const known = knownOids.get(sum)
  if (known && hasBytes(known.content, bytes, start, end)) return known.dotted
  const content = bytes.subarray(start, end)
  const dotted = dottedText(content)
  if (!known && knownOids.size < maxKnownOids) knownOids.set(sum, { content: Buffer.from(content), dotted })
  return dotted
}

function hasBytes(wanted: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (wanted.length !== end - start) return false
  for (let i = 0; i < wanted.length; i++) if (wanted[i] !== bytes[start + i]) return false
  return true
}

/** Arcs of any size: what the limit on the length lets through is at most 448 bits. */
function dottedText(content: Buffer): string {
  if ((content.at(-1) ?? 0) >= 0x80) throw new DerError('an object identifier is cut off')
  const arcs: bigint[] = []
  let arc = 0n
  for (const byte of content) {
    arc = (arc << 7n) | BigInt(byte & 0x7f)
    if (byte < 0x80) {
      arcs.push(arc)
      arc = 0n
    }
  }
  const [head = 0n, ...rest] = arcs
  const first = head < 40n ? 0n : head < 80n ? 1n : 2n
  return [first, head - first * 40n, ...rest].join('.')
}

/** Whether two elements have the same bytes, headers included. */
export function isSameElement(a: DerElement, b: DerElement): boolean {
  const [left, right] = [placeOf(a), placeOf(b)]
  return a.tag === b.tag && left.end - left.start === right.end - right.start && left.bytes.compare(right.bytes, right.start, right.end, left.start, left.end) === 0
}

/** Content as lower-case hex. */
export function contentHex(element: DerElement): string {
  const { bytes, start, end } = placeOf(element)
  return bytes.toString('hex', start, end)
}

/** Content of a BIT STRING of whole bytes. */
export function readBits(element: DerElement): Buffer {
  if (element.tag !== 0x03 || element.content[0] !== 0) throw new DerError('a bit string of whole bytes is missing')
  return element.content.subarray(1)
}

const maxNegativeBytes = 1_000

/** Lower-case hex of an INTEGER's magnitude in whole bytes, "-" before a negative one. */
export function readIntegerHex(element: DerElement): string {
  if (element.tag !== 0x02 || element.content.length === 0) throw new DerError('an integer is missing')
  const { content } = element
  if ((content[0] ?? 0) < 0x80) return serialHex(content)
  if (content.length > maxNegativeBytes) throw new DerError('a negative number is too long')
  const magnitude = (1n << BigInt(content.length * 8)) - BigInt(`0x${content.toString('hex')}`)
  const hex = magnitude.toString(16)
  return `-${hex.length % 2 ? '0' : ''}${hex}`
}

/** Lower-case hex of a big-endian magnitude, without leading zero bytes. */
export function serialHex(magnitude: Uint8Array): string {
  let start = 0
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++
  return Buffer.from(magnitude.buffer, magnitude.byteOffset + start, magnitude.length - start).toString('hex')
}

type Encoding = 'utf8' | 'latin1' | 2 | 4
/** UTF8String; Numeric, Printable, Teletex (T.61 in theory, Latin 1 in practice), IA5 and VisibleString; UniversalString and BMPString by their width. */
const encodings: Readonly<Record<number, Encoding>> = { 0x0c: 'utf8', 0x12: 'latin1', 0x13: 'latin1', 0x14: 'latin1', 0x16: 'latin1', 0x1a: 'latin1', 0x1c: 4, 0x1e: 2 }

function wide(bytes: Buffer, width: 2 | 4): string {
  if (bytes.length > maxWideBytes) throw new DerError('a text is too long')
  let text = ''
  for (let at = 0; at + width <= bytes.length; at += width) {
    const code = bytes.readUIntBE(at, width)
    text += code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd'
  }
  return text
}
const maxWideBytes = 100_000

/** Text of any of the string types; undefined for another type. */
export function readText(element: DerElement): string | undefined {
  const encoding = encodings[element.tag]
  if (encoding === undefined) return undefined
  if (typeof encoding === 'number') return wide(element.content, encoding)
  const { bytes, start, end } = placeOf(element)
  return bytes.toString(encoding, start, end)
}

/** Content as text of one byte a character, whatever the tag: for implicitly tagged IA5String. */
export function latin1Text(element: DerElement): string {
  const { bytes, start, end } = placeOf(element)
  return bytes.toString('latin1', start, end)
}

const unreadable = (): DerError => new DerError('a date can not be read')

/** Decimal digits from `at`, `count` of them; NaN when one is none. */
function digits(bytes: Buffer, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const digit = (bytes[i] ?? 0) - 0x30
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN
  }
  return value
}
const isDigit = (bytes: Buffer, at: number, end: number): boolean => at < end && (bytes[at] ?? 0) >= 0x30 && (bytes[at] ?? 0) <= 0x39

/** Minutes by which "+0100" is ahead of UTC; "Z" and nothing at all mean UTC. */
function zoneMinutes(bytes: Buffer, at: number, end: number): number {
  const sign = bytes[at]
  if (at === end || (sign === 0x5a && end - at === 1)) return 0
  if ((sign !== 0x2b && sign !== 0x2d) || end - at !== 5) throw unreadable()
  const [hours, minutes] = [digits(bytes, at + 1, 2), digits(bytes, at + 3, 2)]
  if (!(hours < 24 && minutes < 60)) throw unreadable()
  return (sign === 0x2b ? 1 : -1) * (hours * 60 + minutes)
}

/** Two digits mean 1950 to 2049 (RFC 5280, 4.1.2.5.1). */
const fullYear = (twoDigits: number): number => twoDigits + (twoDigits >= 50 ? 1900 : 2000)

/** Minute, second and zone that follow the hour at `from`; what is left out counts as zero. @returns milliseconds to add to the full hour */
function afterHour(bytes: Buffer, from: number, end: number): number {
  let at = from
  const next = (): number => {
    if (!isDigit(bytes, at, end)) return 0
    at += 2
    return digits(bytes, at - 2, 2)
  }
  const [minute, second] = [next(), next()]
  if (bytes[at] === 0x2e || bytes[at] === 0x2c) do at++; while (isDigit(bytes, at, end))
  if (at > end || !(minute < 60 && second < 60)) throw unreadable()
  return ((minute - zoneMinutes(bytes, at, end)) * 60 + second) * 1000
}

/** UTCTime or GeneralizedTime, also in the forms that RFC 5280 forbids but old certificates have. Whole seconds. @throws DerError */
export function readTime(element: DerElement): Date {
  const { bytes, start, end } = placeOf(element)
  const isShort = element.tag === 0x17
  if ((!isShort && element.tag !== 0x18) || end - start > 40) throw unreadable()
  const at = start + (isShort ? 2 : 4)
  const year = isShort ? fullYear(digits(bytes, start, 2)) : digits(bytes, start, 4)
  const [month, day, hour] = [digits(bytes, at, 2), digits(bytes, at + 2, 2), digits(bytes, at + 4, 2)]
  if (at + 6 > end || !(hour < 24) || (isShort && !isDigit(bytes, at + 6, end))) throw unreadable()
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCDate() !== day || date.getUTCMonth() !== month - 1) throw unreadable()
  return new Date(date.getTime() + hour * 3_600_000 + afterHour(bytes, at + 6, end))
}
