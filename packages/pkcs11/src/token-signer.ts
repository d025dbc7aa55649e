import { createHash, createPublicKey, verify, constants } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CertloopError } from '@certloop/contract'
import { der, type Signer } from '@certloop/pki'
import { CkrError, ckr } from './ckr.ts'
import type { Digest } from './constants.ts'
import { findPrivateKey, type KeyReference } from './keys.ts'
import type { Session, Sessions } from './sessions.ts'
import type { Scheme } from './signature-scheme.ts'

const longestSignature = 4_096
const hashedAtOnce = 1_048_576

/** Digest of any length without holding up the event loop for long. */
async function digestOf(digest: Digest, bytes: Uint8Array): Promise<Buffer> {
  const hash = createHash(digest)
  for (let at = 0; at < bytes.length; at += hashedAtOnce) {
    hash.update(bytes.subarray(at, at + hashedAtOnce))
    if (at + hashedAtOnce < bytes.length) await nextTurn()
  }
  return hash.digest()
}

/** Two numbers of equal length as the SEQUENCE of X.509 (RFC 3279, 2.2.3). @throws CertloopError PKCS11_UNAVAILABLE */
export function ecdsaSignature(raw: Buffer): Buffer {
  const half = raw.length / 2
  if (half === 0 || !Number.isInteger(half) || half > 66) throw new CertloopError('PKCS11_UNAVAILABLE', `The token gave an ECDSA signature of ${raw.length} bytes, which can not be right.`)
  return der.sequence(der.integer(raw.subarray(0, half)), der.integer(raw.subarray(half)))
}

export interface SigningKey { reference: KeyReference; algorithm: string; spki: Buffer; handle: bigint; epoch: string }

/** Signs with a key in the token. The first signature after it was found is checked against the public key: a wrong one would make certificates that nobody accepts. */
export function createTokenSigner(sessions: Sessions, key: SigningKey, scheme: Scheme): Signer {
  let known = { handle: key.handle, epoch: key.epoch }
  let isProven = false

  /** What is found by label and id may be another key than before. */
  async function findAgain(session: Session): Promise<void> {
    known = { handle: await findPrivateKey(session, key.reference, true), epoch: session.epoch }
    isProven = false
  }

  async function signOnce(session: Session, data: Buffer): Promise<Buffer> {
    if (known.epoch !== session.epoch) await findAgain(session)
    try {
      return await signWith(session, known.handle, data)
    } catch (error) {
      if (!(error instanceof CkrError) || (error.value !== ckr.keyHandleInvalid && error.value !== ckr.objectHandleInvalid)) throw error
      await findAgain(session) // moved, or gone: then this says so
      return await signWith(session, known.handle, data)
    }
  }

  async function signWith(session: Session, handle: bigint, data: Buffer): Promise<Buffer> {
    const { layout } = session.module
    const how = layout.mechanism(scheme.mechanism, scheme.parameter)
    await session.call('C_SignInit', [how.bytes, handle], [how])
    const signature = Buffer.alloc(longestSignature)
    const length = layout.ulongBytes(longestSignature)
    await session.call('C_Sign', [data, data.length, signature, length])
    return signature.subarray(0, layout.readCount(length) ?? 0)
  }

  return {
    algorithm: scheme.algorithm,
    async sign(bytes) {
      const data = scheme.digest ? Buffer.concat([scheme.prefix, await digestOf(scheme.digest, bytes)]) : Buffer.from(bytes)
      const raw = await sessions.run((session) => signOnce(session, data))
      const signature = scheme.padding === 'ecdsa' ? ecdsaSignature(raw) : Buffer.from(raw)
      if (!isProven && !fits(key.spki, scheme, bytes, signature)) throw new CertloopError('KEY_MISMATCH', 'A signature of the token does not fit the public key it gave for this key. Private and public key with the same label and id do not belong together.')
      isProven = true
      return signature
    },
  }
}

function fits(spki: Buffer, { hash, padding }: Scheme, bytes: Uint8Array, signature: Buffer): boolean {
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  return verify(hash, bytes, padding === 'rsaPss' ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : key, signature)
}
