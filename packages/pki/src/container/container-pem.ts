/**
 * PEM text read block by block, so that a damaged one does not hide the others. Text between blocks is looked at only
 * for the attributes that "openssl pkcs12" writes there.
 */
export interface PemPart {
  label: string
  /** Of its BEGIN line, from 1. */
  line: number
  /** The lines from BEGIN to END, as they were but for white space. */
  text: string
  /** "friendlyName" of the attributes that stand before it. */
  friendlyName: string | null
  /** It has a header "DEK-Info": encrypted by the old way of openssl. */
  encrypted: boolean
  /** Empty when it is damaged. */
  der: Buffer
  /** What is wrong with it. */
  damage: string | null
}

const beginMark = /^-----BEGIN ([A-Z0-9][A-Z0-9 #]{0,60})-----$/
const headerLine = /^[A-Za-z][A-Za-z0-9-]{0,60}:/

interface OpenBlock { label: string; line: number; friendlyName: string | null; lines: string[] }

/** The blocks one by one. Time is linear in the length of the text. */
export function* pemParts(text: string): Generator<PemPart> {
  let open: OpenBlock | undefined
  let friendlyName: string | null = null
  let number = 0
  for (const line of linesOf(text)) {
    number++
    const label = line.startsWith('-----BEGIN ') ? beginMark.exec(line)?.[1] : undefined
    if (label !== undefined) {
      if (open) yield closed(open, `it has no end before the next block begins in line ${number}`)
      open = { label, line: number, friendlyName, lines: [line] }
      friendlyName = null
    } else if (!open) {
      friendlyName = attribute(line) ?? friendlyName
    } else {
      open.lines.push(line)
      if (!line.startsWith('-----')) continue
      yield closed(open, line === `-----END ${open.label}-----` ? null : `it ends with another line than "-----END ${open.label}-----"`)
      open = undefined
    }
  }
  if (open) yield closed(open, 'it has no end')
}

function* linesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at)
    const next = end < 0 ? text.length : end
    yield text.slice(at, next).trim()
    at = next + 1
  }
}

function attribute(line: string): string | undefined {
  const name = line.startsWith('friendlyName:') ? line.slice('friendlyName:'.length).trim() : ''
  return name === '' ? undefined : name
}

function closed({ label, line, friendlyName, lines }: OpenBlock, damage: string | null): PemPart {
  const body: string[] = []
  let encrypted = false
  let inHeader = false
  for (const inner of lines.slice(1, damage === null ? -1 : undefined)) {
    // A header goes on over lines that end with a comma or, in RFC 1421, begin with white space; base64 has neither.
    if (headerLine.test(inner)) {
      encrypted ||= inner.startsWith('DEK-Info:')
      inHeader = inner.endsWith(',')
    } else if (inHeader) inHeader = inner.endsWith(',')
    else body.push(inner)
  }
  const base64 = body.join('').replace(/\s+/g, '')
  const wrong = damage ?? (/^[A-Za-z0-9+/]+={0,2}$/.test(base64) ? null : 'it is not base64')
  return { label, line, text: `${lines.join('\n')}\n`, friendlyName, encrypted, der: wrong === null ? Buffer.from(base64, 'base64') : Buffer.alloc(0), damage: wrong }
}
