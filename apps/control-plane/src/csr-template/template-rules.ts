import { isIP } from 'node:net'
import { CertloopError, subjectPartNames, subjectPartsOf, subjectTypes, type CsrTemplateRules, type KeyAlgorithm, type SubjectAttributes, type SubjectPartName } from '@certloop/contract'
import { checkNames, purposes, subjectName } from '@certloop/pki'

/** What does not fit, at the path of its field: "csr/names". */
export interface FieldProblem { field: string; problem: string }

/** What a configuration asks for, with its template's rules still to be put upon it. */
export interface TemplateWish { names: readonly string[]; commonName: string | null; keyAlgorithm: KeyAlgorithm; keyReuse: boolean; validityDays: number | null; subject: SubjectAttributes }

const checks: readonly ((rules: CsrTemplateRules, wish: TemplateWish) => FieldProblem[])[] = [keyProblems, commonNameProblems, countProblems, nameProblems, subjectProblems, validityProblems]

/** Where a wish breaks the rules of a template, each at the field of the configuration that would have to change. Pure. */
export const templateProblems = (rules: CsrTemplateRules, wish: TemplateWish): FieldProblem[] => checks.flatMap((check) => check(rules, wish))

function keyProblems({ keyAlgorithm, allowedKeyAlgorithms, keyReuse }: CsrTemplateRules, wish: TemplateWish): FieldProblem[] {
  const allowed = keyAlgorithm === null ? allowedKeyAlgorithms : [keyAlgorithm, ...allowedKeyAlgorithms]
  const isAllowed = allowed.length === 0 || allowed.includes(wish.keyAlgorithm)
  return [
    ...(isAllowed ? [] : [{ field: 'csr/keyAlgorithm', problem: `the template allows ${[...new Set(allowed)].join(', ')}` }]),
    ...(keyReuse === 'never' && wish.keyReuse ? [{ field: 'csr/keyReuse', problem: 'the template wants a new key each time' }] : []),
  ]
}

function commonNameProblems({ names: { commonName: rule } }: CsrTemplateRules, { commonName }: TemplateWish): FieldProblem[] {
  if (rule === 'required' && commonName === null) return [{ field: 'csr/commonName', problem: 'the template asks for one' }]
  return rule === 'none' && commonName !== null ? [{ field: 'csr/commonName', problem: 'the template has none; leave it empty' }] : []
}

function countProblems({ names: { required, most } }: CsrTemplateRules, { names }: TemplateWish): FieldProblem[] {
  if (names.length < required) return [{ field: 'csr/names', problem: `the template asks for at least ${required}` }]
  return names.length > most ? [{ field: 'csr/names', problem: `the template allows at most ${most}, there are ${names.length}` }] : []
}

const belongsTo = (name: string, domain: string): boolean => {
  const host = name.replace(/^\*\./, '')
  return host === domain || host.endsWith(`.${domain}`)
}

function nameProblems({ names: { allowed, wildcards, addresses } }: CsrTemplateRules, { names }: TemplateWish): FieldProblem[] {
  return names.flatMap((name) => {
    const say = (problem: string) => [{ field: 'csr/names', problem: `${JSON.stringify(name)} ${problem}` }]
    if (isIP(name) !== 0) return addresses ? [] : say('is an IP address, which the template does not allow')
    if (name.startsWith('*.') && !wildcards) return say('is a wildcard, which the template does not allow')
    return allowed.length === 0 || allowed.some((domain) => belongsTo(name, domain.toLowerCase())) ? [] : say(`belongs to none of the domains of the template: ${allowed.join(', ')}`)
  })
}

/** The fixed parts of the template, and what the configuration adds. */
export const subjectWith = (rules: Pick<CsrTemplateRules, 'subject'>, given: SubjectAttributes): SubjectAttributes => ({ ...given, ...rules.subject })

