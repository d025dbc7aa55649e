import { CertloopError } from '../errors.ts'
import { isId, type Id } from '../ids.ts'

/** What a join token carries: where to go, whom to trust there, and a secret that works once. */
export interface JoinToken {
  /** Address of the control plane, e.g. https://certloop.example:8420 */
  url: string
  /** SHA-256 (hex) of the SPKI of the control plane's trust anchor; empty: the system's roots decide. */
  pin: string
  id: Id<'jtk'>
  secret: string
}

const prefix = 'clj1.'

export function encodeJoinToken({ url, pin, id, secret }: JoinToken): string {
  return prefix + Buffer.from(JSON.stringify([url, pin, id, secret])).toString('base64url')
}

/** @throws CertloopError JOIN_TOKEN_MALFORMED */
export function decodeJoinToken(text: string): JoinToken {
  const malformed = (why: string) => new CertloopError('JOIN_TOKEN_MALFORMED', `The join token ${why}.`)
  const trimmed = text.trim()
  if (!trimmed.startsWith(prefix)) throw malformed(`does not begin with "${prefix}"`)
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(trimmed.slice(prefix.length), 'base64url').toString('utf8'))
  } catch {
    throw malformed('is cut off or was altered')
  }
  if (!Array.isArray(parts) || parts.length !== 4 || parts.some((p) => typeof p !== 'string')) throw malformed('is cut off or was altered')
  const [url, pin, id, secret] = parts as [string, string, string, string]
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw malformed('names no usable address')
  if (!/^([0-9a-f]{64})?$/.test(pin)) throw malformed('has an unusable pin')
  if (!isId('jtk', id)) throw malformed('has an unusable id')
  return { url, pin, id, secret }
}
