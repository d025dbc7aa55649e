import { setImmediate } from 'node:timers/promises'
import { CertloopError } from '@certloop/contract'
import { authorityKeyIdentifier, extension } from '../certificate/extensions.ts'
import { bitString, element, explicit, header, implicit, integer, namedBits, sequence, smallInteger, time } from '../der/der-writer.ts'
import type { Signer } from '../key/signature.ts'
import { generalName } from '../name/general-names.ts'
import { oid } from '../oids.ts'
import { CrlEntryWriter, type CrlEntry } from './crl-entry-writer.ts'

/** Which certificates a list is about, when not all of its issuer (RFC 5280, 5.2.5). */
export interface IssuingDistributionPoint {
  /** The addresses that stand in the certificates' CRL distribution points: that is how a shard is told from others. */
  addresses?: readonly string[]
  onlyContainsUserCerts?: boolean
  onlyContainsCaCerts?: boolean
  /** Bits of ReasonFlags (RFC 5280, 4.2.1.13), when only some reasons are listed here. */
  onlySomeReasons?: readonly ReasonFlag[]
}

/** ReasonFlags (RFC 5280, 4.2.1.13); bit 0 is unused. */
export const reasonFlags = {
  keyCompromise: 1, cACompromise: 2, affiliationChanged: 3, superseded: 4, cessationOfOperation: 5, certificateHold: 6, privilegeWithdrawn: 7, aACompromise: 8,
} as const
export type ReasonFlag = keyof typeof reasonFlags

export interface CrlTemplate {
  /** Name, DER: the subject of the issuing certificate byte for byte. */
  issuer: Uint8Array
  /** Key identifier of the issuing certificate. */
  authorityKeyId: Uint8Array
  /** Greater than that of every list of this issuer and scope before; at most 20 bytes (RFC 5280, 5.2.3). Hex when a text. */
  number: bigint | string
  /** Whole seconds. */
  thisUpdate: Date
  nextUpdate: Date
  /** Written in the order given. May be endless as far as memory goes: only the bytes of the list are kept. */
  entries: Iterable<CrlEntry> | AsyncIterable<CrlEntry>
  /** Critical. */
  distributionPoint?: IssuingDistributionPoint
  /** Makes it a delta CRL against the complete one of this number; critical (RFC 5280, 5.2.4). */
  baseNumber?: bigint | string
  /** Where the delta CRLs of this complete one are (RFC 5280, 5.2.6). */
  freshestCrl?: readonly string[]
}

/** Entries between two chances for others to run: a few milliseconds. */
const sliceEntries = 2048
const sliceChunks = 4
/** Room kept behind what is signed: ML-DSA-87 needs 4,627 bytes. A longer signature costs one more copy. */
const signatureRoom = 6000

function magnitude(number: bigint | string): Buffer {
  const hex = typeof number === 'string' ? number : number.toString(16)
  if (!/^[0-9a-f]{1,40}$/i.test(hex)) throw new CertloopError('INPUT_INVALID', `A CRL number is positive and has at most 20 bytes; "${hex.slice(0, 60)}" is not.`)
  return Buffer.from(hex.padStart(Math.ceil(hex.length / 2) * 2, '0'), 'hex')
}

const uri = (value: string): Buffer => generalName({ type: 'uri', value })

function issuingDistributionPoint(point: IssuingDistributionPoint): Buffer {
  const { addresses = [], onlyContainsUserCerts = false, onlyContainsCaCerts = false, onlySomeReasons = [] } = point
  if (onlyContainsUserCerts && onlyContainsCaCerts) throw new CertloopError('INPUT_INVALID', 'A CRL can not be for end entities alone and for CAs alone at once (RFC 5280, 5.2.5).')
  const parts = [
    ...(addresses.length > 0 ? [explicit(0, element(0xa0, ...addresses.map(uri)))] : []),
    ...(onlyContainsUserCerts ? [implicit(1, Buffer.of(0xff))] : []),
    ...(onlyContainsCaCerts ? [implicit(2, Buffer.of(0xff))] : []),
    ...(onlySomeReasons.length > 0 ? [implicit(3, namedBits(onlySomeReasons.map((reason) => reasonFlags[reason])).subarray(2))] : []),
  ]
  if (parts.length === 0) throw new CertloopError('INPUT_INVALID', 'The distribution point of the CRL says nothing; leave it out (RFC 5280, 5.2.5).')
  return extension(oid.issuingDistributionPoint, true, sequence(...parts))
}

