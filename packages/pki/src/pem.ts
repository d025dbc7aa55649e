import { CertloopError } from '@certloop/contract'

export interface PemBlock {
  /** "CERTIFICATE", "PRIVATE KEY", … */
  label: string
  /** The block alone, lines of 64, ending with a line end. */
  pem: string
  der: Buffer
}

/** What splitPem takes at most: characters of the text, and blocks. */
export interface PemLimits { maxLength?: number; maxBlocks?: number }
const maxPemLength = 20_000_000
const maxPemBlocks = 10_000

const lineLength = 64

/** PEM text of DER bytes (RFC 7468). */
export function toPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64')
  const lines = [`-----BEGIN ${label}-----`]
  for (let at = 0; at < base64.length; at += lineLength) lines.push(base64.slice(at, at + lineLength))
  lines.push(`-----END ${label}-----`, '')
  return lines.join('\n')
}

/** A block as it stands in the text. */
export interface PlacedBlock {
  label: string
  /** Line of its BEGIN mark, from 1. */
  line: number
  /** @throws CertloopError PEM_INVALID: it has no end or is not base64 */
  decode: () => Buffer
}

const begin = '-----BEGIN '
const labelAndLineEnd = /^([A-Z0-9][A-Z0-9 #]{0,60})-----[ \t\r\f\v]*(?:\n|$)/
/** Enough for the longest label, its dashes and some space. */
const markLength = 200

/** Whether nothing but white space stands between the start of the line and `at`. */
function beginsLine(text: string, at: number): boolean {
  let before = at - 1
  while (before >= 0 && (text[before] === ' ' || text[before] === '\t' || text[before] === '\r')) before--
  return before < 0 || text[before] === '\n'
}

/**
 * The blocks of a PEM text one by one, in time linear to the text and without a copy of it. A damaged block says so
 * when it is decoded, and the ones after it are still found.
 */
export function* pemBlocks(text: string): Generator<PlacedBlock, void> {
  let line = 1
  let counted = 0
  for (let at = text.indexOf(begin); at >= 0;) {
    const mark = beginsLine(text, at) ? labelAndLineEnd.exec(text.slice(at + begin.length, at + begin.length + markLength)) : null
    const label = mark?.[1]
    if (label === undefined) {
      at = text.indexOf(begin, at + begin.length)
      continue
    }
    for (let end = text.indexOf('\n', counted); end >= 0 && end < at; end = text.indexOf('\n', counted)) {
      line++
      counted = end + 1
    }
    const bodyAt = at + begin.length + (mark?.[0].length ?? 0)
    const bodyEnd = text.indexOf('-----', bodyAt)
    const here = line
    const block = { label, line: here }
    yield { label, line: here, decode: () => decodeBody(text, bodyAt, bodyEnd, block) }
    at = bodyEnd < 0 ? -1 : text.indexOf(begin, bodyEnd)
  }
}

function decodeBody(text: string, bodyAt: number, bodyEnd: number, { label, line }: { label: string; line: number }): Buffer {
  const end = `-----END ${label}-----`
  const isClosed = bodyEnd >= 0 && text.startsWith(end, bodyEnd) && /^[ \t\r\f\v]*(?:\n|$)/.test(text.slice(bodyEnd + end.length, bodyEnd + end.length + markLength))
  if (bodyEnd < 0 || (beginsLine(text, bodyEnd) && !isClosed)) throw new CertloopError('PEM_INVALID', `The block "${label}" that begins in line ${line} has no end.`)
  const body = text.slice(bodyAt, bodyEnd)
  const data = body.includes(':') ? body.split('\n').filter((one) => !/^[A-Za-z-]+:/.test(one.trimStart())).join('') : body
  const base64 = data.replace(/\s+/g, '')
  if (!isClosed || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw new CertloopError('PEM_INVALID', `The block "${label}" that begins in line ${line} is not base64.`)
  return Buffer.from(base64, 'base64')
}

/**
 * The PEM blocks of a text, in order. Text around and between blocks is passed over, as are white space and
 * old header lines ("Proc-Type: …") within; a text without blocks gives an empty list.
 * @param limits default: 20 million characters, 10,000 blocks
 * @throws CertloopError PEM_INVALID: a block without end, not base64, or a text beyond the limits.
 */
export function splitPem(text: string, { maxLength = maxPemLength, maxBlocks = maxPemBlocks }: PemLimits = {}): PemBlock[] {
  if (text.length > maxLength) throw new CertloopError('PEM_INVALID', `The text is longer than ${maxLength} characters.`)
  const blocks: PemBlock[] = []
  for (const { label, decode } of pemBlocks(text)) {
    if (blocks.length === maxBlocks) throw new CertloopError('PEM_INVALID', `The text has more than ${maxBlocks} blocks.`)
    const der = decode()
    blocks.push({ label, pem: toPem(label, der), der })
  }
  return blocks
}
