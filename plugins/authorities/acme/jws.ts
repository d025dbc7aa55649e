import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { keyAlgorithmOf, readPrivateKey } from '@certloop/pki'
import { calculateJwkThumbprint, FlattenedSign, type FlattenedJWS, type JWK } from 'jose'

/** The key of an account, ready to sign. */
export interface AccountKey {
  pem: string
  privateKey: KeyObject
  algorithm: string
  /** Public half. */
  jwk: JWK
  /** RFC 7638, SHA-256, base64url. */
  thumbprint: string
}

const algorithms: Readonly<Record<string, string>> = { 'ec-256': 'ES256', 'ec-384': 'ES384', 'ec-521': 'ES512', 'ed25519': 'EdDSA', 'rsa-2048': 'RS256', 'rsa-3072': 'RS256', 'rsa-4096': 'RS256' }

/** @throws CertloopError KEY_INVALID, KEY_ALGORITHM_UNSUPPORTED */
export async function accountKeyOf(pem: string): Promise<AccountKey> {
  const privateKey = readPrivateKey(pem)
  const kind = keyAlgorithmOf(pem)
  const algorithm = algorithms[kind]
  if (algorithm === undefined) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `A key of the kind ${kind} can not sign for an ACME account; take EC P-256, P-384, P-521, RSA or Ed25519.`)
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' })
  return { pem, privateKey, algorithm, jwk, thumbprint: await calculateJwkThumbprint(jwk) }
}

/** '' is POST-as-GET. */
export type Payload = Readonly<Record<string, unknown>> | FlattenedJWS | ''
const bytesOf = (payload: Payload): Uint8Array => new TextEncoder().encode(payload === '' ? '' : JSON.stringify(payload))

/** Signed with the key, which is named by the address of its account, or shown where there is none yet. */
export function signed(payload: Payload, { key, accountUrl, url, nonce }: { key: AccountKey; accountUrl?: string | undefined; url: string; nonce?: string }): Promise<FlattenedJWS> {
  const header = { alg: key.algorithm, url, ...(nonce === undefined ? {} : { nonce }), ...(accountUrl === undefined ? { jwk: key.jwk } : { kid: accountUrl }) }
  return new FlattenedSign(bytesOf(payload)).setProtectedHeader(header).sign(key.privateKey)
}

/** Ties an account to one that is known at the authority (RFC 8555, 7.3.4). */
export function externalBinding({ key, keyId, hmacKey, url }: { key: AccountKey; keyId: string; hmacKey: string; url: string }): Promise<FlattenedJWS> {
  return new FlattenedSign(bytesOf(key.jwk)).setProtectedHeader({ alg: 'HS256', kid: keyId, url }).sign(hmacBytes(hmacKey))
}

/** Handed out as base64url, by some with the other alphabet, with padding or broken over lines. */
export function hmacBytes(text: string): Buffer {
  const base64url = text.replaceAll(/\s+/g, '').replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
  const bytes = Buffer.from(base64url, 'base64url')
  if (base64url === '' || bytes.toString('base64url') !== base64url) throw new CertloopError('AUTHORITY_ACCOUNT_REFUSED', 'The HMAC key of the external account is not base64url; enter it as the authority shows it.', { field: 'eabHmacKey' })
  return bytes
}

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
