import { hash } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { DerCursor, DerError, isSameElement, readBits, readChildren, readElement, readInner, readIntegerHex, readOid, readTime, type DerElement } from '../der/der-reader.ts'
import type { Signed } from '../key/signature.ts'
import { commonNameOf, nameText, readName, type NameAttribute } from '../name/distinguished-name.ts'
import { nameForms } from '../name/names.ts'
import { pemBlocks, splitPem, toPem } from '../pem.ts'
import type { CertificateFacts, NameField, Oddity } from './certificate-facts.ts'
import { encodingOddities, timeOddity } from './encoding-oddities.ts'
import { readKeyFacts, readSignatureFacts } from './key-facts.ts'
import { extensionReaders, isKnownExtension, noExtensions, type ExtensionMembers } from './read-extension.ts'
import { validationKind } from './validation-kind.ts'

export type { CertificateFacts } from './certificate-facts.ts'

/** The parts of a certificate as bytes, for checking signatures and building on it. */
export interface CertificateParts extends Signed {
  der: Buffer
  serialNumber: DerElement
  issuer: DerElement
  notBefore: DerElement
  notAfter: DerElement
  subject: DerElement
  spki: DerElement
  /** Content of each extension by its dotted identifier; the first wins when one comes twice. */
  extensions: Map<string, Buffer>
}

/** Longest certificate that is read, in bytes of DER. */
export const maxCertificateBytes = 1_000_000

const certificateLabels = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'])

/** What openssl writes after a trusted certificate (its uses) is no part of it. */
const withoutTrust = (label: string, der: Buffer): Buffer => (label === 'TRUSTED CERTIFICATE' ? readElement(der).raw : der)

function derOf(pemOrDer: string | Uint8Array): Buffer {
  if (Buffer.isBuffer(pemOrDer)) return pemOrDer
  if (typeof pemOrDer !== 'string') return Buffer.from(pemOrDer.buffer, pemOrDer.byteOffset, pemOrDer.byteLength)
  if (pemOrDer.length > maxCertificateText) throw new DerError(`the text is longer than ${maxCertificateText} characters`)
  for (const { label, decode } of pemBlocks(pemOrDer)) if (certificateLabels.has(label)) return withoutTrust(label, decode())
  throw new DerError('the text has no block "CERTIFICATE"')
}
const maxCertificateText = 20_000_000

interface RawExtension { id: string; critical: boolean; value: DerElement }

/** A certificate taken apart, every part where it lies. */
interface Apart {
  bytes: Buffer
  whole: DerElement
  tbs: DerElement
  algorithm: DerElement
  innerAlgorithm: DerElement
  signature: DerElement
  version: number
  serialNumber: DerElement
  issuer: DerElement
  notBefore: DerElement
  notAfter: DerElement
  subject: DerElement
  spki: DerElement
  extensions: RawExtension[]
  /** Whether each sequence ends where its last known member does. */
  isComplete: boolean
}

function takeApart(pemOrDer: string | Uint8Array): Apart {
  const bytes = derOf(pemOrDer)
  if (bytes.length > maxCertificateBytes) throw new DerError(`it is longer than ${maxCertificateBytes} bytes`)
  const whole = readElement(bytes)
  const outer = new DerCursor(whole)
  const tbs = outer.take(0x30)
  const algorithm = outer.take(0x30)
  const signature = outer.take(0x03)
  const inner = new DerCursor(tbs)
  const version = versionOf(inner.takeIf(0xa0))
  const serialNumber = inner.take(0x02)
  const innerAlgorithm = inner.take(0x30)
  const issuer = inner.take(0x30)
  const validity = new DerCursor(inner.take(0x30))
  const [notBefore, notAfter] = [validity.take(), validity.take()]
  const subject = inner.take(0x30)
  const spki = inner.take(0x30)
  inner.takeIf(0x81)
  inner.takeIf(0x82)
  const extensions = rawExtensions(inner.takeIf(0xa3))
  return { bytes, whole, tbs, algorithm, innerAlgorithm, signature, version, serialNumber, issuer, notBefore, notAfter, subject, spki, extensions, isComplete: inner.isAtEnd && outer.isAtEnd && validity.isAtEnd }
}

