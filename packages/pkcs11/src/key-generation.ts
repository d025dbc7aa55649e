import { randomBytes } from 'node:crypto'
import { CertloopError, type KeyAlgorithm } from '@certloop/contract'
import { CkrError } from './ckr.ts'
import { attribute, mechanism } from './constants.ts'
import { assertReference, describe, findKeyObjects, readKey, type FoundKey } from './keys.ts'
import type { Attribute } from './layout.ts'
import { booleanAttribute, idAttribute, labelAttribute, ulongAttribute } from './objects.ts'
import { curves, ed25519Parameters } from './public-key.ts'
import type { Session } from './sessions.ts'

export interface NewKey {
  /** Not yet used by a key of this token. */
  label: string
  /** CKA_ID, lower-case hex; default 16 random bytes. Not yet used either. */
  id?: string
  algorithm: KeyAlgorithm
}

interface Way { mechanism: number; parameters: (session: Session) => Attribute[][] }

const rsaParameters = (bits: number) => (session: Session): Attribute[][] =>
  [[ulongAttribute(session, attribute.modulusBits, bits), { type: attribute.publicExponent, value: Buffer.of(1, 0, 1) }]]
const ecParameters = (algorithm: KeyAlgorithm) => (): Attribute[][] =>
  curves.filter((curve) => curve.algorithm === algorithm).map(({ parameters: [oid = ''] }) => [{ type: attribute.ecParams, value: Buffer.from(oid, 'hex') }])

/** How each kind is made: mechanism, and what to ask for, in order of preference. */
export const ways: Partial<Record<KeyAlgorithm, Way>> = {
  'rsa-2048': { mechanism: mechanism.rsaKeyPair, parameters: rsaParameters(2048) },
  'rsa-3072': { mechanism: mechanism.rsaKeyPair, parameters: rsaParameters(3072) },
  'rsa-4096': { mechanism: mechanism.rsaKeyPair, parameters: rsaParameters(4096) },
  'ec-256': { mechanism: mechanism.ecKeyPair, parameters: ecParameters('ec-256') },
  'ec-384': { mechanism: mechanism.ecKeyPair, parameters: ecParameters('ec-384') },
  'ec-521': { mechanism: mechanism.ecKeyPair, parameters: ecParameters('ec-521') },
  // Version 3.0 names the curve, some tokens want the object identifier.
  'ed25519': { mechanism: mechanism.edwardsKeyPair, parameters: () => ed25519Parameters.map((value) => [{ type: attribute.ecParams, value }]) },
}

/** The key algorithms that a token with these mechanisms can make keys of. */
export const algorithmsOf = (mechanisms: ReadonlySet<number>): KeyAlgorithm[] => (Object.keys(ways) as KeyAlgorithm[]).filter((algorithm) => mechanisms.has(ways[algorithm]?.mechanism ?? -1))

/**
 * A key pair that stays in the token: CKA_TOKEN, CKA_PRIVATE, CKA_SENSITIVE, not CKA_EXTRACTABLE, for signing only.
 * @param begun called once keys may have been made, so that the work is not repeated
 * @throws CertloopError KEY_ALGORITHM_UNSUPPORTED, ACTION_NOT_POSSIBLE when label or id is taken
 */
export async function generateInToken(session: Session, { label, id = randomBytes(16).toString('hex'), algorithm }: NewKey, { mechanisms, milliseconds, begun }: { mechanisms: ReadonlySet<number>; milliseconds: number; begun: () => void }): Promise<FoundKey> {
  assertReference({ label, id })
  const way = ways[algorithm]
  if (!way || !mechanisms.has(way.mechanism)) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `The token can not make keys of the kind ${algorithm}; it has ${algorithmsOf(mechanisms).join(', ') || 'none that Certloop uses'}.`)
  for (const reference of [{ label }, { id }]) {
    if ((await findKeyObjects(session, 'privateKey', reference)).length > 0) throw new CertloopError('ACTION_NOT_POSSIBLE', `The token has a private key ${describe(reference)} already. Choose another label or id, or destroy that key first.`)
  }
  const common = [booleanAttribute(attribute.token, true), labelAttribute(label), idAttribute(id)]
  const privateTemplate = [...common, ...[attribute.private, attribute.sensitive, attribute.sign].map((type) => booleanAttribute(type, true)), booleanAttribute(attribute.extractable, false)]
  const choices = way.parameters(session)
  for (const [index, parameters] of choices.entries()) {
    const publicTemplate = [...common, booleanAttribute(attribute.private, false), booleanAttribute(attribute.verify, true), ...parameters]
    begun()
    try {
      return await readKey(session, await callGenerate(session, way.mechanism, publicTemplate, privateTemplate, milliseconds))
    } catch (error) {
      if (!(error instanceof CkrError) || error.facts['call'] !== 'C_GenerateKeyPair' || index === choices.length - 1) throw error // else: the next way to name the curve
    }
  }
  throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `The token can not make keys of the kind ${algorithm}.`)
}

async function callGenerate(session: Session, type: number, publicTemplate: readonly Attribute[], privateTemplate: readonly Attribute[], milliseconds: number): Promise<bigint> {
  const { layout } = session.module
  const memory = [layout.mechanism(type), layout.template(publicTemplate), layout.template(privateTemplate)] as const
  const [publicHandle, privateHandle] = [layout.ulongBytes(0), layout.ulongBytes(0)]
  const [{ bytes: how }, { bytes: open }, { bytes: kept }] = memory
  await session.call('C_GenerateKeyPair', [how, open, publicTemplate.length, kept, privateTemplate.length, publicHandle, privateHandle], memory, milliseconds)
  return layout.readHandle(privateHandle)
}
