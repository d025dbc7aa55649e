/**
 * DER read one level at a time, never by recursion, so that nesting can't exhaust the stack. Tolerates lengths
 * that are not minimal; refuses indefinite lengths, tags above 30 and everything that runs over its end.
 */
export interface DerElement {
  tag: number
  content: Buffer
  /** Header and content. */
  raw: Buffer
}

/** Internal to this package: readers turn it into a typed error that says what was being read. */
export class DerError extends Error {}

const maxChildren = 20_000

/** The element at `at`; what follows it is not looked at. */
export function readElement(bytes: Buffer, at = 0): DerElement {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined) throw new DerError('it ends too early')
  if ((tag & 0x1f) === 0x1f) throw new DerError('it has a tag that is not used here')
  let start = at + 2
  let size = first
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f
    if (lengthBytes === 0 || lengthBytes > 4) throw new DerError('it has a length that DER does not allow')
    if (start + lengthBytes > bytes.length) throw new DerError('it ends too early')
    size = bytes.readUIntBE(start, lengthBytes)
    start += lengthBytes
  }
  if (start + size > bytes.length) throw new DerError('it ends too early')
  return { tag, content: bytes.subarray(start, start + size), raw: bytes.subarray(at, start + size) }
}

/** The members of a constructed element. */
export function readChildren(parent: DerElement): DerElement[] {
  const children: DerElement[] = []
  for (let at = 0; at < parent.content.length;) {
    const child = readElement(parent.content, at)
    children.push(child)
    if (children.length > maxChildren) throw new DerError('it has too many members')
    at += child.raw.length
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
  takeIf(tag: number): DerElement | undefined {
    return this.#members[this.#next]?.tag === tag ? this.take(tag) : undefined
  }
}

/** Dotted text of an OBJECT IDENTIFIER. */
export function readOid(element: DerElement): string {
  if (element.tag !== 0x06 || element.content.length === 0 || element.content.length > 64) throw new DerError('an object identifier is missing')
  const arcs: bigint[] = []
  let arc = 0n
  for (const byte of element.content) {
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

/** Content of a BIT STRING of whole bytes. */
export function readBits(element: DerElement): Buffer {
  if (element.tag !== 0x03 || element.content[0] !== 0) throw new DerError('a bit string of whole bytes is missing')
  return element.content.subarray(1)
}

/** Lower-case hex of an INTEGER's magnitude in whole bytes, "-" before a negative one. */
export function readIntegerHex(element: DerElement): string {
  if (element.tag !== 0x02 || element.content.length === 0) throw new DerError('an integer is missing')
  const { content } = element
  if ((content[0] ?? 0) < 0x80) return serialHex(content)
  const magnitude = (1n << BigInt(content.length * 8)) - BigInt(`0x${content.toString('hex')}`)
  const hex = magnitude.toString(16)
  return `-${hex.length % 2 ? '0' : ''}${hex}`
}

/** Lower-case hex of a big-endian magnitude, without leading zero bytes. */
export function serialHex(magnitude: Uint8Array): string {
  return Buffer.from(magnitude).toString('hex').replace(/^(?:00)+(?=..)/, '')
}

const decoders: Record<number, (bytes: Buffer) => string> = {
  0x0c: (b) => b.toString('utf8'),
  0x12: (b) => b.toString('latin1'), // NumericString
  0x13: (b) => b.toString('latin1'), // PrintableString
  0x14: (b) => b.toString('latin1'), // TeletexString: T.61 in theory, Latin 1 in practice
  0x16: (b) => b.toString('latin1'), // IA5String
  0x1a: (b) => b.toString('latin1'), // VisibleString
  0x1c: (b) => wide(b, 4), // UniversalString
  0x1e: (b) => wide(b, 2), // BMPString
}
function wide(bytes: Buffer, width: 2 | 4): string {
  let text = ''
  for (let at = 0; at + width <= bytes.length; at += width) {
    const code = bytes.readUIntBE(at, width)
    text += code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd'
  }
  return text
}

/** Text of any of the string types; undefined for another type. */
export const readText = (element: DerElement): string | undefined => decoders[element.tag]?.(element.content)

const utcTime = /^(?<year>\d\d)(?<month>\d\d)(?<day>\d\d)(?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d)?(?<zone>Z|[+-]\d{4})?$/
const generalizedTime = /^(?<year>\d{4})(?<month>\d\d)(?<day>\d\d)(?<hour>\d\d)(?<minute>\d\d)?(?<second>\d\d)?(?:[.,]\d+)?(?<zone>Z|[+-]\d{4})?$/

/** UTCTime or GeneralizedTime, also in the forms that RFC 5280 forbids but old certificates have. Whole seconds. */
export function readTime(element: DerElement): Date {
  const text = element.content.toString('latin1')
  const parts = (element.tag === 0x17 ? utcTime : generalizedTime).exec(text)?.groups
  if (!parts || (element.tag !== 0x17 && element.tag !== 0x18)) throw new DerError('a date can not be read')
  const date = new Date(`${fullYear(parts['year'] ?? '')}-${parts['month']}-${parts['day']}T${parts['hour']}:${parts['minute'] ?? '00'}:${parts['second'] ?? '00'}${offsetOf(parts['zone'] ?? 'Z')}`)
  if (Number.isNaN(date.getTime())) throw new DerError('a date can not be read')
  return date
}

/** Two digits mean 1950 to 2049 (RFC 5280, 4.1.2.5.1). */
const fullYear = (year: string): string => (year.length === 4 ? year : `${Number(year) >= 50 ? '19' : '20'}${year}`)
const offsetOf = (zone: string): string => (zone === 'Z' ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`)
