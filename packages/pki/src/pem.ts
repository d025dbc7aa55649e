import { CertloopError } from '@certloop/contract'

export interface PemBlock {
  /** "CERTIFICATE", "PRIVATE KEY", … */
  label: string
  /** The block alone, lines of 64, ending with a line end. */
  pem: string
  der: Buffer
}

/** Longest PEM text that is looked at, in characters. */
export const maxPemLength = 20_000_000
const maxBlocks = 10_000

const beginMark = /^-----BEGIN ([A-Z0-9][A-Z0-9 #]{0,60})-----$/

/** PEM text of DER bytes (RFC 7468). */
export function toPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64')
  return `-----BEGIN ${label}-----\n${base64.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END ${label}-----\n`
}

/**
 * The PEM blocks of a text, in order. Text around and between blocks is passed over, as are white space and
 * old header lines ("Proc-Type: …") within; a text without blocks gives an empty list.
 * @throws CertloopError PEM_INVALID: a block without end, not base64, or a text beyond the limits.
 */
export function splitPem(text: string): PemBlock[] {
  if (text.length > maxPemLength) throw new CertloopError('PEM_INVALID', `The text is longer than ${maxPemLength} characters.`)
  const blocks: PemBlock[] = []
  let open: { label: string; line: number; body: string[] } | undefined
  let number = 0
  for (const rough of text.split('\n')) {
    const line = rough.trim()
    number++
    if (!open) {
      const label = beginMark.exec(line)?.[1]
      if (label !== undefined) open = { label, line: number, body: [] }
    } else if (line === `-----END ${open.label}-----`) {
      blocks.push(closeBlock(open))
      if (blocks.length > maxBlocks) throw new CertloopError('PEM_INVALID', `The text has more than ${maxBlocks} blocks.`)
      open = undefined
    } else if (line.startsWith('-----')) {
      break
    } else if (line !== '' && !/^[A-Za-z-]+:/.test(line)) {
      open.body.push(line)
    }
  }
  if (open) throw new CertloopError('PEM_INVALID', `The block "${open.label}" that begins in line ${open.line} has no end.`)
  return blocks
}

function closeBlock(block: { label: string; line: number; body: string[] }): PemBlock {
  const base64 = block.body.join('').replace(/\s+/g, '')
  if (base64 === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    throw new CertloopError('PEM_INVALID', `The block "${block.label}" that begins in line ${block.line} is not base64.`)
  }
  const der = Buffer.from(base64, 'base64')
  return { label: block.label, pem: toPem(block.label, der), der }
}
