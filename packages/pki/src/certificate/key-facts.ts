import { DerCursor, DerError, readBits, readChildren, readElement, readInner, readIntegerHex, readOid, type DerElement } from '../der/der-reader.ts'
import { curveWords, hashByOid, oid, plainKeyWords, signatureKinds } from '../oids.ts'
import type { KeyFacts, SignatureFacts } from './certificate-facts.ts'

/** Names of curves as standards write them, with the bits of their field, by the word used in key algorithms. */
const curves: Readonly<Record<string, { name: string; bits: number }>> = {
  'ec-192': { name: 'P-192', bits: 192 }, 'ec-224': { name: 'P-224', bits: 224 }, 'ec-256': { name: 'P-256', bits: 256 }, 'ec-384': { name: 'P-384', bits: 384 }, 'ec-521': { name: 'P-521', bits: 521 },
  'ec-secp256k1': { name: 'secp256k1', bits: 256 }, 'ec-brainpool256': { name: 'brainpoolP256r1', bits: 256 }, 'ec-brainpool384': { name: 'brainpoolP384r1', bits: 384 },
  'ec-brainpool512': { name: 'brainpoolP512r1', bits: 512 },
}
/** Longer exponents are not turned into decimal digits: that would cost more than it tells. */
const maxExponentBytes = 64

function bitLength(content: Buffer): number {
  let start = 0
  while (start < content.length && content[start] === 0) start++
  if (start === content.length) throw new DerError('an RSA modulus is zero')
  return (content.length - start) * 8 - (Math.clz32(content[start] ?? 0) - 24)
}

function exponentText(element: DerElement): string | null {
  const { content } = element
  if (content.length <= 4) return String(content.length === 0 ? 0 : content.readIntBE(0, content.length))
  return content.length > maxExponentBytes ? null : BigInt(`0x${readIntegerHex(element).replace('-', '')}`).toString()
}

function rsaFacts(kind: 'rsa' | 'rsa-pss', key: DerElement): { keyAlgorithm: string; key: KeyFacts } {
  const numbers = new DerCursor(readElement(readBits(key)))
  const bits = bitLength(numbers.take(0x02).content)
  const exponent = numbers.takeIf(0x02)
  return { keyAlgorithm: `${kind}-${bits}`, key: { kind, bits, curve: null, exponent: exponent ? exponentText(exponent) : null } }
}

/** Bits of the field in whole bytes, by the length of the point, where that is too short to be safe on any curve; else null. */
function smallField(key: DerElement): number | null {
  const point = readBits(key)
  const bits = (point.length - 1) * (point[0] === 2 || point[0] === 3 ? 8 : 4)
  return bits > 0 && bits < 224 ? bits : null
}

function ecFacts(parameters: DerElement | undefined, point: DerElement): { keyAlgorithm: string; key: KeyFacts } {
  const dotted = parameters?.tag === 0x06 ? readOid(parameters) : undefined
  const keyAlgorithm = dotted === undefined ? 'ec-explicit' : (curveWords[dotted] ?? `ec-${dotted}`)
  const curve = curves[keyAlgorithm]
  return { keyAlgorithm, key: { kind: 'ec', bits: curve?.bits ?? smallField(point), curve: curve?.name ?? dotted ?? 'explicit', exponent: null } }
}

/** What a SubjectPublicKeyInfo says about its key, without judging it. @throws DerError */
export function readKeyFacts(spki: DerElement): { keyAlgorithm: string; key: KeyFacts } {
  const cursor = new DerCursor(spki)
  const algorithm = new DerCursor(cursor.take(0x30))
  const id = readOid(algorithm.take())
  const parameters = algorithm.takeIf(0x06)
  const key = cursor.take()
  if (id === oid.rsa || id === oid.rsaPss) return rsaFacts(id === oid.rsa ? 'rsa' : 'rsa-pss', key)
  if (id === oid.ecPublicKey) return ecFacts(parameters, key)
  const kind = plainKeyWords[id] ?? id
  return { keyAlgorithm: kind, key: { kind, bits: null, curve: null, exponent: null } }
}

const hashOf = (algorithm: DerElement | undefined): string => {
  const id = algorithm && readChildren(algorithm)[0]
  return id ? (hashByOid[readOid(id)] ?? readOid(id)) : 'unknown'
}

/** RSASSA-PSS-params: SHA-1, MGF1 with SHA-1 and a salt of 20 bytes unless said otherwise. */
function pssFacts(parameters: DerElement | undefined): NonNullable<SignatureFacts['pss']> {
  const facts = { hash: 'sha1', mgfHash: 'sha1', saltLength: 20 }
  for (const part of parameters?.tag === 0x30 ? readChildren(parameters) : []) {
    const inner = readInner(part)
    if (part.tag === 0xa0) facts.hash = hashOf(inner)
    if (part.tag === 0xa1) facts.mgfHash = hashOf(readChildren(inner)[1])
    if (part.tag === 0xa2) facts.saltLength = inner.content.length > 0 && inner.content.length <= 4 ? inner.content.readIntBE(0, inner.content.length) : -1
  }
  return facts
}

/** What an AlgorithmIdentifier says about a signature. @throws DerError */
export function readSignatureFacts(algorithm: DerElement): SignatureFacts {
  const [id, parameters] = readChildren(algorithm)
  if (!id) throw new DerError('a signature algorithm is missing')
  const dotted = readOid(id)
  if (dotted === oid.rsaPss) {
    const pss = pssFacts(parameters)
    return { oid: dotted, name: 'rsassaPss', hash: pss.hash, pss }
  }
  const kind = signatureKinds[dotted]
  return { oid: dotted, name: kind?.name ?? dotted, hash: kind?.hash ?? null, pss: null }
}
