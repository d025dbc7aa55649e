import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { CompactEncrypt, calculateJwkThumbprint, compactDecrypt, decodeProtectedHeader, type JWK } from 'jose'
import { checkShape } from '../check.ts'
import { CertloopError } from '../errors.ts'
import type { BotId } from '../ids.ts'
import { TargetSecrets } from '../target.ts'

/**
 * Secrets of a target on their way to one bot: compact JWE (RFC 7516) with ECDH-ES+A256KW over X25519 (RFC 8037) and
 * A256GCM. The bot's id goes into the key agreement (apv, RFC 7518 4.6.1.3), so that nothing sealed for one bot opens
 * for another; kid is the RFC 7638 thumbprint of the key it was sealed for. It never expires: what limits it is its task.
 */
const algorithms = { alg: 'ECDH-ES+A256KW', enc: 'A256GCM' } as const
const typ = 'certloop-target-secrets'

const unreadable = (message: string, cause?: unknown) => new CertloopError('TARGET_SECRETS_UNREADABLE', message, {}, cause)
const bytes = (text: string) => new TextEncoder().encode(text)
const publicJwk = (key: KeyObject): JWK => (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' })

/** The public half of a bot's encryption key from SPKI in PEM; undefined when it is not an X25519 key. */
export function readEncryptionKey(publicKeyPem: string): KeyObject | undefined {
  try {
    const key = createPublicKey(publicKeyPem)
    return key.asymmetricKeyType === 'x25519' && !publicKeyPem.includes('PRIVATE') ? key : undefined
  } catch {
    return undefined
  }
}

/** The private half from PKCS#8 in PEM; undefined when it is damaged or another kind of key. */
export function readDecryptionKey(privateKeyPem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(privateKeyPem)
    return key.asymmetricKeyType === 'x25519' ? key : undefined
  } catch {
    return undefined
  }
}

/**
 * @param publicKeyPem what the bot told in its hello
 * @throws CertloopError TARGET_SECRETS_UNREADABLE when that is no key to seal for
 */
export async function sealTargetSecrets(secrets: TargetSecrets, botId: BotId, publicKeyPem: string): Promise<string> {
  const key = readEncryptionKey(publicKeyPem)
  if (!key) throw unreadable('The key that the bot told can not be used to seal secrets for it.')
  const kid = await calculateJwkThumbprint(publicJwk(key))
  return new CompactEncrypt(bytes(JSON.stringify(secrets))).setProtectedHeader({ ...algorithms, typ, kid }).setKeyManagementParameters({ apv: bytes(botId) }).encrypt(key)
}

/** True when these secrets were sealed for this key, as far as their header tells. */
export async function isSealedFor(sealed: string, publicKeyPem: string): Promise<boolean> {
  const key = readEncryptionKey(publicKeyPem)
  return key !== undefined && headerOf(sealed)['kid'] === await calculateJwkThumbprint(publicJwk(key))
}

function headerOf(sealed: string): Record<string, unknown> {
  try {
    return decodeProtectedHeader(sealed)
  } catch (error) {
    throw unreadable('The secrets of the target came damaged.', error)
  }
}

/** @throws CertloopError TARGET_SECRETS_UNREADABLE: sealed for another bot or another key, altered, or no secrets of a target */
export async function openTargetSecrets(sealed: string, botId: BotId, key: KeyObject): Promise<TargetSecrets> {
  const header = headerOf(sealed)
  if (header['typ'] !== typ) throw unreadable('What came as secrets of the target is something else.')
  if (header['apv'] !== Buffer.from(botId).toString('base64url')) throw unreadable('The secrets of the target were sealed for another bot.')
  if (header['kid'] !== await calculateJwkThumbprint(publicJwk(key))) throw unreadable('The secrets of the target were sealed for a key that this bot does not have any more.')
  return checkShape(TargetSecrets, await decrypt(sealed, key), { what: 'What was sealed for the target', code: 'TARGET_SECRETS_UNREADABLE' })
}

async function decrypt(sealed: string, key: KeyObject): Promise<unknown> {
  try {
    const { plaintext } = await compactDecrypt(sealed, key, { keyManagementAlgorithms: [algorithms.alg], contentEncryptionAlgorithms: [algorithms.enc] })
    return JSON.parse(new TextDecoder().decode(plaintext))
  } catch (error) {
    // Without its cause: what fails to parse may be quoted there.
    throw unreadable(`The secrets of the target can not be opened: they were altered on their way (${(error as { code?: string }).code ?? 'not JSON'}).`)
  }
}
