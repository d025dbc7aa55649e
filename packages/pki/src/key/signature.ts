import { constants, createPublicKey, createSign, sign, verify, type KeyObject } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { DerCursor, readChildren, readElement, readIntegerHex, readOid, type DerElement } from '../der/der-reader.ts'
import { nullElement, objectIdentifier, sequence } from '../der/der-writer.ts'
import { hashByOid, oid, signatureKinds } from '../oids.ts'

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

interface SigningChoice { oid: string; hash: string | null; nullParameters: boolean }

const ecChoices: Record<string, SigningChoice> = {
  prime256v1: { oid: '1.2.840.10045.4.3.2', hash: 'sha256', nullParameters: false },
  secp384r1: { oid: '1.2.840.10045.4.3.3', hash: 'sha384', nullParameters: false },
  secp521r1: { oid: '1.2.840.10045.4.3.4', hash: 'sha512', nullParameters: false },
}
const otherChoices: Record<string, SigningChoice> = {
  'rsa': { oid: '1.2.840.113549.1.1.11', hash: 'sha256', nullParameters: true },
  'ed25519': { oid: oid.ed25519, hash: null, nullParameters: false },
  'ml-dsa-44': { oid: '2.16.840.1.101.3.4.3.17', hash: null, nullParameters: false },
  'ml-dsa-65': { oid: '2.16.840.1.101.3.4.3.18', hash: null, nullParameters: false },
  'ml-dsa-87': { oid: '2.16.840.1.101.3.4.3.19', hash: null, nullParameters: false },
}

/** A signer with the usual digest of the key's strength (RFC 5758, 8410, 9881). @throws CertloopError KEY_ALGORITHM_UNSUPPORTED */
export function keySigner(key: KeyObject): Signer {
  const type = key.asymmetricKeyType ?? 'unknown'
  const curve = key.asymmetricKeyDetails?.namedCurve ?? ''
  const choice = type === 'ec' ? ecChoices[curve] : otherChoices[type]
  if (!choice) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `Certloop does not sign with keys of the kind ${type} ${curve}.`.replace(' .', '.'))
  const algorithm = sequence(objectIdentifier(choice.oid), ...(choice.nullParameters ? [nullElement()] : []))
  return {
    algorithm,
    sign: (bytes) => new Promise((resolve, reject) => {
      sign(choice.hash, bytes, key, (error, signature) => { if (error) reject(error); else resolve(signature) })
    }),
    ...(choice.hash === null ? {} : { signParts: partsSigner(choice.hash, key) }),
  }
}

const partsSigner = (hash: string, key: KeyObject) => async (parts: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const signing = createSign(hash)
  for await (const part of parts) signing.update(part)
  return signing.sign(key)
}

/** Name of an AlgorithmIdentifier as openssl writes it; the dotted identifier when it is unknown. */
export function signatureName(algorithm: DerElement): string {
  const [id] = readChildren(algorithm)
  if (!id) return 'unknown'
  const dotted = readOid(id)
  return dotted === oid.rsaPss ? 'rsassaPss' : (signatureKinds[dotted]?.name ?? dotted)
}

/** RSASSA-PSS-params (RFC 4055, 3.1): digest SHA-1 and salt of 20 bytes unless said otherwise. */
function pssOptions(parameters: DerElement | undefined): { hash: string; saltLength: number } {
  let hash = 'sha1'
  let saltLength = 20
  for (const part of parameters ? readChildren(parameters) : []) {
    if (part.tag === 0xa0) hash = hashByOid[readOid(new DerCursor(readElement(part.content)).take())] ?? 'unknown'
    if (part.tag === 0xa2) saltLength = Number.parseInt(readIntegerHex(readElement(part.content)), 16)
  }
  return { hash, saltLength }
}

export interface Signed { signed: Buffer; algorithm: DerElement; signature: Buffer }

/**
 * Whether `signature` over `signed` was made by the key of `spki`. False as well when the key is not of the
 * algorithm's kind; undefined when the algorithm or key is not known here, so that nothing can be said.
 */
export function signatureFits({ signed, algorithm, signature }: Signed, spki: Buffer): boolean | undefined {
  const [id, parameters] = readChildren(algorithm)
  if (!id) return undefined
  const dotted = readOid(id)
  let key: KeyObject
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch {
    return undefined // a key that node:crypto can't use: the caller says so
  }
  if (dotted === oid.rsaPss) {
    if (!key.asymmetricKeyType?.startsWith('rsa')) return false
    const { hash, saltLength } = pssOptions(parameters)
    return checked(() => verify(hash, signed, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }, signature))
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
