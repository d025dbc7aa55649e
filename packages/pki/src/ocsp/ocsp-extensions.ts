import { DerCursor, DerError, readElement, readOid, type DerElement } from '../der/der-reader.ts'
import { octetString } from '../der/der-writer.ts'
import { extension } from '../certificate/extensions.ts'
import { oid } from '../oids.ts'

/** RFC 9654, 2.1: what a responder has to accept lies within. */
const maxNonceBytes = 128

export interface OcspExtensions {
  nonce: Buffer | null
  archiveCutoff: DerElement | null
  /** Dotted identifiers of critical extensions that are not known here. */
  unknownCritical: string[]
}

const known = new Set<string>([oid.ocspNonce, oid.ocspArchiveCutoff])

/** @param wrapper element whose content is the SEQUENCE OF Extension. @throws DerError */
export function readOcspExtensions(wrapper: DerElement | undefined): OcspExtensions {
  const found: OcspExtensions = { nonce: null, archiveCutoff: null, unknownCritical: [] }
  if (!wrapper) return found
  const list = new DerCursor(readElement(wrapper.content))
  for (let item = list.takeIf(0x30); item; item = list.takeIf(0x30)) {
    const cursor = new DerCursor(item)
    const id = readOid(cursor.take())
    const critical = (cursor.takeIf(0x01)?.content[0] ?? 0) !== 0
    const value = cursor.take(0x04).content
    if (id === oid.ocspNonce) found.nonce ??= readNonce(value)
    else if (id === oid.ocspArchiveCutoff) found.archiveCutoff ??= readElement(value)
    if (critical && !known.has(id)) found.unknownCritical.push(id)
  }
  return found
}

function readNonce(value: Buffer): Buffer {
  const nonce = readElement(value)
  if (nonce.tag !== 0x04 || nonce.content.length === 0 || nonce.content.length > maxNonceBytes) throw new DerError(`its nonce does not have 1 to ${maxNonceBytes} bytes`)
  return nonce.content
}

/** The nonce as an extension of request or response (RFC 9654, 2.1). */
export const nonceExtension = (nonce: Uint8Array): Buffer => extension(oid.ocspNonce, false, octetString(nonce))
