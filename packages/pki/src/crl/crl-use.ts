import { CertloopError } from '@certloop/contract'
import { certificateParts, type CertificateParts } from '../certificate/certificate.ts'
import { keyUsageBits } from '../certificate/extensions.ts'
import { DerError, ifReadable, isSameElement, readElement } from '../der/der-reader.ts'
import { signatureProves } from '../key/signature.ts'
import { oid } from '../oids.ts'
import { reading, type Crl } from './crl.ts'
import type { CrlEntry } from './crl-entry-writer.ts'
import { findEntry, readEntry, type ReadCrlEntry } from './crl-entries.ts'

/** Whether an entry is of a certificate of this issuer (Name, DER, hex). */
function isOfIssuer({ certificateIssuer }: ReadCrlEntry, crl: Crl, issuer: string): boolean {
  if (certificateIssuer === null) return crl.parts.issuer.raw.toString('hex') === issuer
  return certificateIssuer.type === 'directory' && certificateIssuer.der === issuer
}

/**
 * The entry of a certificate; null when it is not on the list. In a delta CRL it may say "removeFromCRL".
 *
 * Not on the list does not mean good: nothing is looked at here of signature, age and which certificates the list is
 * about. checkCrl decides.
 * A list of a million entries is searched in some tens of milliseconds; an indirect one takes more than a second.
 * @param serialNumber lower-case hex, as readCertificate gives it
 * @param issuer Name (DER) of the certificate's issuer, for indirect lists; left out: the issuer of the list
 * @throws CertloopError CRL_INVALID
 */
export function findInCrl(crl: Crl, serialNumber: string, issuer?: Uint8Array): ReadCrlEntry | null {
  const { list } = crl.parts
  const issuerHex = Buffer.from(issuer ?? crl.parts.issuer.raw).toString('hex')
  const isIndirect = crl.scope?.indirect === true
  if (isIndirect || serialNumber.startsWith('-')) {
    for (const entry of crl.entries()) if (entry.serialNumber === serialNumber && (!isIndirect || isOfIssuer(entry, crl, issuerHex))) return entry
    return null
  }
  return reading(() => {
    const at = findEntry(list, Buffer.from(serialNumber, 'hex'))
    return at < 0 ? null : readEntry(readElement(list, at))
  })
}

/** @throws CertloopError CERTIFICATE_INVALID */
export function partsOf(certificate: string | Uint8Array, whose: string): CertificateParts {
  try {
    return certificateParts(certificate)
  } catch (error) {
    if (error instanceof DerError || error instanceof CertloopError) {
      throw new CertloopError('CERTIFICATE_INVALID', `${whose} can not be read: ${error.message.replace(/\.$/, '')}.`, {}, error)
    }
    throw error
  }
}

/** A certificate without key usage may sign anything (RFC 5280, 4.2.1.3), one with a damaged one nothing. */
export function maySignLists(extensions: ReadonlyMap<string, Buffer>): boolean {
  const usage = extensions.get(oid.keyUsage)
  if (!usage) return true
  return ifReadable(() => {
    const { tag, content } = readElement(usage)
    return tag === 0x03 && ((content[1] ?? 0) & (0x80 >> keyUsageBits.cRLSign)) !== 0
  }, false)
}

/**
 * Whether `issuerCertificate` (PEM or DER) signed the list: names, key usage cRLSign and signature (RFC 5280, 6.3.3 f
 * and g). False for MD2 and MD5, which anybody can forge; undefined when its algorithm or key is not known here. Dates and the certificate's own chain are not looked at.
 * @throws CertloopError CERTIFICATE_INVALID
 */
export function crlSignatureFits(crl: Crl, issuerCertificate: string | Uint8Array): boolean | undefined {
  const issuer = partsOf(issuerCertificate, 'The certificate of the CRL\'s issuer')
  const { parts } = crl
  if (!isSameElement(parts.issuer, issuer.subject) || !maySignLists(issuer.extensions) || !isSameElement(parts.innerAlgorithm, parts.algorithm)) return false
  return signatureProves(parts, issuer.spki.raw)
}

const notTogether = (why: string): CertloopError => new CertloopError('CRL_INVALID', `The delta CRL does not go with this CRL: ${why}.`)
const numberOf = (hex: string | null, what: string): bigint => {
  if (hex === null || hex.startsWith('-')) throw notTogether(`${what} has no number`)
  return BigInt(`0x${hex}`)
}

/** RFC 5280, 5.2.4: same issuer and scope, and no gap between the two. @throws CertloopError CRL_INVALID */
export function checkTogether(base: Crl, delta: Crl): void {
  if (delta.baseNumber === null) throw notTogether('it is a complete one')
  if (base.baseNumber !== null) throw notTogether('that is a delta CRL itself')
  if (!isSameElement(base.parts.issuer, delta.parts.issuer)) throw notTogether('they have different issuers')
  if (base.authorityKeyId !== delta.authorityKeyId) throw notTogether('they are signed by different keys')
  if (JSON.stringify(base.scope) !== JSON.stringify(delta.scope)) throw notTogether('they are about different certificates')
  const number = numberOf(base.number, 'the complete CRL')
  if (number < numberOf(delta.baseNumber, 'the delta CRL')) throw notTogether(`it continues number ${delta.baseNumber}, and this is ${base.number}`)
  if (numberOf(delta.number, 'the delta CRL') < number) throw notTogether(`it is older, number ${delta.number} against ${base.number}`)
}

const keyOf = (entry: ReadCrlEntry): string => (entry.certificateIssuer === null ? entry.serialNumber : `${entry.serialNumber} ${JSON.stringify(entry.certificateIssuer)}`)

/**
 * What a complete list says once a delta CRL is applied: entries of the complete one that the delta does not speak
 * of, then those of the delta. Only the delta's entries are kept in memory.
 * @throws CertloopError CRL_INVALID: at once when the two don't go together (RFC 5280, 5.2.4), or while iterating
 */
export function applyDelta(base: Crl, delta: Crl): Iterable<CrlEntry> {
  checkTogether(base, delta)
  return merged(base, delta)
}

function* merged(base: Crl, delta: Crl): Generator<ReadCrlEntry> {
  const changed = new Map<string, ReadCrlEntry>()
  for (const entry of delta.entries()) changed.set(keyOf(entry), entry)
  for (const entry of base.entries()) if (!changed.has(keyOf(entry))) yield entry
  for (const entry of changed.values()) if (entry.reason !== 'removeFromCRL') yield entry
}
