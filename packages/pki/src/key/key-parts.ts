import { createECDH, createPrivateKey, createPublicKey, ECDH, type KeyObject } from 'node:crypto'
import { DerCursor, DerError, readChildren, readElement, readOid, type DerElement } from '../der/der-reader.ts'
import { bitString, element, explicit, integer, objectIdentifier, octetString, sequence, smallInteger } from '../der/der-writer.ts'
import { oid, plainKeyWords } from '../oids.ts'
import { isRsa, namedCurve, recogniseKey, unusedKinds, type KeyForm } from './key-form.ts'

/** Named curves as node:crypto calls them, with the bytes of a private key. */
const curves: Record<string, { name: string; bytes: number }> = {
  '1.2.840.10045.3.1.7': { name: 'prime256v1', bytes: 32 }, '1.3.132.0.34': { name: 'secp384r1', bytes: 48 }, '1.3.132.0.35': { name: 'secp521r1', bytes: 66 },
  '1.3.132.0.10': { name: 'secp256k1', bytes: 32 }, '1.2.840.10045.3.1.1': { name: 'prime192v1', bytes: 24 }, '1.3.132.0.33': { name: 'secp224r1', bytes: 28 },
  '1.3.36.3.3.2.8.1.1.7': { name: 'brainpoolP256r1', bytes: 32 }, '1.3.36.3.3.2.8.1.1.11': { name: 'brainpoolP384r1', bytes: 48 }, '1.3.36.3.3.2.8.1.1.13': { name: 'brainpoolP512r1', bytes: 64 },
}
/** Beyond it the arithmetic takes seconds, and no authority takes such keys. */
const maxModulusBytes = 2048

/**
 * The key of a form that is not encrypted, after a look at whether its parts belong together: node:crypto takes keys
 * whose halves don't fit each other. `curve` is that of an EC PARAMETERS block before it.
 * @throws DerError with what is wrong, for the caller's sentence "The private key can not be read: …"
 */
export function keyOfForm(form: KeyForm, curve?: string): KeyObject {
  switch (form.kind) {
    case 'pkcs1': return rsaKey(sequence(objectIdentifier(oid.rsa), element(0x05)), form.numbers)
    case 'sec1': return ecKey(form, form.curve ?? curve)
    case 'pkcs8': return keyOfPkcs8(form)
    case 'encrypted': throw new DerError('it is encrypted')
    case 'curve': throw new DerError('it names a curve and has no key')
    case 'other': throw new DerError(`it is ${form.title}`)
  }
}

function keyOfPkcs8(form: Extract<KeyForm, { kind: 'pkcs8' }>): KeyObject {
  const [idElement, parameters] = readChildren(form.algorithm)
  if (!idElement) throw new DerError('its algorithm is missing')
  const id = readOid(idElement)
  if (id === oid.ecPublicKey) {
    const inner = recogniseKey(form.key)
    if (inner.kind !== 'sec1') throw new DerError('it says EC and holds something else')
    return ecKey({ ...inner, point: inner.point ?? form.publicKey }, parameters && parameters.tag !== 0x05 ? namedCurve(parameters) : inner.curve)
  }
  if (!isRsa(id)) return keyOfBytes(form, id, idElement)
  const inner = recogniseKey(form.key)
  if (inner.kind !== 'pkcs1') throw new DerError('it says RSA and holds something else')
  return rsaKey(form.algorithm.raw, inner.numbers)
}

/**
 * Keys whose inside is for node:crypto alone; it sees itself whether seed and expanded key of ML-DSA are of one key
 * (RFC 9881, 8.1). Parameters are left out: none of these algorithms has any.
 */
function keyOfBytes({ key, publicKey }: Extract<KeyForm, { kind: 'pkcs8' }>, id: string, idElement: DerElement): KeyObject {
  if (unusedKinds[id] !== undefined) throw new DerError(`it is ${unusedKinds[id]}`)
  const word = plainKeyWords[id]
  if (word === undefined) throw new DerError(`its algorithm ${id} is not known`)
  const made = load(sequence(smallInteger(0), sequence(idElement.raw), octetString(key)))
  if (publicKey && !publicBits(made).equals(publicKey)) throw new DerError('its public half belongs to another key')
  return made
}

