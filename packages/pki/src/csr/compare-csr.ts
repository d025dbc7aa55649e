import type { KeyUsage } from '../certificate/extensions.ts'
import { readElement } from '../der/der-reader.ts'
import { nameKey, normalGeneralName } from '../name/check-general-names.ts'
import { nameText, readName, type NameAttribute } from '../name/distinguished-name.ts'
import { hostName, type GeneralName } from '../name/general-names.ts'
import { shown } from '../name/problems.ts'
import { subjectName, withCommonName, type SubjectPart } from '../name/subject.ts'
import type { CsrFacts } from './csr.ts'

/** What was asked for and allowed. A member left out is not compared. */
export interface WantedCsr {
  /** Compared with the common name alone; not needed beside `subject`. */
  commonName?: string | null
  /** Attributes in order, the common name among them or in `commonName`. */
  subject?: readonly SubjectPart[]
  /** DNS names and IP addresses. Given without `alternativeNames`, names of every other kind are too many. */
  names?: readonly string[]
  /** Names of any kind, together with `names`. */
  alternativeNames?: readonly GeneralName[]
  keyAlgorithm?: string
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  spkiDigest?: string
  keyUsage?: readonly KeyUsage[]
  /** "serverAuth", …, or dotted identifiers. */
  extendedKeyUsage?: readonly string[]
  mustStaple?: boolean
  /** null: a certificate of an end entity. */
  certificateAuthority?: { pathLength: number | null } | null
}

export interface CsrDifference {
  field: 'subject' | 'commonName' | 'names' | 'keyAlgorithm' | 'publicKey' | 'keyUsage' | 'extendedKeyUsage' | 'mustStaple' | 'basicConstraints'
  /** too-many: the request asks for what nobody wanted; missing: it leaves out what was wanted. */
  kind: 'too-many' | 'missing' | 'different'
  message: string
}

/**
 * Where a request differs from what was asked and allowed, in any order of names and usages. Requests may be silent
 * on usages and leave them to the authority: a caller that grants them by profile passes over the kind "missing".
 * @throws CertloopError NAME_INVALID when the wanted subject is not valid
 */
export function compareCsr(csr: CsrFacts, wanted: WantedCsr): CsrDifference[] {
  return [
    ...compareSubject(csr, wanted),
    ...compareNames(csr, wanted),
    ...compareKey(csr, wanted),
    ...compareWords('keyUsage', 'key usage', csr.keyUsage?.usages ?? [], wanted.keyUsage),
    ...compareWords('extendedKeyUsage', 'extended key usage', csr.extendedKeyUsage?.usages ?? [], wanted.extendedKeyUsage),
    ...compareStaple(csr, wanted),
    ...compareAuthority(csr, wanted),
  ]
}

const shownOrNone = (text: string | null): string => (text === null ? 'none' : shown(text))

function compareSubject(csr: CsrFacts, { commonName, subject }: WantedCsr): CsrDifference[] {
  if (subject === undefined) {
    if (commonName === undefined || csr.commonName === commonName) return []
    const kind = commonName === null ? 'too-many' : csr.commonName === null ? 'missing' : 'different'
    return [{ field: 'commonName', kind, message: `The common name is ${shownOrNone(csr.commonName)}; wanted was ${shownOrNone(commonName)}.` }]
  }
  const wanted = readName(readElement(subjectName(withCommonName(subject, commonName ?? null))))
  if (nameText(wanted) === nameText(csr.subjectAttributes)) return []
  const [extra, missing] = leftOver(csr.subjectAttributes.flat(), wanted.flat())
  const differences: CsrDifference[] = [
    ...extra.map((text) => ({ field: 'subject' as const, kind: 'too-many' as const, message: `The subject has ${shown(text)}, which was not wanted.` })),
    ...missing.map((text) => ({ field: 'subject' as const, kind: 'missing' as const, message: `The subject lacks ${shown(text)}.` })),
  ]
  if (differences.length > 0) return differences
  return [{ field: 'subject', kind: 'different', message: `The subject has its attributes in another order: ${shown(csr.subject)}; wanted was ${shown(nameText(wanted))}.` }]
}

/** What either list has that the other has not, each as often as it is over. */
function leftOver(one: readonly NameAttribute[], other: readonly NameAttribute[]): [string[], string[]] {
  const text = ({ type, value }: NameAttribute) => `${type}=${value}`
  const counts = new Map<string, number>()
  for (const attribute of other) counts.set(text(attribute), (counts.get(text(attribute)) ?? 0) + 1)
  const extra: string[] = []
  for (const attribute of one) {
    const left = counts.get(text(attribute)) ?? 0
    if (left === 0) extra.push(text(attribute))
    else counts.set(text(attribute), left - 1)
  }
  return [extra, [...counts].flatMap(([value, count]) => Array.from({ length: count }, () => value))]
}

