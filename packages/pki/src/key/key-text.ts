import { CertloopError } from '@certloop/contract'
import type { ReadLimits } from '../container/keystore.ts'

/** One PEM block as it stands, with the old header lines that pem.ts passes over: here they say how a key is encrypted. */
export interface KeyBlock {
  label: string
  /** Lower-case names: "proc-type", "dek-info". */
  headers: Map<string, string>
  der: Buffer
}

const beginMark = /^-----BEGIN ([A-Z0-9][A-Z0-9 #]{0,60})-----$/
const headerLine = /^([A-Za-z][A-Za-z0-9-]{0,60}):\s*(.*)$/
const notBase64 = /[^A-Za-z0-9+/=\s]/

/** Text of a file: UTF-8, or UTF-16 as Windows tools write it; without byte order mark. */
export function decodeText(bytes: Buffer): string {
  const text = bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.toString('utf16le') : bytes.toString('utf8')
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

/**
 * The PEM blocks of a text, or its bytes when it is base64 and nothing else. Blocks that are not base64 or have no end are passed
 * over: what is left decides.
 * @throws CertloopError LIMIT_EXCEEDED
 */
export function keyBlocks(text: string, limits: ReadLimits): KeyBlock[] {
  if (!text.includes('-----BEGIN ')) {
    const der = notBase64.test(text) ? Buffer.alloc(0) : Buffer.from(text, 'base64')
    return der[0] === 0x30 ? [{ label: '', headers: new Map(), der }] : []
  }
  const blocks: KeyBlock[] = []
  let open: { label: string; lines: string[] } | undefined
  for (const rough of text.split(/\r\n|\n|\r/)) {
    const line = rough.trim()
    const label = beginMark.exec(line)?.[1]
    if (label !== undefined) open = { label, lines: [] }
    else if (open && line === `-----END ${open.label}-----`) {
      const block = closeBlock(open.label, open.lines)
      if (block) blocks.push(block)
      if (blocks.length > limits.maxEntries) throw new CertloopError('LIMIT_EXCEEDED', `The text has more than ${limits.maxEntries} blocks.`)
      open = undefined
    } else open?.lines.push(line)
  }
  return blocks
}

function closeBlock(label: string, lines: readonly string[]): KeyBlock | undefined {
  const headers = new Map<string, string>()
  const body: string[] = []
  let last: string | undefined
  for (const line of lines) {
    const [, name, value = ''] = headerLine.exec(line) ?? []
    if (name !== undefined) {
      last = name.toLowerCase()
      headers.set(last, value)
    } else if (last !== undefined && headers.get(last)?.endsWith('\\')) headers.set(last, `${headers.get(last)?.slice(0, -1)}${line}`)
    else body.push(line)
  }
  const base64 = body.join('')
  return base64 === '' || notBase64.test(base64) ? undefined : { label, headers, der: Buffer.from(base64, 'base64') }
}
