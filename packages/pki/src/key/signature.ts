import { constants, createPublicKey, createSign, sign, verify, type KeyObject } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { ifReadable, readChildren, readOid, type DerElement } from '../der/der-reader.ts'
import { nullElement, objectIdentifier, sequence } from '../der/der-writer.ts'
import { oid, signatureKinds } from '../oids.ts'
import { hashBytes, pssAlgorithm, readPssParameters, type SigningHash } from './pss.ts'

/** Signs what a certificate, request or list says; a key in memory now, one in a token later. */
export interface Signer {
  /** AlgorithmIdentifier, DER. */
  algorithm: Buffer
  sign(bytes: Uint8Array): Promise<Buffer>
  /**
   * The same for a long message in parts, where the algorithm digests first: `sign` copies what it is given, which
   * for the 40 MB of a long CRL stops everything else for 30 ms. Absent where the algorithm wants the whole message.
   */
  signParts?(parts: AsyncIterable<Uint8Array>): Promise<Buffer>
}

export interface SignerOptions {
  /** For RSA and EC keys; by default SHA-256 for RSA, and for EC that of the curve's strength. */
  hash?: SigningHash
  /** RSASSA-PSS instead of PKCS#1 v1.5, for RSA keys. Keys that are for RSASSA-PSS alone always use it. */
  pss?: boolean
}

interface Way { algorithm: Buffer; hash: SigningHash | null; pssSalt?: number }

const rsaOids: Record<SigningHash, string> = { sha256: '1.2.840.113549.1.1.11', sha384: '1.2.840.113549.1.1.12', sha512: '1.2.840.113549.1.1.13' }
const ecOids: Record<SigningHash, string> = { sha256: '1.2.840.10045.4.3.2', sha384: '1.2.840.10045.4.3.3', sha512: '1.2.840.10045.4.3.4' }
const ecHashes: Record<string, SigningHash> = { prime256v1: 'sha256', secp384r1: 'sha384', secp521r1: 'sha512' }
const ownDigestOids: Record<string, string> = {
  'ed25519': oid.ed25519, 'ml-dsa-44': '2.16.840.1.101.3.4.3.17', 'ml-dsa-65': '2.16.840.1.101.3.4.3.18', 'ml-dsa-87': '2.16.840.1.101.3.4.3.19',
}

/**
 * A signer with the usual digest of the key's strength, or the one that is asked for (RFC 4055, 5758, 8017, 8410, 9881).
 * P-256 and Ed25519 sign at once: their signature takes less time than the way to the thread pool and back. All others
 * sign in the pool.
 * @throws CertloopError KEY_ALGORITHM_UNSUPPORTED (kind of key, or a digest the key does not allow), INPUT_INVALID
 *   (a digest or PSS for a key that has its own; a key too small for the digest)
 */
export function keySigner(key: KeyObject, options: SignerOptions = {}): Signer {
  const way = chooseWay(key, options)
  const padded = way.pssSalt === undefined ? { key } : { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: way.pssSalt }
  const isQuick = key.asymmetricKeyType === 'ed25519' || key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
  const signInPool = (bytes: Uint8Array): Promise<Buffer> => new Promise((resolve, reject) => {
    sign(way.hash, bytes, padded, (error, signature) => { if (error) reject(error); else resolve(signature) })
  })
  return {
    algorithm: way.algorithm,
    sign: isQuick ? async (bytes) => (bytes.length > quickBytes ? signInPool(bytes) : sign(way.hash, bytes, key)) : signInPool,
    ...(way.hash === null ? {} : { signParts: partsSigner(way.hash, padded) }),
  }
}
/** A longer message takes longer to digest than the way to the thread pool. */
const quickBytes = 65_536

const partsSigner = (hash: SigningHash, key: Parameters<ReturnType<typeof createSign>['sign']>[0]) => async (parts: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const signing = createSign(hash)
  for await (const part of parts) signing.update(part)
  return signing.sign(key)
}

function chooseWay(key: KeyObject, options: SignerOptions): Way {
  const type = key.asymmetricKeyType ?? 'unknown'
  if (key.type !== 'private') throw new CertloopError('INPUT_INVALID', 'Only a private key can sign.')
  if (type === 'rsa') return options.pss ? pssWay(key, options.hash) : pkcs1Way(key, options.hash ?? 'sha256')
  if (type === 'rsa-pss') return pssWay(key, options.hash)
  if (options.pss) throw new CertloopError('INPUT_INVALID', 'RSASSA-PSS is for RSA keys only.')
  return type === 'ec' ? ecWay(key.asymmetricKeyDetails?.namedCurve ?? '', options.hash) : ownWay(type, options.hash)
}

function ecWay(curve: string, asked: SigningHash | undefined): Way {
  const usual = ecHashes[curve]
  if (usual === undefined) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `Certloop does not sign with keys on the curve ${curve}.`)
  const hash = asked ?? usual
  return { algorithm: sequence(objectIdentifier(ecOids[hash])), hash }
}

/** Ed25519 and ML-DSA. */
function ownWay(type: string, asked: SigningHash | undefined): Way {
  const id = ownDigestOids[type]
  if (id === undefined) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `Certloop does not sign with keys of the kind ${type}.`)
  if (asked) throw new CertloopError('INPUT_INVALID', `A key of the kind ${type} has a digest of its own; none can be chosen.`)
  return { algorithm: sequence(objectIdentifier(id)), hash: null }
}

