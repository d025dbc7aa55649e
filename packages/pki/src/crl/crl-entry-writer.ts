import { CertloopError } from '@certloop/contract'
import { revocationReasons, type RevocationReason } from './revocation-reason.ts'

export interface CrlEntry {
  /** Hex of a positive number of at most 20 bytes. */
  serialNumber: string
  /** Whole seconds. */
  revokedAt: Date
  /** "unspecified" is the same as none: it is left out of the list (RFC 5280, 5.3.1). */
  reason?: RevocationReason
  /** Since when the key is known or suspected to be compromised; whole seconds (RFC 5280, 5.3.2). */
  invalidityDate?: Date
}

const firstChunk = 4096
const largestChunk = 1 << 20
/** No entry is longer: serial number 23, time 17, extensions 42, header 2. All lengths therefore fit into one byte. */
const longestEntry = 84
const maxSerialBytes = 20

const reasonHead = Buffer.from('300a0603551d1504030a01', 'hex')
const invalidityHead = Buffer.from('30180603551d18041118' + '0f', 'hex')

/** Values of hex digits by character code; 255 for what is none. */
const nibbles = new Uint8Array(128).fill(255)
for (const [value, digits] of [...'0123456789abcdef'].map((digit) => [Number.parseInt(digit, 16), digit + digit.toUpperCase()] as const)) {
  for (const digit of digits) nibbles[digit.charCodeAt(0)] = value
}

const refused = (what: string, serialNumber: string): CertloopError =>
  new CertloopError('INPUT_INVALID', `The entry of the serial number "${serialNumber.slice(0, 60)}" can not be put into a CRL: ${what}.`)

/**
 * Writes revoked certificates (RFC 5280, 5.1.2.6) one after the other into chunks of at most 1 MB, byte by byte:
 * a list of a million entries costs no more memory than its bytes, and no object per entry.
 */
export class CrlEntryWriter {
  /** Bytes written so far. */
  length = 0
  readonly #full: Buffer[] = []
  #chunk = Buffer.allocUnsafe(firstChunk)
  #at = 0
  #day = Number.NaN
  /** "YYYYMMDD" of #day, as character codes. */
  readonly #date = Buffer.alloc(8)

  /** @throws CertloopError INPUT_INVALID: a serial number that is no hex or too long, a date beyond the years 0 to 9999 */
  write(entry: CrlEntry): void {
    if (this.#at + longestEntry > this.#chunk.length) this.#nextChunk()
    const start = this.#at
    this.#at += 2
    this.#serialNumber(entry.serialNumber)
    this.#time(entry.revokedAt, entry)
    const reason = entry.reason === undefined ? 0 : revocationReasons[entry.reason]
    if (reason !== 0 || entry.invalidityDate) this.#extensions(reason, entry)
    this.#chunk[start] = 0x30
    this.#chunk[start + 1] = this.#at - start - 2
    this.length += this.#at - start
  }

  /** All chunks in order. The writer lets go of each as it is given, and can't be used afterwards. */
  *take(): Generator<Buffer> {
    this.#full.push(this.#chunk.subarray(0, this.#at))
    this.#chunk = Buffer.alloc(0)
    for (const [i, chunk] of this.#full.entries()) {
      this.#full[i] = this.#chunk
      yield chunk
    }
  }

  #nextChunk(): void {
    this.#full.push(this.#chunk.subarray(0, this.#at))
    this.#chunk = Buffer.allocUnsafeSlow(Math.min(largestChunk, this.#chunk.length * 4))
    this.#at = 0
  }

  /** INTEGER from hex, in the fewest bytes. */
  #serialNumber(hex: string): void {
    let digit = 0
    while (digit < hex.length - 1 && hex.charCodeAt(digit) === 0x30) digit++
    const size = (hex.length - digit + 1) >> 1
    if (size === 0 || size > maxSerialBytes) throw refused(`it has to have 1 to ${maxSerialBytes} bytes`, hex)
    const chunk = this.#chunk
    let at = this.#at + 2
    const odd = (hex.length - digit) % 2 === 1
    if (!odd && hex.charCodeAt(digit) >= 0x38) chunk[at++] = 0 // 8 to f: the number would be negative
    if (odd) chunk[at++] = nibble(hex, digit++)
    for (; digit < hex.length; digit += 2) chunk[at++] = nibble(hex, digit) << 4 | nibble(hex, digit + 1)
    chunk[this.#at] = 0x02
    chunk[this.#at + 1] = at - this.#at - 2
    this.#at = at
  }

  /** UTCTime to 2049, GeneralizedTime from 2050 (RFC 5280, 5.1.2.6). */
  #time(date: Date, entry: CrlEntry): void {
    const second = this.#secondOfDay(date, entry)
    // The century decides: "20" with a decade below 5, or "19" with one from 5.
    const early = (this.#date[2] ?? 0) < 0x35
    const century = (this.#date[0] ?? 0) * 256 + (this.#date[1] ?? 0)
    const short = early ? century === 0x3230 : century === 0x3139
    this.#chunk[this.#at++] = short ? 0x17 : 0x18
    this.#chunk[this.#at++] = short ? 13 : 15
    this.#digits(short ? 2 : 0, second)
  }

  /** The digits of a time, from the year or its last two digits on; #secondOfDay has been called for it. */
  #digits(from: 0 | 2, second: number): void {
    for (let i = from; i < 8; i++) this.#chunk[this.#at++] = this.#date[i] ?? 0
    this.#twoDigits(Math.trunc(second / 3600))
    this.#twoDigits(Math.trunc(second / 60) % 60)
    this.#twoDigits(second % 60)
    this.#chunk[this.#at++] = 0x5a
  }

  #twoDigits(value: number): void {
    const tens = Math.trunc(value / 10)
    this.#chunk[this.#at++] = 0x30 + tens
    this.#chunk[this.#at++] = 0x30 + value - tens * 10
  }

  /** Sets #date: most entries are of the same day as the one before. */
  #secondOfDay(date: Date, entry: CrlEntry): number {
    const seconds = Math.floor(date.getTime() / 1000)
    const day = Math.floor(seconds / 86_400)
    if (day !== this.#day) {
      const year = date.getUTCFullYear()
      if (!(year >= 0 && year <= 9999)) throw refused('its date is not one', entry.serialNumber)
      this.#date.write(date.toISOString().slice(0, 10).replaceAll('-', ''), 'latin1')
      this.#day = day
    }
    return seconds - day * 86_400
  }

  #extensions(reason: number, entry: CrlEntry): void {
    const start = this.#at
    this.#at += 2
    if (reason !== 0) {
      this.#at += reasonHead.copy(this.#chunk, this.#at)
      this.#chunk[this.#at++] = reason
    }
    if (entry.invalidityDate) {
      const second = this.#secondOfDay(entry.invalidityDate, entry)
      this.#at += invalidityHead.copy(this.#chunk, this.#at)
      this.#digits(0, second)
    }
    this.#chunk[start] = 0x30
    this.#chunk[start + 1] = this.#at - start - 2
  }
}

function nibble(hex: string, at: number): number {
  const value = nibbles[hex.charCodeAt(at)]
  if (value === undefined || value === 255) throw refused('it is not hex', hex)
  return value
}
