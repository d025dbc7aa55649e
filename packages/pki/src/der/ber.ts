import { CertloopError } from '@certloop/contract'
import { DerError } from './der-reader.ts'
import { header as derHeader } from './der-writer.ts'

/** Nesting that is followed; real containers stay below 20. */
const maxDepth = 200
/** Pieces that a rewritten file is put together from; one of 20 MB in the small segments that NSS writes has far fewer. */
const maxRewritten = 500_000

/** One constructed element whose end has not been reached. */
interface Frame {
  tag: number
  start: number
  contentStart: number
  /** End of the content; Infinity while an end-of-contents mark closes it. */
  end: number
  /** For a string in segments, the tag its segments have; else 0. */
  segmentTag: number
  /** A constructed segment within a string in segments: it adds no header of its own. */
  isSegment: boolean
  /** Place of its header among the pieces, -1 as long as nothing inside needs to be written anew. */
  headerAt: number
  sizeBefore: number
}

interface Header { tag: number; contentStart: number; length: number }

function readHeader(bytes: Buffer, at: number, end: number): Header {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined || at + 2 > end) throw new DerError('it ends too early')
  if ((tag & 0x1f) === 0x1f) throw new DerError('it has a tag that is not used here')
  if (first < 0x80) return { tag, contentStart: at + 2, length: first }
  const lengthBytes = first & 0x7f
  if (lengthBytes === 0) return { tag, contentStart: at + 2, length: Infinity }
  if (lengthBytes > 4) throw new DerError('it has a length that is not used here')
  if (at + 2 + lengthBytes > end) throw new DerError('it ends too early')
  return { tag, contentStart: at + 2 + lengthBytes, length: bytes.readUIntBE(at + 2, lengthBytes) }
}

/** Universal string types that BER may cut into segments: BIT STRING, OCTET STRING, UTF8String, the character strings. */
const isStringInSegments = (tag: number): boolean => tag === 0x23 || tag === 0x24 || tag === 0x2c || (tag >= 0x32 && tag <= 0x36) || (tag >= 0x39 && tag <= 0x3e)

const noBytes = Buffer.alloc(0)

