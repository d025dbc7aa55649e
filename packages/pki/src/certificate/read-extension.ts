import { contentHex, DerCursor, DerError, latin1Text, readChildren, readInner, readOid, type DerElement } from '../der/der-reader.ts'
import { ipText, readAllGeneralNames, readGeneralName, type GeneralName } from '../name/general-names.ts'
import { oid } from '../oids.ts'
import type { CertificateFacts, PolicyFacts, TimestampFacts } from './certificate-facts.ts'
import { keyUsageBits, purposes, type KeyUsage } from './extensions.ts'

/** The members of CertificateFacts that come from extensions. */
export type ExtensionMembers = Pick<CertificateFacts, 'alternativeNames' | 'basicConstraints' | 'keyUsage' | 'extendedKeyUsage' | 'subjectKeyId' | 'authorityKeyId' | 'ocspUrls' | 'issuerUrls'
  | 'crlUrls' | 'freshestCrlUrls' | 'policies' | 'nameConstraints' | 'timestamps' | 'mustStaple' | 'ocspNoCheck' | 'isPrecertificate'>

export const noExtensions = (): ExtensionMembers => ({
  alternativeNames: [], basicConstraints: null, keyUsage: null, extendedKeyUsage: null, subjectKeyId: null, authorityKeyId: null, ocspUrls: [], issuerUrls: [],
  crlUrls: [], freshestCrlUrls: [], policies: [], nameConstraints: null, timestamps: [], mustStaple: false, ocspNoCheck: false, isPrecertificate: false,
})

const usageNames = Object.keys(keyUsageBits) as KeyUsage[]
const purposeWords = new Map<string, string>(Object.entries(purposes).map(([word, dotted]) => [dotted, word]))

