import { CertloopError } from '@certloop/contract'
import { keyAlgorithmOfSpki } from '@certloop/pki'
import { KeyGone } from './ckr.ts'
import { attribute, keyType, objectClass } from './constants.ts'
import type { Attribute } from './layout.ts'
import { findObjects, idAttribute, labelAttribute, readAttributes, ulongAttribute } from './objects.ts'
import { spkiOfCertificate, spkiOfEcPoint, spkiOfEdwardsPoint, spkiOfInfo, spkiOfRsa } from './public-key.ts'
import type { Session } from './sessions.ts'

/** How settings name a key: label, CKA_ID, or both. */
export interface KeyReference {
  label?: string
  /** CKA_ID, lower-case hex. */
  id?: string
}

/** A private key in a token. */
export interface TokenKey {
  label: string
  /** CKA_ID, lower-case hex; empty when the key has none. */
  id: string
  /** As in KeyAlgorithm where it is one of those; "unknown" when `spki` is null. */
  algorithm: string
  /** SubjectPublicKeyInfo, DER; null when the token can not give the public half. */
  spki: Buffer | null
  /** Why `spki` is null, in plain words. */
  problem: string | null
}

export interface FoundKey extends TokenKey { handle: bigint }

const hasIdForm = (id: string): boolean => /^(?:[0-9a-f]{2}){1,255}$/.test(id)

/** @throws CertloopError INPUT_INVALID */
export function assertReference({ label, id }: KeyReference): void {
  if (label === undefined && id === undefined) throw new CertloopError('INPUT_INVALID', 'A key in a token is named by its label, its id or both.')
  if (label !== undefined && (label === '' || label.length > 255)) throw new CertloopError('INPUT_INVALID', 'The label of a key has 1 to 255 characters.')
  if (id !== undefined && !hasIdForm(id)) throw new CertloopError('INPUT_INVALID', 'The id of a key is written as lower-case hex digits, two per byte.')
}

export const describe = ({ label, id }: KeyReference): string => [...(label === undefined ? [] : [`labelled "${label}"`]), ...(id === undefined ? [] : [`with the id ${id}`])].join(' ')

const referenceAttributes = ({ label, id }: KeyReference): Attribute[] => [...(label === undefined ? [] : [labelAttribute(label)]), ...(id === undefined ? [] : [idAttribute(id)])]

export const findKeyObjects = (session: Session, kind: keyof typeof objectClass, reference: KeyReference): Promise<bigint[]> =>
  findObjects(session, [ulongAttribute(session, attribute.class, objectClass[kind]), ...referenceAttributes(reference)])

/**
 * The one private key that fits.
 * @throws CertloopError PKCS11_KEY_NOT_FOUND when there is none, or several; KeyGone when `wasThere`, or when the token shows no key at all
 */
export async function findPrivateKey(session: Session, reference: KeyReference, wasThere = false): Promise<bigint> {
  const [handle, ...more] = await findKeyObjects(session, 'privateKey', reference)
  if (handle === undefined) {
    const message = `The token has no private key ${describe(reference)}.`
    const isSuspect = wasThere || (await findKeyObjects(session, 'privateKey', {})).length === 0
    throw isSuspect ? new KeyGone(message) : new CertloopError('PKCS11_KEY_NOT_FOUND', message)
  }
  if (more.length > 0) throw new CertloopError('PKCS11_KEY_NOT_FOUND', `The token has ${more.length + 1} private keys ${describe(reference)}: which one is meant is not clear. Name it by label and id.`)
  return handle
}

/** Label, id and public half of a private key. */
export async function readKey(session: Session, handle: bigint): Promise<FoundKey> {
  const [label, id] = await readAttributes(session, handle, [attribute.label, attribute.id])
  const named = { handle, label: label?.toString('utf8') ?? '', id: id?.toString('hex') ?? '' }
  try {
    const spki = await publicHalf(session, handle, named.id)
    if (spki) return { ...named, spki, algorithm: keyAlgorithmOfSpki(spki), problem: null }
    return { ...named, spki: null, algorithm: 'unknown', problem: `The token has the private key ${describe(named)}, but no public key, certificate or other public half with the same id. Copy its public key or certificate into the token, with this id.` }
  } catch (error) {
    if (!(error instanceof CertloopError) || (error.code !== 'KEY_INVALID' && error.code !== 'KEY_ALGORITHM_UNSUPPORTED' && error.code !== 'CERTIFICATE_INVALID')) throw error
    return { ...named, spki: null, algorithm: 'unknown', problem: error.message }
  }
}

const publicAttributes = [attribute.keyType, attribute.modulus, attribute.publicExponent, attribute.ecParams, attribute.ecPoint, attribute.publicKeyInfo] as const

/** From the private object itself if it tells, else from the public key or certificate with the same id. */
async function publicHalf(session: Session, handle: bigint, id: string): Promise<Buffer | undefined> {
  const own = await spkiOfObject(session, handle)
  if (own || id === '') return own
  for (const object of await findKeyObjects(session, 'publicKey', { id })) {
    const spki = await spkiOfObject(session, object)
    if (spki) return spki
  }
  for (const object of await findKeyObjects(session, 'certificate', { id })) {
    const [der] = await readAttributes(session, object, [attribute.value])
    if (der && der.length > 0) return spkiOfCertificate(der)
  }
  return undefined
}

async function spkiOfObject(session: Session, object: bigint): Promise<Buffer | undefined> {
  const [kind, modulus, exponent, parameters, point, info] = (await readAttributes(session, object, publicAttributes)).map((value) => (value && value.length > 0 ? value : undefined))
  const type = kind && session.module.layout.readCount(kind)
  if (type === keyType.rsa && modulus && exponent) return spkiOfRsa(modulus, exponent)
  if (type === keyType.ec && parameters && point) return spkiOfEcPoint(parameters, point)
  if (type === keyType.edwards && parameters && point) return spkiOfEdwardsPoint(parameters, point)
  return info && spkiOfInfo(info)
}
