import { createHash, randomBytes, sign, verify, type KeyObject } from 'node:crypto'
import { CertloopError } from '../errors.ts'
import { isId, type BotId } from '../ids.ts'

/**
 * Signs and checks the requests of bots: HTTP Message Signatures (RFC 9421) over "@method", "@path" and
 * "content-digest" (RFC 9530), Ed25519, with created, nonce and keyid.
 */
export interface SignedRequest { method: string; path: string; body: Uint8Array | string }
export interface SignatureHeaders { 'content-digest': string; 'signature-input': string; signature: string }

/** How far the clock of a bot may be off, in seconds, either way. */
export const signatureWindowSeconds = 300

const components = '("@method" "@path" "content-digest")'
const digestOf = (body: Uint8Array | string) => `sha-256=:${createHash('sha256').update(body).digest('base64')}:`
const baseOf = (r: Omit<SignedRequest, 'body'>, digest: string, params: string) =>
  `"@method": ${r.method.toUpperCase()}\n"@path": ${r.path}\n"content-digest": ${digest}\n"@signature-params": ${params}`

export function signRequest(request: SignedRequest, botId: BotId, key: KeyObject, now: Date): SignatureHeaders {
  const digest = digestOf(request.body)
  const params = `${components};created=${Math.floor(now.getTime() / 1000)};nonce="${randomBytes(16).toString('base64url')}";keyid="${botId}";alg="ed25519"`
  const signature = sign(null, Buffer.from(baseOf(request, digest, params)), key).toString('base64')
  return { 'content-digest': digest, 'signature-input': `sig1=${params}`, signature: `sig1=:${signature}:` }
}

export interface ClaimedSignature { botId: BotId; created: number; nonce: string; params: string; digest: string; signature: Buffer }

/** Reads the headers without trusting them. @throws CertloopError BOT_SIGNATURE_INVALID */
export function readSignature(headers: Record<string, string | string[] | undefined>): ClaimedSignature {
  const one = (name: string) => {
    const value = headers[name]
    if (typeof value !== 'string') throw new CertloopError('BOT_SIGNATURE_INVALID', `The header ${name} is missing.`)
    return value
  }
  const input = /^sig1=(\("@method" "@path" "content-digest"\);created=(\d{1,12});nonce="([\w-]{16,64})";keyid="([^"]{1,64})";alg="ed25519")$/.exec(one('signature-input'))
  const signature = /^sig1=:([A-Za-z0-9+/=]{1,200}):$/.exec(one('signature'))
  if (!input || !signature) throw new CertloopError('BOT_SIGNATURE_INVALID', 'The signature headers can not be read.')
  const [, params = '', created = '', nonce = '', keyId = ''] = input
  if (!isId('bot', keyId)) throw new CertloopError('BOT_SIGNATURE_INVALID', 'The signature names no bot.')
  return { botId: keyId, created: Number(created), nonce, params, digest: one('content-digest'), signature: Buffer.from(signature[1] ?? '', 'base64') }
}

/**
 * Checks age and signature over the digest that the headers claim: all that can be said before the body is read.
 * Whether the nonce was seen before is the caller's to check, and the body then `verifyDigest`'s.
 * @throws CertloopError BOT_SIGNATURE_INVALID
 */
export function verifyHead(request: Omit<SignedRequest, 'body'>, claimed: ClaimedSignature, key: KeyObject, now: Date): void {
  const age = Math.floor(now.getTime() / 1000) - claimed.created
  if (Math.abs(age) > signatureWindowSeconds) {
    throw new CertloopError('BOT_SIGNATURE_INVALID', `The request was signed ${Math.abs(age)} seconds ${age > 0 ? 'ago' : 'in the future'}; at most ${signatureWindowSeconds} are allowed. Compare the clocks.`)
  }
  if (!verify(null, Buffer.from(baseOf(request, claimed.digest, claimed.params)), key, claimed.signature)) {
    throw new CertloopError('BOT_SIGNATURE_INVALID', 'The signature does not fit the key of this bot.')
  }
}

/** @param digest what a verified head claims, the header content-digest. @throws CertloopError BOT_SIGNATURE_INVALID */
export function verifyDigest(body: Uint8Array | string, digest: string | string[] | undefined): void {
  if (digestOf(body) !== digest) throw new CertloopError('BOT_SIGNATURE_INVALID', 'The body was altered on its way.')
}

/** Head and body at once. @throws CertloopError BOT_SIGNATURE_INVALID. Whether the nonce was seen before is the caller's to check. */
export function verifySignature(request: SignedRequest, claimed: ClaimedSignature, key: KeyObject, now: Date): void {
  verifyHead(request, claimed, key, now)
  verifyDigest(request.body, claimed.digest)
}
