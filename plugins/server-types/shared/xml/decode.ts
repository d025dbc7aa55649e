import { XmlProblem } from './tokens.ts'

/**
 * The text of an XML file: by its byte order mark, else by the encoding its declaration names, else UTF-8
 * (XML 1.0, appendix F). @throws XmlProblem for bytes that are not of this encoding
 */
export function decodeXml(bytes: Uint8Array): string {
  const encoding = encodingOf(bytes)
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    throw new XmlProblem(`it is not written in its encoding ${encoding}`, 1)
  }
}

function encodingOf(bytes: Uint8Array): string {
  const [first, second] = bytes
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  const head = Buffer.from(bytes.subarray(0, 200)).toString('latin1')
  return /^<\?xml[^>]*\sencoding\s*=\s*["']([\w.-]+)["']/.exec(head)?.[1] ?? 'utf-8'
}