function versionOf(wrapper: DerElement | undefined): number {
  if (!wrapper) return 1
  const { tag, content } = readInner(wrapper)
  if (tag !== 0x02 || content.length !== 1) throw new DerError('its version is no small number')
  return content.readInt8() + 1
}

/** Takes a certificate apart. What follows the certificate is not looked at. @throws DerError; CertloopError PEM_INVALID */
export function certificateParts(pemOrDer: string | Uint8Array): CertificateParts {
  const { whole, tbs, algorithm, signature, serialNumber, issuer, notBefore, notAfter, subject, spki, extensions } = takeApart(pemOrDer)
  return { der: whole.raw, signed: tbs.raw, algorithm, signature: readBits(signature), serialNumber, issuer, notBefore, notAfter, subject, spki, extensions: firstOfEach(extensions) }
}

const maxExtensions = 1_000

/** @param wrapper element whose content is the SEQUENCE OF Extension */
function rawExtensions(wrapper: DerElement | undefined): RawExtension[] {
  if (!wrapper) return []
  const all = readChildren(readInner(wrapper))
  if (all.length > maxExtensions) throw new DerError(`it has more than ${maxExtensions} extensions`)
  return all.map((one) => {
    const cursor = new DerCursor(one)
    const id = readOid(cursor.take())
    const critical = cursor.takeIf(0x01)
    return { id, critical: critical !== undefined && critical.content[0] !== 0, value: cursor.take(0x04) }
  })
}

function firstOfEach(extensions: readonly RawExtension[]): Map<string, Buffer> {
  const first = new Map<string, Buffer>()
  for (const { id, value } of extensions) if (!first.has(id)) first.set(id, value.content)
  return first
}

/** Reads what the extensions say; one that is damaged counts as absent, for the rest of the certificate is still worth knowing. */
function readAll(extensions: readonly RawExtension[], oddities: Oddity[]): ExtensionMembers {
  const members = noExtensions()
  const seen = new Set<string>()
  for (const { id, critical, value } of extensions) {
    const reader = extensionReaders.get(id)
    if (!reader || seen.has(id)) continue
    seen.add(id)
    try {
      reader(readInner(value), members, critical)
    } catch (error) {
      if (!(error instanceof DerError)) throw error
      oddities.push({ code: 'extension-damaged', detail: `${id}: ${error.message}` })
    }
  }
  return members
}

/**
 * Reads a certificate, DER or the first one of a PEM text. Odd but real ones are read as well: version 1,
 * negative serial numbers, unusual strings, damaged extensions, keys and algorithms that Node refuses; what is
 * wrong with them is said by certificateFindings. Limits: 1 MB of DER, 20 million characters of text, 1,000
 * extensions, 20,000 members in any sequence.
 * @throws CertloopError CERTIFICATE_INVALID, and nothing else, whatever the input
 */
export function readCertificate(pemOrDer: string | Uint8Array): CertificateFacts {
  try {
    return factsOf(takeApart(pemOrDer))
  } catch (error) {
    throw asCertificateInvalid(error)
  }
}

function asCertificateInvalid(error: unknown): unknown {
  if (!(error instanceof DerError || error instanceof CertloopError)) return error
  return new CertloopError('CERTIFICATE_INVALID', `The certificate can not be read: ${error.message.replace(/\.$/, '')}.`, {}, error)
}

const fieldsOf = (name: readonly (readonly NameAttribute[])[]): NameField[] => name.flatMap((set) => set.map(({ oid, type, value }) => ({ oid, type, value })))

/** Names that servers are called by, in both forms. */
function hostNames(members: ExtensionMembers): { names: string[]; unicodeNames: string[] } {
  const names: string[] = []
  for (const { type, value } of members.alternativeNames) if (type === 'dns' || type === 'ip') names.push(value)
  return { names, unicodeNames: names.map((name) => (name.includes('xn--') ? nameForms(name).unicode : name)) }
}

