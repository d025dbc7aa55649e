import { CertloopError } from '@certloop/contract'
import { keyUsageBits, purposes } from '../certificate/extensions.ts'
import { certificateParts, type CertificateFacts, type CertificateParts } from '../certificate/certificate.ts'
import { DerCursor, DerError, readChildren, readElement, readIntegerHex, readOid, type DerElement } from '../der/der-reader.ts'
import { isBrokenDigest, signatureDigest } from '../key/signature.ts'
import { readName } from '../name/distinguished-name.ts'
import { readAllGeneralNames, readGeneralName, type GeneralName } from '../name/general-names.ts'
import { hashByOid, oid } from '../oids.ts'
import { canonical } from './canonical-name.ts'
import { readConstraints, type Constraints } from './name-constraints.ts'

/** One certificate as the chain code sees it: what RFC 5280, 6.1 asks about, read once. */
export interface Link {
  facts: CertificateFacts
  parts: CertificateParts
  /** Names in a form that is equal where RFC 5280, 7.1 calls them equal; one text per relative name. */
  subject: readonly string[]
  subjectKey: string
  issuerKey: string
  /** Name and key together: what may come once in a path. */
  identity: string
  isSelfIssued: boolean
  version: number
  algorithmsAgree: boolean
  /** Signed over MD5, SHA-1 or older. */
  hasWeakHash: boolean
  /** Signed over MD2 or MD5: the signature proves nothing. */
  hasBrokenHash: boolean
  criticalUnknown: readonly string[]
  /** Dotted identifiers of extensions that come twice or can not be read. */
  repeated: readonly string[]
  damaged: readonly string[]
  basic: { isCa: boolean; pathLength: number } | null
  /** Bits of keyUsageBits; null without the extension. */
  keyUsage: ReadonlySet<number> | null
  /** Dotted; null without the extension. */
  purposes: readonly string[] | null
  constraints: Constraints | null
  names: readonly GeneralName[]
  /** emailAddress attributes of the subject. */
  emails: readonly string[]
  authority: { keyId: string | null; issuerKey: string | null; serial: string | null }
  hasPolicyRules: boolean
  /** http addresses of the issuer's certificate (RFC 5280, 4.2.2.1). */
  issuerUrls: readonly string[]
}

// What a validator here acts on. RFC 5280 wants the rest of its own extensions not critical, and OpenSSL refuses them so.
const processed = new Set<string>([
  oid.basicConstraints, oid.keyUsage, oid.extendedKeyUsage, oid.subjectAltName, oid.nameConstraints, oid.certificatePolicies, oid.crlDistributionPoints,
  '2.5.29.33', '2.5.29.36', '2.5.29.54',
])
const policyRules = ['2.5.29.36', '2.5.29.54']
const maxUrls = 8

const links = new WeakMap<CertificateFacts, Link>()

/** @throws CertloopError CERTIFICATE_INVALID */
export function linkOf(facts: CertificateFacts): Link {
  const known = links.get(facts)
  if (known) return known
  try {
    const made = readLink(facts)
    links.set(facts, made)
    return made
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    throw new CertloopError('CERTIFICATE_INVALID', `The certificate can not be read: ${error.message}.`, {}, error)
  }
}

function readLink(facts: CertificateFacts): Link {
  const parts = certificateParts(facts.pem)
  const frame = readFrame(parts)
  const damaged: string[] = []
  const read = <T>(id: string, reader: (element: DerElement) => T, otherwise: T): T => {
    const value = parts.extensions.get(id)
    if (!value) return otherwise
    try {
      const element = readElement(value)
      if (element.raw.length !== value.length) throw new DerError('something follows it')
      return reader(element)
    } catch (error) {
      if (!(error instanceof DerError)) throw error
      damaged.push(id)
      return otherwise
    }
  }
  const name = readName(parts.subject)
  const subject = canonical(name)
  const subjectKey = JSON.stringify(subject)
  const issuerKey = JSON.stringify(canonical(readName(parts.issuer)))
  return {
    facts, parts, subject, subjectKey, issuerKey, ...frame, damaged,
    hasWeakHash: weakHashes.test(facts.signatureAlgorithm) || isWeakPss(parts.algorithm),
    hasBrokenHash: isBrokenDigest(signatureDigest(parts.algorithm)),
    identity: `${facts.spkiDigest} ${subjectKey}`,
    isSelfIssued: subjectKey === issuerKey,
    basic: read(oid.basicConstraints, readBasic, null),
    keyUsage: read<Set<number> | null>(oid.keyUsage, readUsage, null),
    purposes: read<string[] | null>(oid.extendedKeyUsage, (element) => membersOf(element).map(readOid), null),
    constraints: read(oid.nameConstraints, readConstraints, null),
    names: read<GeneralName[]>(oid.subjectAltName, (element) => { membersOf(element); return readAllGeneralNames(element) }, []),
    emails: name.flat().filter((attribute) => attribute.oid === '1.2.840.113549.1.9.1' && attribute.readable).map(({ value }) => value),
    authority: read(oid.authorityKeyIdentifier, readAuthority, { keyId: null, issuerKey: null, serial: null }),
    hasPolicyRules: policyRules.some((id) => parts.extensions.has(id)),
    issuerUrls: read<string[]>(oid.authorityInfoAccess, readIssuerUrls, []),
  }
}