function pkcs1Way(key: KeyObject, hash: SigningHash): Way {
  checkSize(key, hash, (hashBytes[hash] + 19 + 11) * 8) // RFC 8017, 9.2
  return { algorithm: sequence(objectIdentifier(rsaOids[hash]), nullElement()), hash }
}

/** A key for RSASSA-PSS alone can say which digest it is for, and the least salt (RFC 4055, 3.1). */
function pssWay(key: KeyObject, asked: SigningHash | undefined): Way {
  const { hashAlgorithm, mgf1HashAlgorithm, saltLength = 0 } = key.asymmetricKeyDetails ?? {}
  const hash = asked ?? signingHash(hashAlgorithm) ?? 'sha256'
  if ([hashAlgorithm, mgf1HashAlgorithm].some((allowed) => allowed !== undefined && allowed !== hash)) {
    throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `This RSASSA-PSS key is for ${hashAlgorithm} with MGF1 of ${mgf1HashAlgorithm} only, not for ${hash}.`)
  }
  const salt = Math.max(hashBytes[hash], saltLength)
  if (salt > 127) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `This RSASSA-PSS key asks for a salt of ${salt} bytes; Certloop writes up to 127.`)
  checkSize(key, hash, (hashBytes[hash] + salt + 2) * 8 + 1) // RFC 8017, 9.1.1
  return { algorithm: pssAlgorithm(hash, salt), hash, pssSalt: salt }
}

function checkSize(key: KeyObject, hash: SigningHash, neededBits: number): void {
  const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < neededBits) throw new CertloopError('INPUT_INVALID', `An RSA key of ${modulusLength} bits is too small for signatures with ${hash}.`)
}

const signingHash = (name: string | undefined): SigningHash | undefined => (name !== undefined && Object.hasOwn(hashBytes, name) ? name as SigningHash : undefined)

/** Name of an AlgorithmIdentifier as openssl writes it; the dotted identifier when it is unknown. */
export function signatureName(algorithm: DerElement): string {
  const [id] = readChildren(algorithm)
  if (!id) return 'unknown'
  const dotted = readOid(id)
  return dotted === oid.rsaPss ? 'rsassaPss' : (signatureKinds[dotted]?.name ?? dotted)
}

export interface Signed { signed: Buffer; algorithm: DerElement; signature: Buffer }

/**
 * Whether `signature` over `signed` was made by the key of `spki`. False as well when the key is not of the
 * algorithm's kind, or the algorithm's parameters are not of their form; undefined when the algorithm or key is not
 * known here, or an RSA exponent has more than 256 bits, so that nothing can be said. Never throws.
 */
export function signatureFits(given: Signed, spki: Buffer): boolean | undefined {
  let key: KeyObject
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch {
    return undefined // a key that node:crypto can't use: the caller says so
  }
  return isTooCostly(key) ? undefined : ifReadable(() => fitsKey(given, key), false)
}

/** Digests for which anybody can make two messages of one signature. */
const brokenDigests = new Set(['md2', 'md5'])

/** The digest that is signed, as node:crypto calls it; null where the algorithm has its own or is not known here. */
export const signatureDigest = (algorithm: DerElement): string | null => ifReadable(() => {
  const [id, parameters] = readChildren(algorithm)
  const dotted = id ? readOid(id) : ''
  return dotted === oid.rsaPss ? readPssParameters(parameters)?.hash ?? null : signatureKinds[dotted]?.hash ?? null
}, null) // no signature fits what is damaged

export const isBrokenDigest = (digest: string | null): boolean => digest !== null && brokenDigests.has(digest)

/**
 * Like signatureFits, for relying on what is signed: false as well for MD2 and MD5, which anybody can forge.
 * signatureFits says of old certificates too which was made by which.
 */
export const signatureProves = (given: Signed, spki: Buffer): boolean | undefined => (isBrokenDigest(signatureDigest(given.algorithm)) ? false : signatureFits(given, spki))

/** BR 6.1.6. OpenSSL takes longer ones with moduli up to 3072 bits, and a check then takes a hundred times as long. */
const mostExponent = 1n << 256n
const isTooCostly = (key: KeyObject): boolean => (key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'rsa-pss') && (key.asymmetricKeyDetails?.publicExponent ?? 0n) > mostExponent

function fitsKey({ signed, algorithm, signature }: Signed, key: KeyObject): boolean | undefined {
  const [id, parameters] = readChildren(algorithm)
  if (!id) return undefined
  const dotted = readOid(id)
  if (dotted === oid.rsaPss) {
    if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'rsa-pss') return false
    const pss = readPssParameters(parameters)
    return pss && checked(() => verify(pss.hash, signed, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: pss.saltLength }, signature))
  }
  const kind = signatureKinds[dotted]
  if (!kind) return undefined
  return key.asymmetricKeyType === kind.key && checked(() => verify(kind.hash, signed, key, signature))
}

// node:crypto throws for a digest it lacks or a key of another kind: then nothing was proven.
function checked(check: () => boolean): boolean {
  try {
    return check()
  } catch {
    return false
  }
}