function usages(bits: DerElement): KeyUsage[] {
  const { content } = bits
  if (bits.tag !== 0x03 || content.length < 2 || content.length > 3) throw new DerError('a key usage is no short bit string')
  return usageNames.filter((_, bit) => ((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0)
}

/** More levels below than this are the same as no limit. */
const mostLevels = 0x7fff_ffff
function pathLength(element: DerElement | undefined): number | null {
  if (!element) return null
  const { content } = element
  if (content.length === 0 || (content[0] ?? 0) >= 0x80) throw new DerError('a path length is no positive number')
  return content.length > 4 ? mostLevels : content.readUIntBE(0, content.length)
}

function basic(element: DerElement): { isCa: boolean; pathLength: number | null } {
  const cursor = new DerCursor(element)
  const flag = cursor.takeIf(0x01)
  return { isCa: flag !== undefined && flag.content[0] !== 0, pathLength: pathLength(cursor.takeIf(0x02)) }
}

function authority(element: DerElement): string | null {
  const keyId = readChildren(sequence(element)).find(({ tag }) => tag === 0x80)
  return keyId ? contentHex(keyId) : null
}

function sequence(element: DerElement): DerElement {
  if (element.tag !== 0x30) throw new DerError('a sequence is missing')
  return element
}

/** Addresses of one access method; other kinds of names are left out. */
function access(element: DerElement, into: ExtensionMembers): void {
  for (const description of readChildren(sequence(element))) {
    const cursor = new DerCursor(description)
    const method = readOid(cursor.take())
    const place = cursor.take()
    if (place.tag !== 0x86) continue
    if (method === oid.ocspAccess) into.ocspUrls.push(latin1Text(place))
    else if (method === oid.caIssuersAccess) into.issuerUrls.push(latin1Text(place))
  }
}

/** Addresses of all distribution points. */
function listUrls(element: DerElement): string[] {
  const urls: string[] = []
  for (const point of readChildren(sequence(element))) {
    const name = readChildren(point).find(({ tag }) => tag === 0xa0)
    const full = name && readInner(name)
    for (const one of full?.tag === 0xa0 ? readChildren(full) : []) if (one.tag === 0x86) urls.push(latin1Text(one))
  }
  return urls
}

function policies(element: DerElement): PolicyFacts[] {
  return readChildren(sequence(element)).map((policy) => {
    const cursor = new DerCursor(policy)
    const id = readOid(cursor.take())
    const qualifiers = cursor.takeIf(0x30)
    const statements: string[] = []
    for (const qualifier of qualifiers ? readChildren(qualifiers) : []) {
      const [kind, value] = readChildren(qualifier)
      if (kind && value?.tag === 0x16 && readOid(kind) === oid.practiceStatement) statements.push(latin1Text(value))
    }
    return { oid: id, statements }
  })
}

/** "10.0.0.0/8"; with a mask that has gaps "10.0.0.0/255.0.255.0". Undefined when it is no address with a mask. */
function network(content: Buffer): string | undefined {
  const half = content.length / 2
  const address = ipText(content.subarray(0, half))
  const mask = ipText(content.subarray(half))
  if (address === undefined || mask === undefined) return undefined
  const bits = [...content.subarray(half)].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return `${address}/${/^1*0*$/.test(bits) ? bits.replaceAll('0', '').length : mask}`
}

function subtrees(list: DerElement | undefined): GeneralName[] {
  return (list ? readChildren(list) : []).map((subtree) => {
    const base = new DerCursor(subtree).take()
    const value = base.tag === 0x87 && (base.content.length === 8 || base.content.length === 32) ? network(base.content) : undefined
    return value === undefined ? readGeneralName(base) : { type: 'ip', value }
  })
}

function constraints(element: DerElement): { permitted: GeneralName[]; excluded: GeneralName[] } {
  const cursor = new DerCursor(element)
  return { permitted: subtrees(cursor.takeIf(0xa0)), excluded: subtrees(cursor.takeIf(0xa1)) }
}

const sctHeader = 43 // version, log id, time, length of the extensions
const lastTime = 8_640_000_000_000_000n

/** SignedCertificateTimestampList (RFC 6962, 3.3), itself in an OCTET STRING. */
function timestamps(element: DerElement): TimestampFacts[] {
  const { content } = element
  if (element.tag !== 0x04 || content.length < 2 || content.readUInt16BE(0) !== content.length - 2) throw new DerError('a list of timestamps has another length than it says')
  const found: TimestampFacts[] = []
  for (let at = 2; at < content.length;) {
    const end = at + 2 + (at + 2 <= content.length ? content.readUInt16BE(at) : 0)
    const start = at + 2
    if (end > content.length || end - start < sctHeader) throw new DerError('a timestamp is cut off')
    const time = content.readBigUInt64BE(start + 33)
    if (time > lastTime) throw new DerError('a timestamp is beyond all dates')
    found.push({ version: content[start] ?? 0, logId: content.toString('hex', start + 1, start + 33), time: new Date(Number(time)) })
    at = end
  }
  return found
}

const features = (element: DerElement): boolean => readChildren(sequence(element)).some((feature) => feature.tag === 0x02 && feature.content.length === 1 && feature.content[0] === 5)

type Reader = (value: DerElement, into: ExtensionMembers, critical: boolean) => void

/** How each extension gets into the facts, by its dotted identifier. A reader throws DerError when the value is damaged. */
export const extensionReaders: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  [oid.subjectAltName, (value, into) => { into.alternativeNames = readAllGeneralNames(sequence(value)) }],
  [oid.basicConstraints, (value, into, critical) => { into.basicConstraints = { critical, ...basic(value) } }],
  [oid.keyUsage, (value, into, critical) => { into.keyUsage = { critical, usages: usages(value) } }],
  [oid.extendedKeyUsage, (value, into, critical) => {
    into.extendedKeyUsage = { critical, usages: readChildren(sequence(value)).map((id) => { const dotted = readOid(id); return purposeWords.get(dotted) ?? dotted }) }
  }],
  [oid.subjectKeyIdentifier, (value, into) => { into.subjectKeyId = contentHex(value) }],
  [oid.authorityKeyIdentifier, (value, into) => { into.authorityKeyId = authority(value) }],
  [oid.authorityInfoAccess, access],
  [oid.crlDistributionPoints, (value, into) => { into.crlUrls = listUrls(value) }],
  [oid.freshestCrl, (value, into) => { into.freshestCrlUrls = listUrls(value) }],
  [oid.certificatePolicies, (value, into) => { into.policies = policies(value) }],
  [oid.nameConstraints, (value, into, critical) => { into.nameConstraints = { critical, ...constraints(value) } }],
  [oid.signedCertificateTimestamps, (value, into) => { into.timestamps = timestamps(value) }],
  [oid.tlsFeature, (value, into) => { into.mustStaple = features(value) }],
  [oid.ocspNoCheck, (_value, into) => { into.ocspNoCheck = true }],
  [oid.precertificatePoison, (_value, into) => { into.isPrecertificate = true }],
])

/** Known to chain checking and to readers, though the facts have no member for them. */
const alsoKnown = new Set<string>(['2.5.29.33', '2.5.29.36', '2.5.29.54', '2.5.29.18', '2.5.29.16', '2.5.29.9', '1.3.6.1.5.5.7.1.11', '2.16.840.1.113730.1.1', '1.3.6.1.5.5.7.1.3'])
export const isKnownExtension = (id: string): boolean => extensionReaders.has(id) || alsoKnown.has(id)
