import { CertloopError } from '@certloop/contract'
import { element, objectIdentifier, sequence, setOf } from '../der/der-writer.ts'
import { oid } from '../oids.ts'
import { attributeOid, attributeRule, type AttributeRule } from './attribute-types.ts'
import { oneOrMany } from './problems.ts'

/** One attribute of a subject as a person gives it. */
export interface SubjectAttribute {
  /** "CN", "O", "OU", "C", …, their long names ("commonName"), or a dotted identifier. */
  type: string
  value: string
}
/** One relative distinguished name: an attribute, or several that stand side by side ("CN=x+UID=y"). */
export type SubjectPart = SubjectAttribute | readonly SubjectAttribute[]

const maxAttributes = 200
const tags = { utf8: 0x0c, printable: 0x13, ia5: 0x16 } as const

/**
 * A Name, DER, of attributes in the order in which they are to be written (usually from country to common name).
 * Countries, serial numbers, qualifiers and telephone numbers are PrintableString, e-mail addresses and domain
 * components IA5String, all else UTF8String (RFC 5280, 4.1.2.4 and A.1).
 * @throws CertloopError NAME_INVALID, whose fact `fields` has one line "subject[2]: problem" per bad attribute
 *   ("subject[2][0]" within several side by side)
 */
export function subjectName(parts: readonly SubjectPart[]): Buffer {
  const problems = subjectProblems(parts)
  if (problems.length > 0) {
    throw new CertloopError('NAME_INVALID', `${oneOrMany(problems, `${problems.length} attributes of the subject are not valid`)}.`, { fields: problems })
  }
  return sequence(...parts.map((part) => setOf(...attributesOf(part).map(encoded))))
}

/** What is wrong with a subject, one line "subject[2]: problem" each; empty when nothing is. */
export function subjectProblems(parts: readonly SubjectPart[]): string[] {
  const count = parts.reduce((sum, part) => sum + attributesOf(part).length, 0)
  if (count > maxAttributes) return [`subject: has ${count} attributes; at most ${maxAttributes} are possible`]
  return parts.flatMap((part, index) => {
    if (!isSeveral(part)) return problemLine(`subject[${index}]`, part)
    if (part.length === 0) return [`subject[${index}]: is empty`]
    const twice = new Set(part.map(({ type }) => attributeOid(type) ?? type)).size < part.length
    if (twice) return [`subject[${index}]: has the same attribute twice side by side`]
    return part.flatMap((attribute, inner) => problemLine(`subject[${index}][${inner}]`, attribute))
  })
}

const isSeveral = (part: SubjectPart): part is readonly SubjectAttribute[] => Array.isArray(part)
/** The attributes of one part. */
const attributesOf = (part: SubjectPart): readonly SubjectAttribute[] => (isSeveral(part) ? part : [part])

function problemLine(where: string, { type, value }: SubjectAttribute): string[] {
  const id = attributeOid(type)
  if (id === undefined) return [`${where}: ${JSON.stringify(type.slice(0, 60))} is not a known attribute; give CN, O, OU, … or a dotted identifier`]
  const problem = problemOfValue(value, attributeRule(id))
  return problem === undefined ? [] : [`${where}: ${type} ${problem}`]
}

function problemOfValue(value: string, { text, max, country }: AttributeRule): string | undefined {
  if (value === '') return 'is empty'
  if (country && !/^[A-Za-z]{2}$/.test(value)) return 'has to be a country code of two letters, such as DE'
  // UTF-16 has at most two units per character, so the characters of a far too long value need not be counted.
  if (value.length > 2 * max || [...value].length > max) return `is longer than ${max} characters`
  if (!value.isWellFormed()) return 'contains half a character'
  // oxlint-disable-next-line no-control-regex -- control characters are refused here
  if (/[\u0000-\u001f\u007f-\u009f]/.test(value)) return 'contains a control character'
  if (text === 'printable' && !isPrintable(value)) return 'may only have letters, digits, space and \' ( ) + , - . / : = ?'
  if (text === 'ia5' && !/^[\x20-\x7e]*$/.test(value)) return 'may only have ASCII characters'
  return undefined
}

/** Whether a text can be a PrintableString (X.680, 41.4). */
export const isPrintable = (text: string): boolean => /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)

function encoded({ type, value }: SubjectAttribute): Buffer {
  const id = attributeOid(type) ?? ''
  const { text, country } = attributeRule(id)
  return sequence(objectIdentifier(id), element(tags[text], Buffer.from(country ? value.toUpperCase() : value, 'utf8')))
}

/** The subject with the common name in it: as its last part where it has none yet. @throws CertloopError NAME_INVALID when it has another one */
export function withCommonName(parts: readonly SubjectPart[], commonName: string | null): readonly SubjectPart[] {
  if (commonName === null) return parts
  const own = parts.flatMap(attributesOf).filter(({ type }) => attributeOid(type) === oid.commonName)
  if (own.length === 0) return [...parts, { type: 'CN', value: commonName }]
  if (own.some(({ value }) => value === commonName)) return parts
  throw new CertloopError('NAME_INVALID', 'The common name is not the one in the subject.', { fields: ['commonName: is not the one in the subject'] })
}