/** What certificateParts leaves out: version, the inner algorithm, which extensions are critical and which come twice. */
function readFrame(parts: CertificateParts): Pick<Link, 'version' | 'algorithmsAgree' | 'criticalUnknown' | 'repeated'> {
  const members = readChildren(readElement(parts.signed))
  const first = members[0]
  const isVersioned = first?.tag === 0xa0
  const inner = members[isVersioned ? 2 : 1]
  const wrapper = members.find(({ tag }) => tag === 0xa3)
  const seen = new Set<string>()
  const repeated: string[] = []
  const criticalUnknown: string[] = []
  const all = wrapper ? readChildren(readElement(wrapper.content)) : []
  for (const extension of all) {
    const cursor = new DerCursor(extension)
    const id = readOid(cursor.take())
    if (seen.has(id)) repeated.push(id)
    seen.add(id)
    const critical = cursor.takeIf(0x01)
    if (critical && critical.content[0] !== 0 && !processed.has(id)) criticalUnknown.push(id)
  }
  return { version: isVersioned ? (first.content.at(-1) ?? 0) + 1 : 1, algorithmsAgree: inner !== undefined && inner.raw.equals(parts.algorithm.raw), repeated, criticalUnknown }
}

const weakHashes = /md2|md4|md5|sha1(?!\d)/i

/** RSASSA-PSS names its digest in the parameters; SHA-1 when it doesn't (RFC 4055, 3.1). */
function isWeakPss(algorithm: DerElement): boolean {
  const [id, parameters] = readChildren(algorithm)
  if (!id || readOid(id) !== oid.rsaPss) return false
  const digest = parameters?.tag === 0x30 ? readChildren(parameters).find(({ tag }) => tag === 0xa0) : undefined
  return !digest || hashByOid[readOid(new DerCursor(readElement(digest.content)).take())] === 'sha1'
}

function membersOf(element: DerElement): DerElement[] {
  const members = element.tag === 0x30 ? readChildren(element) : []
  if (members.length === 0) throw new DerError('a sequence is missing or empty')
  return members
}

function readBasic(element: DerElement): Link['basic'] {
  const cursor = new DerCursor(element)
  const isCa = cursor.takeIf(0x01)
  const length = cursor.takeIf(0x02)
  const number = length ? readIntegerHex(length) : null
  if (number?.startsWith('-')) throw new DerError('a path length is negative')
  return { isCa: isCa !== undefined && isCa.content[0] !== 0, pathLength: number === null ? Infinity : Number.parseInt(number, 16) }
}

function readUsage(element: DerElement): Set<number> {
  const [unused = 8, ...bytes] = element.content
  if (element.tag !== 0x03 || unused > 7 || bytes.length > 8) throw new DerError('a bit string is missing')
  return new Set(Object.values(keyUsageBits).filter((bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0))
}

function readAuthority(element: DerElement): Link['authority'] {
  const members = membersOf(element).length > 0 ? readChildren(element) : []
  const part = (tag: number) => members.find((member) => member.tag === tag)
  const names = part(0xa1)
  const directory = names ? readChildren(names).find(({ tag }) => tag === 0xa4) : undefined
  const serial = part(0x82)
  return {
    keyId: part(0x80)?.content.toString('hex') ?? null,
    issuerKey: directory ? JSON.stringify(canonical(readName(readElement(directory.content)))) : null,
    serial: serial ? readIntegerHex({ tag: 0x02, content: serial.content, raw: serial.raw }) : null,
  }
}

function readIssuerUrls(element: DerElement): string[] {
  const urls = new Set<string>()
  for (const description of membersOf(element)) {
    const cursor = new DerCursor(description)
    if (readOid(cursor.take()) !== oid.caIssuersAccess) continue
    const name = readGeneralName(cursor.take())
    if (name.type === 'uri' && /^https?:\/\/[^\s]{1,2000}$/i.test(name.value)) urls.add(name.value)
  }
  return [...urls].slice(0, maxUrls)
}

/** Whether a certificate is for this purpose as far as it says so itself. */
export const allowsPurpose = (link: Link, purpose: string): boolean =>
  link.purposes === null || link.purposes.includes(purpose) || link.purposes.includes(purposes.anyExtendedKeyUsage)

/** Name of a certificate for people; whatever it says about itself stays within one short line. */
export function titleOf({ facts }: Link): string {
  return shortly(facts.commonName ?? (facts.names[0] || facts.subject || `serial ${facts.serialNumber}`))
}
export const shortly = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