/** Both halves of the pair, RFC 8017, 3.2: n = p q, e d = 1 modulo p - 1 and q - 1, and the three numbers made from them. */
function rsaKey(algorithm: Buffer, numbers: readonly Buffer[]): KeyObject {
  if (numbers.some((part) => part.length > maxModulusBytes + 1)) throw new DerError(`its numbers are longer than ${maxModulusBytes * 8} bits`)
  if (numbers.some((part) => part.length === 0 || (part[0] ?? 0) >= 0x80)) throw new DerError('one of its numbers is negative or empty')
  const [n, e, d, p, q, dp, dq, qInverse] = numbers.map((part) => BigInt(`0x${part.toString('hex')}`)) as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint]
  const fits = p > 1n && q > 1n && d > 1n && e > 1n && p * q === n
    && [[p, dp], [q, dq]].every(([prime = 0n, exponent = 0n]) => (e * d) % (prime - 1n) === 1n % (prime - 1n) && d % (prime - 1n) === exponent)
    && (q * qInverse) % p === 1n
  if (!fits) throw new DerError('its numbers do not belong together')
  return load(sequence(smallInteger(0), algorithm, octetString(sequence(smallInteger(0), ...numbers.map((part) => integer(part))))))
}

type EcParts = { scalar: Buffer; point: Buffer | undefined }

/** Without a named curve (GnuTLS writes such keys): the one of this size on which both halves belong together. */
function curveOfParts({ scalar, point }: EcParts): string {
  const fitting = point && Object.entries(curves).find(([, { name, bytes }]) => bytes === scalar.length && belongTogether(name, scalar, point))
  if (!fitting) throw new DerError('it does not say on which curve it is')
  return fitting[0]
}

function belongTogether(name: string, scalar: Buffer, point: Buffer): boolean {
  const ecdh = createECDH(name)
  try {
    ecdh.setPrivateKey(scalar)
  } catch {
    return false // outside the range of this curve
  }
  return ecdh.getPublicKey().equals(point)
}

function ecKey({ scalar, point }: EcParts, namedId: string | undefined): KeyObject {
  const id = namedId ?? curveOfParts({ scalar, point })
  const curve = curves[id]
  if (!curve) throw new DerError(`its curve ${id} is not known`)
  const start = scalar.findIndex((byte) => byte !== 0)
  const magnitude = start < 0 ? Buffer.alloc(0) : scalar.subarray(start)
  if (magnitude.length === 0 || magnitude.length > curve.bytes) throw new DerError('its secret number is outside the curve\'s range')
  const ecdh = createECDH(curve.name)
  const padded = Buffer.concat([Buffer.alloc(curve.bytes - magnitude.length), magnitude])
  const own = guarded(() => { ecdh.setPrivateKey(padded); return ecdh.getPublicKey() }, 'its secret number is outside the curve\'s range')
  if (point) {
    const given = guarded(() => ECDH.convertKey(point, curve.name, undefined, undefined, 'uncompressed') as Buffer, 'its public half is no point of its curve')
    if (!given.equals(own)) throw new DerError('its public half belongs to another key')
  }
  const inner = sequence(smallInteger(1), octetString(padded), explicit(1, bitString(own)))
  return load(sequence(smallInteger(0), sequence(objectIdentifier(oid.ecPublicKey), objectIdentifier(id)), octetString(inner)))
}

function publicBits(key: KeyObject): Buffer {
  const cursor = new DerCursor(readElement(createPublicKey(key).export({ type: 'spki', format: 'der' })))
  cursor.take(0x30)
  return cursor.take(0x03).content.subarray(1)
}

const load = (der: Buffer): KeyObject => guarded(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }), 'it is damaged or of an unknown kind')

/** node:crypto throws many kinds of errors; what went wrong is said by us. */
function guarded<T>(make: () => T, problem: string): T {
  try {
    return make()
  } catch (error) {
    throw new DerError(problem, { cause: error })
  }
}