function extensionsOf(template: CrlTemplate): Buffer {
  const { baseNumber, distributionPoint, freshestCrl = [] } = template
  if (baseNumber !== undefined && freshestCrl.length > 0) throw new CertloopError('INPUT_INVALID', 'A delta CRL can not name delta CRLs of its own (RFC 5280, 5.2.6).')
  return explicit(0, sequence(
    authorityKeyIdentifier(template.authorityKeyId),
    extension(oid.crlNumber, false, integer(magnitude(template.number))),
    ...(baseNumber === undefined ? [] : [extension(oid.deltaCrlIndicator, true, integer(magnitude(baseNumber)))]),
    ...(distributionPoint ? [issuingDistributionPoint(distributionPoint)] : []),
    ...(freshestCrl.length > 0 ? [extension(oid.freshestCrl, false, sequence(sequence(explicit(0, element(0xa0, ...freshestCrl.map(uri))))))] : []),
  ))
}

/** A pause every few thousand entries lets requests be served while a long list is made. */
async function writeEntries({ entries, baseNumber }: CrlTemplate): Promise<CrlEntryWriter> {
  const writer = new CrlEntryWriter()
  const write = (entry: CrlEntry) => {
    if (entry.reason === 'removeFromCRL' && baseNumber === undefined) throw new CertloopError('INPUT_INVALID', 'Only a delta CRL can take a certificate off the list (RFC 5280, 5.3.1).')
    writer.write(entry)
  }
  let untilPause = sliceEntries
  if (Symbol.iterator in entries) {
    for (const entry of entries) {
      write(entry)
      if (--untilPause === 0) untilPause = await pause()
    }
  } else {
    for await (const entry of entries) {
      write(entry)
      if (--untilPause === 0) untilPause = await pause()
    }
  }
  return writer
}
const pause = (): Promise<number> => setImmediate(sliceEntries)

/** Where the list to be signed lies in a buffer that has room before and after it. */
interface Unsigned { bytes: Buffer; start: number; end: number }

const longestHeader = 6
const partBytes = 1 << 20

async function* inParts(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += partBytes) {
    yield bytes.subarray(at, at + partBytes)
    await pause()
  }
}

const sign = (bytes: Buffer, signer: Signer): Promise<Buffer> =>
  (bytes.length > partBytes && signer.signParts ? signer.signParts(inParts(bytes)) : signer.sign(bytes))

function checkDates({ thisUpdate, nextUpdate }: CrlTemplate): void {
  for (const date of [thisUpdate, nextUpdate]) {
    const year = date.getUTCFullYear()
    if (!(year >= 0 && year <= 9999)) throw new CertloopError('INPUT_INVALID', 'A date of the CRL is none, or has a year that can not be written.')
  }
}

async function assemble(template: CrlTemplate, algorithm: Uint8Array): Promise<Unsigned> {
  checkDates(template)
  const extensions = extensionsOf(template) // first: what is refused is refused before the work
  const writer = await writeEntries(template)
  const head = Buffer.concat([
    smallInteger(1), algorithm, template.issuer, time(template.thisUpdate), time(template.nextUpdate),
    ...(writer.length > 0 ? [header(0x30, writer.length)] : []), // an empty list has to be absent (RFC 5280, 5.1.2.6)
  ])
  const opening = header(0x30, head.length + writer.length + extensions.length)
  const end = longestHeader + opening.length + head.length + writer.length + extensions.length
  const bytes = Buffer.allocUnsafeSlow(end + algorithm.length + signatureRoom)
  let at = longestHeader
  at += opening.copy(bytes, at)
  at += head.copy(bytes, at)
  let copied = 0
  for (const chunk of writer.take()) {
    at += chunk.copy(bytes, at)
    if (++copied % sliceChunks === 0) await pause()
  }
  extensions.copy(bytes, at)
  return { bytes, start: longestHeader, end }
}

/**
 * Makes and signs a CRL, version 2 (RFC 5280, 5): complete, a shard (distributionPoint) or a delta (baseNumber). DER.
 *
 * Made for lists of a million entries: entries are encoded in slices of some milliseconds between which others run,
 * and memory stays near twice the size of the list.
 * @throws CertloopError INPUT_INVALID: an entry, number or combination that RFC 5280 does not allow. What `entries`
 *   or `signer` throw comes through.
 */
export async function buildCrl(template: CrlTemplate, signer: Signer): Promise<Buffer> {
  const { bytes, start, end } = await assemble(template, signer.algorithm)
  const tail = Buffer.concat([signer.algorithm, bitString(await sign(bytes.subarray(start, end), signer))])
  const opening = header(0x30, end - start + tail.length)
  if (end + tail.length > bytes.length) return Buffer.concat([opening, bytes.subarray(start, end), tail])
  opening.copy(bytes, start - opening.length)
  tail.copy(bytes, end)
  return bytes.subarray(start - opening.length, end + tail.length)
}
