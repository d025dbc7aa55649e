import { CertloopError } from '@certloop/contract'
import { DerError, readElement } from '../der/der-reader.ts'
import { splitPem } from '../pem.ts'

/** Longest request that is read, in characters of text. */
export const maxCsrLength = 200_000
/** The same in bytes of DER. */
export const maxCsrBytes = 140_000

interface CsrInput {
  der: Buffer
  /** Labels of the other blocks of the text. */
  otherBlocks: string[]
}

const requestLabels = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'])

/**
 * The one request in what a person or tool hands in: DER, PEM with text around it, or base64 without PEM lines.
 * @throws DerError; CertloopError PEM_INVALID
 */
export function csrInput(given: string | Uint8Array): CsrInput {
  const input = typeof given === 'string' ? fromText(given) : fromBytes(Buffer.from(given.buffer, given.byteOffset, given.byteLength))
  if (input.der.length > maxCsrBytes) throw new DerError(`it is longer than ${maxCsrBytes} bytes`)
  if (readElement(input.der).raw.length !== input.der.length) throw new DerError('something follows after its end')
  return input
}

function fromBytes(bytes: Buffer): CsrInput {
  // A request is longer than 127 bytes, so its length takes more than one byte; text has none there.
  if (bytes[0] === 0x30 && (bytes[1] ?? 0) >= 0x80) return { der: bytes, otherBlocks: [] }
  if (bytes.length > 2 * maxCsrLength) throw new DerError(`it is longer than ${maxCsrLength} characters`)
  const mark = bytes.toString('hex', 0, 2)
  // Windows PowerShell writes redirected text as UTF-16.
  if (mark === 'fffe' || mark === 'feff') return fromText(new TextDecoder(mark === 'fffe' ? 'utf-16le' : 'utf-16be').decode(bytes))
  return fromText(bytes.toString('utf8'))
}

function fromText(given: string): CsrInput {
  if (given.length > maxCsrLength) throw new DerError(`it is longer than ${maxCsrLength} characters`)
  const text = given.replace(/^\ufeff/, '')
  if (!text.includes('-----BEGIN ')) return { der: fromBase64(text), otherBlocks: [] }
  const blocks = splitPem(onOwnLines(text))
  const requests = blocks.filter(({ label }) => requestLabels.has(label))
  const otherBlocks = blocks.map(({ label }) => label).filter((label) => !requestLabels.has(label))
  const [first] = requests
  if (!first) throw new DerError(otherBlocks[0] === undefined ? 'the text has no complete block "CERTIFICATE REQUEST"' : `the text has a block "${otherBlocks[0]}", but none "CERTIFICATE REQUEST"`)
  if (requests.length > 1) throw new DerError(`the text has ${requests.length} requests; give one at a time`)
  return { der: first.der, otherBlocks }
}

/** Text that lost its line ends, or has those of old Macs, still has its marks. */
const onOwnLines = (text: string): string => text.replace(/\r\n?/g, '\n').replace(/-----(?:BEGIN|END) [A-Z0-9 ]{1,60}-----/g, '\n$&\n')

function fromBase64(text: string): Buffer {
  const base64 = text.replace(/\s+/g, '').replaceAll('-', '+').replaceAll('_', '/')
  if (!/^M[A-Za-z0-9+/]{16,}={0,2}$/.test(base64)) throw new CertloopError('PEM_INVALID', 'it has neither a block "CERTIFICATE REQUEST" nor is it base64')
  return Buffer.from(base64, 'base64')
}