function subjectProblems(rules: CsrTemplateRules, { subject }: TemplateWish): FieldProblem[] {
  const whole = subjectWith(rules, subject)
  return subjectPartNames.flatMap((name) => {
    const fixed = rules.subject[name]
    if (fixed !== undefined && subject[name] !== undefined && subject[name] !== fixed) return [{ field: `csr/subject/${name}`, problem: `the template has it fixed as ${JSON.stringify(fixed)}; leave it empty` }]
    return rules.requiredSubject.includes(name) && whole[name] === undefined ? [{ field: `csr/subject/${name}`, problem: 'the template asks for it' }] : []
  })
}

function validityProblems({ longestValidityDays: longest }: CsrTemplateRules, { validityDays }: TemplateWish): FieldProblem[] {
  return longest !== null && validityDays !== null && validityDays > longest ? [{ field: 'csr/validityDays', problem: `the template allows at most ${longest}` }] : []
}

/** Whether each value is one that a certificate can hold. @param at the path of the subject */
export function subjectValueProblems(subject: SubjectAttributes, at: string): FieldProblem[] {
  const given = subjectPartNames.filter((name) => subject[name] !== undefined)
  try {
    subjectName(subjectPartsOf(subject))
    return []
  } catch (error) {
    if (!(error instanceof CertloopError)) throw error
    return [...error.facts['fields'] as readonly string[] ?? []].map((line) => {
      const [, index = '', problem = line] = /^subject\[(\d+)\]: (.*)$/.exec(line) ?? []
      return { field: `${at}/${given[Number(index)] ?? ''}`, problem }
    })
  }
}

const isOid = (text: string) => /^[0-2](\.(0|[1-9]\d{0,9})){1,30}$/.test(text)
const isSubjectPart = (name: string): name is SubjectPartName => Object.hasOwn(subjectTypes, name)

/** Where rules contradict themselves or name what there is not. Pure. */
export function rulesProblems(rules: CsrTemplateRules): FieldProblem[] {
  const { keyAlgorithm, allowedKeyAlgorithms, names, requiredSubject, extendedKeyUsages } = rules
  const twice = (values: readonly string[], field: string) => (new Set(values).size < values.length ? [{ field, problem: 'has the same one twice' }] : [])
  return [
    ...(keyAlgorithm !== null && allowedKeyAlgorithms.length > 0 && !allowedKeyAlgorithms.includes(keyAlgorithm) ? [{ field: 'rules/allowedKeyAlgorithms', problem: `lacks ${keyAlgorithm}, which the template itself takes` }] : []),
    ...(names.most < names.required ? [{ field: 'rules/names/most', problem: `is less than the ${names.required} that are required` }] : []),
    ...names.allowed.flatMap((domain, i) => (isDomain(domain) ? [] : [{ field: `rules/names/allowed/${i}`, problem: `${JSON.stringify(domain)} is no domain such as example.com` }])),
    ...requiredSubject.flatMap((name, i) => (isSubjectPart(name) ? [] : [{ field: `rules/requiredSubject/${i}`, problem: `there is no part ${JSON.stringify(name)}; there are ${subjectPartNames.join(', ')}` }])),
    ...extendedKeyUsages.flatMap((usage, i) => (Object.hasOwn(purposes, usage) || isOid(usage) ? [] : [{ field: `rules/extendedKeyUsages/${i}`, problem: `${JSON.stringify(usage)} is neither one of ${Object.keys(purposes).join(', ')} nor a dotted identifier` }])),
    ...subjectValueProblems(rules.subject, 'rules/subject'),
    ...twice(rules.keyUsages, 'rules/keyUsages'), ...twice(extendedKeyUsages, 'rules/extendedKeyUsages'), ...twice(allowedKeyAlgorithms, 'rules/allowedKeyAlgorithms'),
  ]
}

function isDomain(domain: string): boolean {
  if (isIP(domain) !== 0 || domain.startsWith('*.')) return false
  // One label alone is a domain too: that of a private network.
  if (/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i.test(domain)) return true
  try {
    return checkNames([domain])[0] === domain.toLowerCase()
  } catch (error) {
    if (error instanceof CertloopError) return false
    throw error
  }
}