function compareNames(csr: CsrFacts, { names, alternativeNames }: WantedCsr): CsrDifference[] {
  if (names === undefined && alternativeNames === undefined) return []
  const found = byNormalForm(csr.alternativeNames)
  const wanted = byNormalForm([...(names ?? []).map(hostName), ...(alternativeNames ?? [])])
  return [
    ...[...found].filter(([key]) => !wanted.has(key)).map(([, name]) => ({ field: 'names' as const, kind: 'too-many' as const, message: `${nameWords(name)} is in the request, but was not wanted.` })),
    ...[...wanted].filter(([key]) => !found.has(key)).map(([, name]) => ({ field: 'names' as const, kind: 'missing' as const, message: `${nameWords(name)} is missing from the request.` })),
  ]
}

/** Names that are not valid stand for themselves: the other side can't have them, or has them just so. */
const byNormalForm = (names: readonly GeneralName[]): Map<string, GeneralName> => new Map(names.map((name) => {
  const outcome = normalGeneralName(name)
  return [nameKey('problem' in outcome ? name : outcome), name]
}))

const kinds: Record<GeneralName['type'], string> = {
  'dns': 'The DNS name', 'ip': 'The IP address', 'email': 'The e-mail address', 'uri': 'The URI', 'upn': 'The user principal name',
  'directory': 'The directory name', 'registered-id': 'The registered identifier', 'other': 'The other name',
}
const nameWords = (name: GeneralName): string => `${kinds[name.type]} ${shown(name.value)}${name.type === 'other' && name.oid !== null ? ` of the kind ${name.oid}` : ''}`

function compareKey(csr: CsrFacts, { keyAlgorithm, spkiDigest }: WantedCsr): CsrDifference[] {
  const differences: CsrDifference[] = []
  if (keyAlgorithm !== undefined && csr.keyAlgorithm !== keyAlgorithm) {
    differences.push({ field: 'keyAlgorithm', kind: 'different', message: `The key is of the kind ${csr.keyAlgorithm}; wanted was ${keyAlgorithm}.` })
  }
  if (spkiDigest !== undefined && csr.spkiDigest !== spkiDigest) {
    differences.push({ field: 'publicKey', kind: 'different', message: `The key is another one: its digest is ${csr.spkiDigest}; wanted was ${spkiDigest}.` })
  }
  return differences
}

function compareWords(field: 'keyUsage' | 'extendedKeyUsage', words: string, found: readonly string[], wanted: readonly string[] | undefined): CsrDifference[] {
  if (wanted === undefined) return []
  return [
    ...[...new Set(found)].filter((usage) => !wanted.includes(usage)).map((usage) => ({ field, kind: 'too-many' as const, message: `The request asks for the ${words} ${usage}, which was not wanted.` })),
    ...wanted.filter((usage) => !found.includes(usage)).map((usage) => ({ field, kind: 'missing' as const, message: `The request does not ask for the ${words} ${usage}.` })),
  ]
}

function compareStaple(csr: CsrFacts, { mustStaple }: WantedCsr): CsrDifference[] {
  if (mustStaple === undefined || csr.mustStaple === mustStaple) return []
  return [mustStaple
    ? { field: 'mustStaple', kind: 'missing', message: 'The request does not ask for must-staple.' }
    : { field: 'mustStaple', kind: 'too-many', message: 'The request asks for must-staple, which was not wanted.' }]
}

function compareAuthority(csr: CsrFacts, { certificateAuthority: wanted }: WantedCsr): CsrDifference[] {
  if (wanted === undefined) return []
  const found = csr.basicConstraints?.isCa ? csr.basicConstraints : null
  const field = 'basicConstraints'
  if (wanted === null) return found ? [{ field, kind: 'too-many', message: 'The request asks for the certificate of a certificate authority, which was not wanted.' }] : []
  if (!found) return [{ field, kind: 'missing', message: 'The request does not ask for the certificate of a certificate authority.' }]
  if (found.pathLength === wanted.pathLength) return []
  return [{ field, kind: 'different', message: `The path length is ${found.pathLength ?? 'not limited'}; wanted was ${wanted.pathLength ?? 'no limit'}.` }]
}
