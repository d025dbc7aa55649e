import { CertloopError } from '@certloop/contract'
import { contentHex, DerCursor, DerError, readBits, readChildren, readElement, readInner, readIntegerHex, readTime, type DerElement } from '../der/der-reader.ts'
import { signatureName, type Signed } from '../key/signature.ts'
import { nameText, readName } from '../name/distinguished-name.ts'
import { oid } from '../oids.ts'
import { splitPem } from '../pem.ts'
import { countEntries, readEntries, readTolerant, type ReadCrlEntry } from './crl-entries.ts'
import { readDistributionPoints, readScope, type CrlScope } from './crl-scope.ts'

/** What is known of one certificate revocation list. */
export interface Crl {
  /** RFC 4514, most specific part first. */
  issuer: string
  /** Lower-case hex; null when the list has none (version 1). */
  number: string | null
  /** For a delta CRL the number of the complete one that it goes with; null for a complete one. */
  baseNumber: string | null
  thisUpdate: Date
  /** When the next one is there at the latest; null when it does not say. */
  nextUpdate: Date | null
  /** Hex; null when the list has none. */
  authorityKeyId: string | null
  /** As openssl writes it: "ecdsa-with-SHA256". */
  signatureAlgorithm: string
  /** Which certificates the list is about; null: all of its issuer. */
  scope: CrlScope | null
  /** Where its delta CRLs are. */
  freshestCrl: string[]
  /** Dotted identifiers of critical extensions that are not known here: then the list may not be relied on (RFC 5280, 5.2). */
  unknownCritical: string[]
  /** Dotted identifiers of those that are not critical and can't be read, as NSS makes them; they count as absent. */
  damagedExtensions: string[]
  entryCount: number
  /**
   * Revoked certificates in the order of the list, each read when it is asked for.
   * @throws CertloopError CRL_INVALID, while iterating, at an entry that can't be read
   */
  entries(): Generator<ReadCrlEntry>
  parts: CrlParts
}

/** The parts of a list as bytes, for checking its signature and finding entries. */
export interface CrlParts extends Signed {
  der: Buffer
  /** AlgorithmIdentifier within what is signed; it has to be the same as the one outside. */
  innerAlgorithm: DerElement
  issuer: DerElement
  /** What lies within revokedCertificates. */
  list: Buffer
}

export interface CrlLimits {
  /** Bytes or characters of what is given. A PEM text can't be longer than splitPem allows. */
  maxBytes: number
  maxEntries: number
}
const defaultLimits: CrlLimits = { maxBytes: 200_000_000, maxEntries: 5_000_000 }

/** Runs a reader of this folder; whatever is wrong with the input becomes CRL_INVALID. */
export function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof DerError || (error instanceof CertloopError && error.code === 'PEM_INVALID')) {
      throw new CertloopError('CRL_INVALID', `The CRL can not be read: ${error.message.replace(/\.$/, '')}.`, {}, error)
    }
    throw error
  }
}

const labels = new Set(['X509 CRL', 'CRL'])

function derOf(given: string | Uint8Array): Buffer {
  const bytes = typeof given === 'string' ? undefined : Buffer.from(given.buffer, given.byteOffset, given.byteLength)
  if (bytes?.[0] === 0x30) return bytes
  const text = typeof given === 'string' ? given : bytes?.toString('latin1') ?? ''
  const block = splitPem(text).find(({ label }) => labels.has(label))
  if (!block) throw new DerError('it is neither DER nor a PEM text with a block "X509 CRL"')
  return block.der
}

/**
 * Reads a CRL of version 1 or 2, DER or the first one of a PEM text (RFC 5280, 5): complete, delta or indirect.
 * Entries are counted; they are read when they are asked for. The signature is not checked: see crlSignatureFits.
 * @throws CertloopError CRL_INVALID; LIMIT_EXCEEDED before the work is done
 */
export function readCrl(pemOrDer: string | Uint8Array, limits: Partial<CrlLimits> = {}): Crl {
  const { maxBytes, maxEntries } = { ...defaultLimits, ...limits }
  if (pemOrDer.length > maxBytes) throw new CertloopError('LIMIT_EXCEEDED', `The CRL is longer than ${maxBytes} bytes.`)
  return reading(() => crlOf(derOf(pemOrDer), maxEntries))
}

function crlOf(der: Buffer, maxEntries: number): Crl {
  const whole = readElement(der)
  const outer = new DerCursor(whole)
  const tbs = outer.take(0x30)
  const inner = new DerCursor(tbs)
  inner.takeIf(0x02)
  const innerAlgorithm = inner.take(0x30)
  const issuer = inner.take(0x30)
  const thisUpdate = readTime(inner.take())
  const next = inner.takeIf(0x17) ?? inner.takeIf(0x18)
  const list = inner.takeIf(0x30)?.content ?? Buffer.alloc(0)
  const entryCount = countEntries(list, maxEntries)
  if (entryCount > maxEntries) throw new CertloopError('LIMIT_EXCEEDED', `The CRL has more than ${maxEntries} entries.`)
  const algorithm = outer.take(0x30)
  return {
    issuer: nameText(readName(issuer)),
    thisUpdate,
    nextUpdate: next ? readTime(next) : null,
    signatureAlgorithm: signatureName(algorithm),
    ...readCrlExtensions(inner.takeIf(0xa0)),
    entryCount,
    entries: () => entriesOf(list),
    parts: { der: whole.raw, signed: tbs.raw, innerAlgorithm, algorithm, signature: readBits(outer.take(0x03)), issuer, list },
  }
}

function* entriesOf(list: Buffer): Generator<ReadCrlEntry> {
  const entries = readEntries(list)
  for (let next = reading(() => entries.next()); next.done !== true; next = reading(() => entries.next())) yield next.value
}

type CrlExtensions = Pick<Crl, 'number' | 'baseNumber' | 'authorityKeyId' | 'scope' | 'freshestCrl' | 'unknownCritical' | 'damagedExtensions'>

function readCrlExtensions(wrapper: DerElement | undefined): CrlExtensions {
  const found: CrlExtensions = { number: null, baseNumber: null, authorityKeyId: null, scope: null, freshestCrl: [], unknownCritical: [], damagedExtensions: [] }
  for (const item of wrapper ? readChildren(readInner(wrapper)) : []) {
    readTolerant(item, found.damagedExtensions, (id, critical, value) => readCrlExtension(id, critical, value, found))
  }
  return found
}

function readCrlExtension(id: string, critical: boolean, value: DerElement, found: CrlExtensions): void {
  switch (id) {
    case oid.crlNumber: found.number = readIntegerHex(value); break
    case oid.deltaCrlIndicator: found.baseNumber = readIntegerHex(value); break
    case oid.issuingDistributionPoint: found.scope = readScope(value); break
    case oid.freshestCrl: found.freshestCrl = readDistributionPoints(value); break
    case oid.authorityKeyIdentifier: found.authorityKeyId = keyIdOf(value); break
    default: if (critical) found.unknownCritical.push(id)
  }
}

function keyIdOf(element: DerElement): string | null {
  const keyId = readChildren(element).find(({ tag }) => tag === 0x80)
  return keyId ? contentHex(keyId) : null
}