class Normaliser {
  readonly #bytes: Buffer
  readonly #stack: Frame[] = []
  readonly #pieces: Buffer[] = []
  #size = 0
  /** Everything before is written or left out; what follows up to the present place is still to be copied. */
  #copiedTo = 0
  /** Unused bits of the last segment of a BIT STRING, and where they are to be written. */
  #unusedBits = 0
  constructor(bytes: Buffer) { this.#bytes = bytes }

  run(): Buffer {
    let at = this.#open(0, this.#bytes.length)
    for (let frame = this.#stack.at(-1); frame; frame = this.#stack.at(-1)) {
      if (at === frame.end) at = this.#close(frame, at, at)
      else if (frame.end === Infinity && this.#bytes[at] === 0 && this.#bytes[at + 1] === 0) at = this.#close(frame, at, at + 2)
      else at = this.#open(at, Math.min(frame.end, this.#bytes.length))
    }
    if (this.#pieces.length === 0) return this.#bytes.subarray(0, at)
    this.#copyTo(at)
    return Buffer.concat(this.#pieces, this.#size)
  }

  /** Begins the element at `at`. @returns where reading goes on: in its content, or after a primitive one */
  #open(at: number, end: number): number {
    const { tag, contentStart, length } = readHeader(this.#bytes, at, end)
    const parent = this.#stack.at(-1)
    const isSegment = (parent?.segmentTag ?? 0) !== 0
    if (parent && isSegment && (tag & ~0x20) !== parent.segmentTag) throw new DerError('a string has a segment of another type')
    const contentEnd = contentStart + length
    if (length !== Infinity && contentEnd > end) throw new DerError('it ends too early')
    if ((tag & 0x20) === 0) {
      if (length === Infinity) throw new DerError('it has a length that is not used here')
      if (isSegment) this.#segment(tag, at, contentStart, contentEnd)
      return contentEnd
    }
    this.#enter({ tag, start: at, contentStart, end: contentEnd, isSegment })
    return contentStart
  }

  #enter({ tag, start, contentStart, end, isSegment }: Pick<Frame, 'tag' | 'start' | 'contentStart' | 'end' | 'isSegment'>): void {
    if (this.#stack.length >= maxDepth) throw new CertloopError('LIMIT_EXCEEDED', `The file nests deeper than ${maxDepth} levels.`, { allowed: maxDepth })
    const inSegments = isSegment || isStringInSegments(tag)
    this.#stack.push({ tag, start, contentStart, end, segmentTag: inSegments ? tag & ~0x20 : 0, isSegment, headerAt: -1, sizeBefore: 0 })
    if (isSegment) this.#skip(start, contentStart)
    else if (inSegments || end === Infinity) this.#rewrite()
  }

  #copyTo(at: number): void {
    if (at <= this.#copiedTo) return
    this.#place(this.#bytes.subarray(this.#copiedTo, at))
    this.#size += at - this.#copiedTo
    this.#copiedTo = at
  }

  #place(piece: Buffer): void {
    this.#pieces.push(piece)
    if (this.#pieces.length > maxRewritten) throw new CertloopError('LIMIT_EXCEEDED', `The file has more than ${maxRewritten} headers to write anew.`, { allowed: maxRewritten })
  }

  #skip(from: number, to: number): void {
    this.#copyTo(from)
    this.#copiedTo = to
  }

  /** Gives every open element a new header, outermost first; each only once. */
  #rewrite(): void {
    let first = this.#stack.length
    while (first > 0 && this.#stack[first - 1]?.headerAt === -1) first--
    for (const frame of this.#stack.slice(first)) {
      this.#skip(frame.start, frame.contentStart)
      frame.headerAt = this.#pieces.length
      this.#place(noBytes)
      frame.sizeBefore = this.#size
    }
  }

  #segment(tag: number, at: number, contentStart: number, contentEnd: number): void {
    if (tag !== 0x03) return this.#skip(at, contentStart)
    const unused = this.#bytes[contentStart]
    if (unused === undefined || contentEnd === contentStart || this.#unusedBits !== 0) throw new DerError('a bit string has a damaged segment')
    this.#unusedBits = unused
    return this.#skip(at, contentStart + 1)
  }

  #close(frame: Frame, contentEnd: number, elementEnd: number): number {
    this.#stack.pop()
    if (frame.isSegment) {
      this.#skip(contentEnd, elementEnd)
    } else if (frame.headerAt >= 0) {
      this.#skip(contentEnd, elementEnd)
      const isBits = frame.segmentTag === 0x03
      const size = this.#size - frame.sizeBefore + (isBits ? 1 : 0)
      // A string in segments becomes one primitive string.
      const header = derHeader(frame.segmentTag === 0 ? frame.tag : frame.segmentTag, size)
      const whole = isBits ? Buffer.concat([header, Buffer.of(this.#unusedBits)]) : header
      if (isBits) this.#unusedBits = 0
      this.#pieces[frame.headerAt] = whole
      this.#size += whole.length
    }
    return elementEnd
  }
}

/**
 * The first element of `bytes`, BER (X.690, 8), with definite lengths and strings in one piece, so that the DER
 * reader can read it: NSS, Bouncy Castle and old Microsoft tools stream their containers. What holds neither an
 * indefinite length nor a string in segments stays as it is byte for byte, since it may be signed; without any
 * such part the answer is a view of `bytes`. Strings are not looked into. Time and memory are linear in the input.
 * @param maxBytes longest input
 * @throws DerError; CertloopError LIMIT_EXCEEDED for its length, depth or number of such headers
 */
export function berToDer(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length > maxBytes) throw new CertloopError('LIMIT_EXCEEDED', `The file has ${bytes.length} bytes; at most ${maxBytes} are read.`, { given: bytes.length, allowed: maxBytes })
  return new Normaliser(bytes).run()
}
