import { createPublicKey, ECDH } from 'node:crypto'
import { CertloopError, type KeyAlgorithm } from '@certloop/contract'
import { certificateParts, readCertificate, spkiOfKey } from '@certloop/pki'

interface Curve { algorithm: KeyAlgorithm; jwk: string; openssl: string; size: number; parameters: readonly string[] }

/** Curves by the CKA_EC_PARAMS that tokens give: an object identifier (first, the one asked for) or a printable name. */
export const curves: readonly Curve[] = [
  { algorithm: 'ec-256', jwk: 'P-256', openssl: 'prime256v1', size: 32, parameters: ['06082a8648ce3d030107'] },
  { algorithm: 'ec-384', jwk: 'P-384', openssl: 'secp384r1', size: 48, parameters: ['06052b81040022'] },
  { algorithm: 'ec-521', jwk: 'P-521', openssl: 'secp521r1', size: 66, parameters: ['06052b81040023'] },
]
/** Ed25519: the name of PKCS#11 3.0 as a printable string, and the object identifier of RFC 8410. */
export const ed25519Parameters = [Buffer.from('130c656477617264733235353139', 'hex'), Buffer.from('06032b6570', 'hex')]

const unusable = (words: string, cause?: unknown): CertloopError => new CertloopError('KEY_INVALID', `The public key in the token can not be used: ${words}.`, {}, cause)

/** What is inside one DER element of this tag that fills `bytes` wholly; undefined when it is something else. */
function unwrapped(bytes: Buffer, tag: number): Buffer | undefined {
  const first = bytes[1] ?? 0
  const start = first < 0x80 ? 2 : first === 0x81 ? 3 : first === 0x82 ? 4 : 0
  if (bytes[0] !== tag || start === 0 || bytes.length < start) return undefined
  const length = start === 2 ? first : bytes.readUIntBE(2, start - 2)
  return bytes.length === start + length ? bytes.subarray(start) : undefined
}

/** The candidates for what a CKA_EC_POINT means: wrapped in an OCTET STRING as the standard has it, in a BIT STRING, or bare. */
function pointsOf(value: Buffer): Buffer[] {
  const inBits = unwrapped(value, 0x03)
  return [value, unwrapped(value, 0x04), inBits?.[0] === 0 ? inBits.subarray(1) : undefined].filter((point) => point !== undefined)
}

/** SubjectPublicKeyInfo (DER) of CKA_EC_PARAMS and CKA_EC_POINT. @throws CertloopError KEY_INVALID, KEY_ALGORITHM_UNSUPPORTED */
export function spkiOfEcPoint(parameters: Buffer, point: Buffer): Buffer {
  const curve = curves.find(({ parameters: known }) => known.includes(parameters.toString('hex')))
  if (!curve) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', 'The key in the token is on a curve that Certloop does not sign with; P-256, P-384 and P-521 are supported.')
  const { size, jwk, openssl } = curve
  for (const candidate of pointsOf(point)) {
    const [kind] = candidate
    const isWhole = kind === 4 && candidate.length === 1 + 2 * size
    const isCompressed = (kind === 2 || kind === 3) && candidate.length === 1 + size
    if (!isWhole && !isCompressed) continue
    return madeBy(() => {
      const whole = isWhole ? candidate : ECDH.convertKey(candidate, openssl, undefined, undefined, 'uncompressed') as Buffer
      return { kty: 'EC', crv: jwk, x: whole.subarray(1, 1 + size).toString('base64url'), y: whole.subarray(1 + size).toString('base64url') }
    })
  }
  throw unusable(`its point has ${point.length} bytes, which does not fit ${jwk}`)
}

/** SubjectPublicKeyInfo (DER) of an Ed25519 CKA_EC_POINT. @throws CertloopError KEY_INVALID, KEY_ALGORITHM_UNSUPPORTED */
export function spkiOfEdwardsPoint(parameters: Buffer, point: Buffer): Buffer {
  if (!ed25519Parameters.some((known) => known.equals(parameters))) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', 'The key in the token is on an Edwards curve other than Ed25519.')
  const bare = pointsOf(point).find((candidate) => candidate.length === 32)
  if (!bare) throw unusable(`its point has ${point.length} bytes, which does not fit Ed25519`)
  return madeBy(() => ({ kty: 'OKP', crv: 'Ed25519', x: bare.toString('base64url') }))
}

/** SubjectPublicKeyInfo (DER) of CKA_MODULUS and CKA_PUBLIC_EXPONENT. @throws CertloopError KEY_INVALID */
export function spkiOfRsa(modulus: Buffer, exponent: Buffer): Buffer {
  if (modulus.length === 0 || modulus.length > 2_049 || exponent.length === 0 || exponent.length > 257) throw unusable('its RSA modulus or exponent is missing or too long')
  return madeBy(() => ({ kty: 'RSA', n: modulus.toString('base64url'), e: exponent.toString('base64url') }))
}

/** CKA_PUBLIC_KEY_INFO checked and written in the usual form. @throws CertloopError KEY_INVALID */
export function spkiOfInfo(info: Buffer): Buffer {
  try {
    return spkiOfKey(createPublicKey({ key: info, format: 'der', type: 'spki' }))
  } catch (error) {
    throw unusable('it is damaged', error)
  }
}

/** Of a certificate (DER) that lies beside the private key. @throws CertloopError CERTIFICATE_INVALID, KEY_INVALID for a key that can not be used here */
export const spkiOfCertificate = (der: Buffer): Buffer => spkiOfInfo(certificateParts(readCertificate(der).pem).spki.raw)

function madeBy(jwk: () => Record<string, string>): Buffer {
  try {
    return spkiOfKey(createPublicKey({ key: jwk(), format: 'jwk' }))
  } catch (error) {
    throw unusable('its numbers do not form a key', error)
  }
}