function odditiesOf(apart: Apart): Oddity[] {
  const oddities = encodingOddities(apart.whole.raw, apart.serialNumber)
  if (apart.whole.raw.length !== apart.bytes.length) oddities.push({ code: 'trailing-bytes', detail: `${apart.bytes.length - apart.whole.raw.length} bytes follow the certificate` })
  if (!apart.isComplete) oddities.push({ code: 'trailing-bytes', detail: 'there are members within that no certificate has' })
  if (!isSameElement(apart.algorithm, apart.innerAlgorithm)) oddities.push({ code: 'algorithms-differ', detail: 'the signature algorithm inside is not the one outside' })
  oddities.push(...timeOddity('notBefore', apart.notBefore), ...timeOddity('notAfter', apart.notAfter))
  return oddities
}

function factsOf(apart: Apart): CertificateFacts {
  readBits(apart.signature)
  const [subject, issuer] = [readName(apart.subject), readName(apart.issuer)]
  const oddities = odditiesOf(apart)
  const members = readAll(apart.extensions, oddities)
  const signature = readSignatureFacts(apart.algorithm)
  const der = apart.whole.raw
  return {
    fingerprint: hash('sha256', der, 'hex'),
    fingerprintSha1: hash('sha1', der, 'hex'),
    version: apart.version,
    serialNumber: readIntegerHex(apart.serialNumber),
    subject: nameText(subject),
    issuer: nameText(issuer),
    subjectFields: fieldsOf(subject),
    issuerFields: fieldsOf(issuer),
    isSelfIssued: isSameElement(apart.subject, apart.issuer),
    commonName: commonNameOf(subject),
    ...hostNames(members),
    notBefore: readTime(apart.notBefore),
    notAfter: readTime(apart.notAfter),
    ...readKeyFacts(apart.spki),
    signatureAlgorithm: signature.name,
    signature,
    spkiDigest: hash('sha256', apart.spki.raw, 'hex'),
    isCa: members.basicConstraints?.isCa ?? false,
    ...members,
    validation: validationKind(members.policies),
    extensions: apart.extensions.map(({ id, critical }) => ({ oid: id, critical })),
    unknownCritical: apart.extensions.filter(({ id, critical }) => critical && !isKnownExtension(id)).map(({ id }) => id),
    oddities,
    pem: toPem('CERTIFICATE', der),
  }
}

/** All certificates of a PEM text, in order; other blocks are passed over. @throws CertloopError CERTIFICATE_INVALID, PEM_INVALID */
export function readCertificates(pemText: string): CertificateFacts[] {
  return splitPem(pemText).filter(({ label }) => certificateLabels.has(label)).map(({ label, der }) => readCertificate(withoutTrust(label, der)))
}

/** What readCertificatesFrom takes at most: characters of text, and certificates in it. */
export interface CertificateLimits { maxLength?: number; maxCertificates?: number }
/** One certificate of a text, or why it can't be read. `number` counts the certificates, `line` is that of the BEGIN mark; both from 1. */
export type CertificateFound = { number: number; line: number } & ({ certificate: CertificateFacts; error?: never } | { error: CertloopError; certificate?: never })

/**
 * Reads the certificates of a long PEM text one by one, so that only one is in memory at a time; time is linear to
 * the text. A damaged one is reported in its place (CERTIFICATE_INVALID) and the others are still read.
 * @param limits default: 500 million characters, 100,000 certificates
 * @throws CertloopError LIMIT_EXCEEDED before or while reading
 */
export function* readCertificatesFrom(pemText: string, { maxLength = 500_000_000, maxCertificates = 100_000 }: CertificateLimits = {}): Generator<CertificateFound, void> {
  if (pemText.length > maxLength) throw new CertloopError('LIMIT_EXCEEDED', `The text has ${pemText.length} characters; at most ${maxLength} are read.`, { given: pemText.length, allowed: maxLength })
  let number = 0
  for (const { label, line, decode } of pemBlocks(pemText)) {
    if (!certificateLabels.has(label)) continue
    number++
    if (number > maxCertificates) throw new CertloopError('LIMIT_EXCEEDED', `The text has more than ${maxCertificates} certificates.`, { allowed: maxCertificates })
    yield { number, line, ...readPlaced(label, decode) }
  }
}

function readPlaced(label: string, decode: () => Buffer): { certificate: CertificateFacts } | { error: CertloopError } {
  try {
    return { certificate: factsOf(takeApart(withoutTrust(label, decode()))) }
  } catch (error) {
    const invalid = asCertificateInvalid(error)
    if (invalid instanceof CertloopError) return { error: invalid }
    throw invalid
  }
}
