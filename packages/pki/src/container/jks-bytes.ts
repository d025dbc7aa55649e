import { CertloopError } from '@certloop/contract'

/** Data as java.io.DataInput reads it: big-endian numbers, and text in "modified UTF-8" after its length. */
export class JavaCursor {
  readonly #bytes: Buffer
  #at: number
  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }
  get at(): number { return this.#at }
  get left(): number { return this.#bytes.length - this.#at }

  /** The next `size` bytes; not a copy. @throws CertloopError KEYSTORE_INVALID, like all the others */
  take(size: number): Buffer {
    if (size < 0 || size > this.left) throw damaged('it ends in the middle of an entry')
    const taken = this.#bytes.subarray(this.#at, this.#at + size)
    this.#at += size
    return taken
  }
  byte(): number { return this.take(1).readUInt8() }
  short(): number { return this.take(2).readUInt16BE() }
  /** Java's int is signed; sizes and counts never are, so a negative one is refused by whoever uses it as such. */
  int(): number { return this.take(4).readInt32BE() }
  /** A count of things of at least `smallest` bytes each: more than can be there are refused before any is read. */
  count(what: string, smallest: number): number {
    const count = this.int()
    if (count < 0 || count * smallest > this.left) throw damaged(`it says to have ${count} ${what}, more than its size allows`)
    return count
  }
  sized(): Buffer { return this.take(this.int()) }
  text(): string { return readModifiedUtf8(this.take(this.short())) }
  /** Milliseconds since 1970; null for what no calendar has. */
  date(): Date | null {
    const date = new Date(Number(this.take(8).readBigInt64BE()))
    return Number.isNaN(date.getTime()) ? null : date
  }
  /** The bytes from an earlier place to here. */
  since(start: number): Buffer { return this.#bytes.subarray(start, this.#at) }
}

export const damaged = (why: string): CertloopError => new CertloopError('KEYSTORE_INVALID', `The Java keystore can not be read: ${why}.`)

/**
 * Java's own UTF-8: U+0000 as two bytes, and each half of a surrogate pair by itself in three.
 * @throws CertloopError KEYSTORE_INVALID
 */
function readModifiedUtf8(bytes: Buffer): string {
  const units = Buffer.alloc(bytes.length * 2)
  let end = 0
  for (let at = 0; at < bytes.length;) {
    const { unit, size } = readUnit(bytes, at)
    end = units.writeUInt16LE(unit, end)
    at += size
  }
  return units.toString('utf16le', 0, end)
}

function readUnit(bytes: Buffer, at: number): { unit: number; size: number } {
  const first = bytes[at] ?? 0
  if (first < 0x80) return { unit: first, size: 1 }
  const size = first >> 5 === 0b110 ? 2 : 3
  if ((size === 3 && first >> 4 !== 0b1110) || at + size > bytes.length) throw damaged('a name in it is not text')
  let unit = first & (size === 2 ? 0x1f : 0x0f)
  for (const next of bytes.subarray(at + 1, at + size)) {
    if (next >> 6 !== 0b10) throw damaged('a name in it is not text')
    unit = (unit << 6) | (next & 0x3f)
  }
  return { unit, size }
}

export const writeInt = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
export const writeSized = (bytes: Buffer): Buffer => Buffer.concat([writeInt(bytes.length), bytes])
export const writeDate = (date: Date): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(date.getTime()))
  return bytes
}

/** Length and modified UTF-8. @throws CertloopError INPUT_INVALID when the text takes more than 65,535 bytes */
export function writeText(text: string): Buffer {
  const bytes: number[] = [0, 0]
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit > 0 && unit < 0x80) bytes.push(unit)
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f))
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f))
  }
  const written = Buffer.from(bytes)
  if (written.length - 2 > 0xffff) throw new CertloopError('INPUT_INVALID', 'The name of an entry is too long for a Java keystore: at most 65,535 bytes.')
  written.writeUInt16BE(written.length - 2)
  return written
}
