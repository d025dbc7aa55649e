import { CertloopError } from '@certloop/contract'
import { berToDer } from '../der/ber.ts'
import { DerCursor, DerError, readChildren, readElement, readOid, type DerElement } from '../der/der-reader.ts'
import { element, explicit, objectIdentifier, sequence, setOf, smallInteger } from '../der/der-writer.ts'
import { oid } from '../oids.ts'
import { splitPem, toPem } from '../pem.ts'
import { defaultReadLimits, type ReadLimits } from './keystore.ts'

/** What a PKCS#7 or CMS file carries for others to use; DER, in the order of the file. */
export interface Pkcs7Contents { certificates: Buffer[]; crls: Buffer[] }

const pemLabels = new Set(['PKCS7', 'PKCS #7', 'PKCS #7 SIGNED DATA', 'CMS'])
/** Windows and some authorities call every file with certificates this. */
const certificateLabels = new Set(['CERTIFICATE', 'CERTIFICATE CHAIN'])

/**
 * Reads the certificates and revocation lists of a SignedData (RFC 5652, 5.1; .p7b, .p7c), PEM, DER, BER or bare
 * base64. Several PEM blocks are taken together. Signatures in it are not looked at, nor what was signed; attribute
 * certificates are left out. What is between certificates is not judged: each is given as it is.
 * @throws CertloopError KEYSTORE_INVALID, PEM_INVALID, LIMIT_EXCEEDED, and nothing else, whatever the input
 */
export function readPkcs7(input: string | Uint8Array, limits: ReadLimits = defaultReadLimits): Pkcs7Contents {
  try {
    const found: Pkcs7Contents = { certificates: [], crls: [] }
    for (const bytes of blocksOf(input, limits)) readSignedData(bytes, limits, found)
    return found
  } catch (error) {
    if (error instanceof DerError) throw new CertloopError('KEYSTORE_INVALID', `The PKCS#7 file can not be read: ${error.message}.`, {}, error)
    throw error
  }
}

function blocksOf(input: string | Uint8Array, { maxBytes }: ReadLimits): Buffer[] {
  if (input.length > maxBytes) throw new CertloopError('LIMIT_EXCEEDED', `The file has ${input.length} bytes; at most ${maxBytes} are read.`, { given: input.length, allowed: maxBytes })
  // A SEQUENCE begins with 0x30, which text of base64 does not: it begins with "M".
  if (typeof input !== 'string' && input[0] === 0x30) return [Buffer.from(input.buffer, input.byteOffset, input.byteLength)]
  const text = typeof input === 'string' ? input : Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('latin1')
  if (!text.includes('-----BEGIN ')) {
    const base64 = text.replace(/\s+/g, '')
    if (!/^M[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw new DerError('it is neither PEM nor DER')
    return [Buffer.from(base64, 'base64')]
  }
  const blocks = splitPem(text).filter(({ label, der }) => pemLabels.has(label) || (certificateLabels.has(label) && isContentInfo(der)))
  if (blocks.length === 0) throw new DerError('the text has no block "PKCS7"')
  return blocks.map(({ der }) => der)
}

/** A ContentInfo begins with an object identifier; a certificate does not. */
function isContentInfo(der: Buffer): boolean {
  const headerSize = (der[1] ?? 0) > 0x80 ? 2 + ((der[1] ?? 0) & 0x7f) : 2
  return der[0] === 0x30 && der[headerSize] === 0x06
}

function readSignedData(bytes: Buffer, limits: ReadLimits, found: Pkcs7Contents): void {
  const info = new DerCursor(readElement(berToDer(bytes, limits.maxBytes)))
  const type = readOid(info.take(0x06))
  if (type !== oid.signedData) throw new DerError(`it holds contents of the type ${type} instead of certificates`)
  const signed = new DerCursor(readElement(info.take(0xa0).content))
  signed.take(0x02)
  signed.take(0x31)
  signed.take(0x30)
  collect(found.certificates, signed.takeIf(0xa0), limits)
  collect(found.crls, signed.takeIf(0xa1), limits)
}

function collect(list: Buffer[], set: DerElement | undefined, { maxEntries }: ReadLimits): void {
  for (const member of set ? readChildren(set) : []) {
    if (member.tag !== 0x30) continue
    if (list.length >= maxEntries) throw new CertloopError('LIMIT_EXCEEDED', `The file has more than ${maxEntries} certificates or lists.`, { allowed: maxEntries })
    list.push(member.raw)
  }
}

/**
 * A SignedData without signers that only carries certificates and revocation lists (RFC 5652, 5.1), DER. The order
 * given is kept, as OpenSSL and Windows keep it: those who read a chain from it go by the order rather than by the
 * rule that DER sorts a SET OF.
 */
export const writePkcs7 = ({ certificates, crls = [] }: { certificates: readonly Uint8Array[]; crls?: readonly Uint8Array[] }): Buffer =>
  sequence(objectIdentifier(oid.signedData), explicit(0, sequence(
    smallInteger(1),
    setOf(),
    sequence(objectIdentifier(oid.pkcs7Data)),
    ...(certificates.length > 0 ? [element(0xa0, ...certificates)] : []),
    ...(crls.length > 0 ? [element(0xa1, ...crls)] : []),
    setOf(),
  )))

/** The same as PEM, label "PKCS7" (RFC 7468, 8). */
export const writePkcs7Pem = (contents: { certificates: readonly Uint8Array[]; crls?: readonly Uint8Array[] }): string => toPem('PKCS7', writePkcs7(contents))
