import { DerCursor, DerError, readElement, readInner, readIntegerHex, readOid, readTime, serialHex, type DerElement } from '../der/der-reader.ts'
import { readAllGeneralNames, type GeneralName } from '../name/general-names.ts'
import { oid } from '../oids.ts'
import type { CrlEntry } from './crl-entry-writer.ts'
import { reasonOfNumber } from './revocation-reason.ts'

/** An entry as it was read. */
export interface ReadCrlEntry extends CrlEntry {
  /** Lower-case hex, whole bytes; "-" before a negative one. */
  serialNumber: string
  /** Who issued the certificate, in indirect CRLs (RFC 5280, 5.3.3); null: the issuer of the CRL. */
  certificateIssuer: GeneralName | null
  /** Dotted identifiers of critical extensions that are not known here: what they mean for this entry is unknown too. */
  unknownCritical: string[]
  /** Dotted identifiers of those that are not critical and can't be read, as NSS makes them; they count as absent. */
  damagedExtensions: string[]
}

/** Where an entry has its content and its end. Only numbers: a list has a million of them. */
interface EntryPlace { start: number; end: number }

/** @param list what lies within revokedCertificates. @throws DerError */
function placeOfEntry(list: Buffer, at: number, place: EntryPlace): void {
  if (list[at] !== 0x30) throw new DerError('an entry is missing')
  const first = list[at + 1] ?? 0x80
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || lengthBytes > 4 || at + 2 + lengthBytes > list.length) throw new DerError('an entry is cut off')
  place.start = at + 2 + lengthBytes
  place.end = place.start + (lengthBytes === 0 ? first : list.readUIntBE(at + 2, lengthBytes))
  if (place.end > list.length) throw new DerError('an entry is cut off')
}

/** Counts entries, and stops one above `most`. Looks at their lengths alone. @throws DerError */
export function countEntries(list: Buffer, most: number): number {
  const place: EntryPlace = { start: 0, end: 0 }
  let count = 0
  for (; place.end < list.length && count <= most; count++) placeOfEntry(list, place.end, place)
  return count
}

/** Entries in order, each read when it is asked for. @throws DerError */
export function* readEntries(list: Buffer): Generator<ReadCrlEntry> {
  const place: EntryPlace = { start: 0, end: 0 }
  let issuer: GeneralName | null = null
  while (place.end < list.length) {
    const at = place.end
    placeOfEntry(list, at, place)
    const entry = readEntry(readElement(list, at), issuer)
    issuer = entry.certificateIssuer // it holds for all that follow as well
    yield entry
  }
}

/** @param issuer certificateIssuer of the entry before. @throws DerError */
export function readEntry(element: DerElement, issuer: GeneralName | null = null): ReadCrlEntry {
  const cursor = new DerCursor(element)
  const entry: ReadCrlEntry = { serialNumber: readIntegerHex(cursor.take(0x02)), revokedAt: readTime(cursor.take()), certificateIssuer: issuer, unknownCritical: [], damagedExtensions: [] }
  const extensions = cursor.takeIf(0x30)
  if (extensions) readEntryExtensions(extensions, entry)
  return entry
}

function readEntryExtensions(list: DerElement, entry: ReadCrlEntry): void {
  const extensions = new DerCursor(list)
  for (let item = extensions.takeIf(0x30); item; item = extensions.takeIf(0x30)) {
    readTolerant(item, entry.damagedExtensions, (id, critical, value) => readEntryExtension(id, critical, value, entry))
  }
}

function readEntryExtension(id: string, critical: boolean, value: DerElement, entry: ReadCrlEntry): void {
  switch (id) {
    case oid.reasonCode: {
      const reason = value.tag === 0x0a && value.content.length === 1 ? reasonOfNumber(value.content[0]) : undefined
      if (reason) entry.reason = reason
      break
    }
    case oid.invalidityDate: entry.invalidityDate = readTime(value); break
    case oid.certificateIssuer: entry.certificateIssuer = readAllGeneralNames(value)[0] ?? null; break
    default: if (critical) entry.unknownCritical.push(id)
  }
}

/** They say what a list or entry is about; the rest of it means nothing without them, critical or not. */
const essential = new Set<string>([oid.deltaCrlIndicator, oid.issuingDistributionPoint, oid.certificateIssuer])

/**
 * Reads one Extension whose value is DER. One that is damaged is named in `damaged` and otherwise passed over.
 * @throws DerError when a critical or essential one is damaged
 */
export function readTolerant(item: DerElement, damaged: string[], read: (id: string, critical: boolean, value: DerElement) => void): void {
  const cursor = new DerCursor(item)
  const id = readOid(cursor.take())
  const critical = (cursor.takeIf(0x01)?.content[0] ?? 0) !== 0
  const wrapper = cursor.take(0x04)
  try {
    read(id, critical, readInner(wrapper))
  } catch (error) {
    if (critical || essential.has(id) || !(error instanceof DerError)) throw error
    damaged.push(id)
  }
}

/**
 * Where the entry of a positive serial number begins; -1 when there is none. Compares bytes and reads nothing else,
 * so that a million entries take some tens of milliseconds.
 * @param magnitude without leading zero bytes. @throws DerError
 */
export function findEntry(list: Buffer, magnitude: Buffer): number {
  const place: EntryPlace = { start: 0, end: 0 }
  while (place.end < list.length) {
    const at = place.end
    placeOfEntry(list, at, place)
    const start = place.start + 2
    const length = list[start - 1] ?? 0
    if (length >= 0x80) { // more bytes for the length than DER allows
      if (readEntry(readElement(list, at)).serialNumber === serialHex(magnitude)) return at
      continue
    }
    const end = start + length
    if (list[place.start] === 0x02 && end <= place.end && hasSerial(list, start, end, magnitude)) return at
  }
  return -1
}

/** Leading zero bytes don't count, though DER has at most one; without one, a first bit set means a negative number. */
function hasSerial(list: Buffer, start: number, end: number, magnitude: Buffer): boolean {
  if (end - start < magnitude.length) return false
  let at = start
  while (at < end - 1 && list[at] === 0) at++
  if (end - at !== magnitude.length || (at === start && (list[at] ?? 0) >= 0x80)) return false
  for (let i = 0; i < magnitude.length; i++) if (list[at + i] !== magnitude[i]) return false
  return true
}
