import type { ProfileRules } from './profiles.ts'

// What the Baseline Requirements ask of profiles; numbers in brackets are their sections.

interface SubjectRule { allowed: readonly string[]; required: readonly string[]; /** Of these one has to be there. */ place: boolean; hostsOnly?: true }
const address = ['C', 'ST', 'L', 'postalCode', 'street']
/** Subjects by the policy that names the kind of validation (7.1.2.7.2 to 7.1.2.7.5). */
const subjectRules: Record<string, SubjectRule> = {
  '2.23.140.1.2.1': { allowed: ['C'], required: [], place: false },
  '2.23.140.1.2.2': { allowed: [...address, 'O'], required: ['C', 'O'], place: true },
  '2.23.140.1.2.3': { allowed: [...address, 'O', 'SN', 'GN'], required: ['C', 'SN', 'GN'], place: true },
  '2.23.140.1.1': { allowed: [...address, 'O', 'businessCategory', 'serialNumber', 'jurisdictionC', 'jurisdictionST', 'jurisdictionL'], required: ['C', 'O', 'businessCategory', 'serialNumber', 'jurisdictionC'], place: true, hostsOnly: true },
}
const reservedPolicies = Object.keys(subjectRules)
const anyPolicy = '2.5.29.32.0'
const caAttributes = [...address, 'O']

/** Lifetimes of public server certificates (6.3.2): 200 days from March 2026; one less keeps clear of the edge. */
const publicMaximumDays = 199
export const publicKeys: readonly string[] = ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-256', 'ec-384', 'ec-521']

/** Lines "field: problem" where the rules of a profile of public style are not those of the Requirements. */
export function checkPublicRules(rules: ProfileRules): string[] {
  const common = [
    ...rules.keyAlgorithms.filter((algorithm) => !publicKeys.includes(algorithm)).map((algorithm) => `keyAlgorithms: ${algorithm} is not allowed to public authorities`),
    ...(rules.extendedKeyUsage.includes('serverAuth') ? [] : ['extendedKeyUsage: serverAuth is needed']),
    ...rules.extendedKeyUsage.filter((usage) => usage !== 'serverAuth' && usage !== 'clientAuth').map((usage) => `extendedKeyUsage: ${usage} is not allowed beside serverAuth`),
  ]
  if (rules.kind === 'ca') return [...common, ...caRules(rules)]
  return rules.kind === 'end-entity' ? [...common, ...serverRules(rules)] : ['kind: the responder of a public issuer has the built-in profile']
}

/** 7.1.2.6. */
function caRules({ policies, backdateMinutes, subjectAttributes, requiredAttributes, commonName, keyUsage, names, mustStaple }: ProfileRules): string[] {
  const reserved = policies.filter((policy) => reservedPolicies.includes(policy))
  return [
    ...(reserved.length === 1 || (policies.length === 1 && policies[0] === anyPolicy) ? [] : [`policies: just one of ${reservedPolicies.join(', ')}, or ${anyPolicy} alone, is needed`]),
    ...(reserved.length > 0 && policies.includes(anyPolicy) ? [`policies: ${anyPolicy} stands alone`] : []),
    ...(backdateMinutes > 1440 ? ['backdateMinutes: at most 1440 for a CA'] : []),
    ...notAllowed(subjectAttributes, caAttributes),
    ...['C', 'O'].filter((type) => !requiredAttributes.includes(type)).map((type) => `requiredAttributes: ${type} is needed`),
    ...(commonName === 'required' ? [] : ['commonName: is required of a CA']),
    ...(keyUsage.includes('keyCertSign') && keyUsage.includes('cRLSign') ? [] : ['keyUsage: keyCertSign and cRLSign are needed']),
    ...keyUsage.filter((usage) => !['keyCertSign', 'cRLSign', 'digitalSignature'].includes(usage)).map((usage) => `keyUsage: ${usage} is not for CAs`),
    ...(names.maximum > 0 ? ['names.maximum: a CA has none'] : []),
    ...(mustStaple === 'never' ? [] : ['mustStaple: is not for CAs']),
  ]
}

const notAllowed = (types: readonly string[], allowed: readonly string[]) => types.filter((type) => !allowed.includes(type)).map((type) => `subjectAttributes: ${type} is not allowed`)

/** 7.1.2.7. */
const serverRules = (rules: ProfileRules): string[] => [...serverFields(rules), ...validationRules(rules)]

function serverFields({ maximumValidityDays, names, keyUsage }: ProfileRules): string[] {
  return [
    ...(maximumValidityDays > publicMaximumDays ? [`maximumValidityDays: at most ${publicMaximumDays}`] : []),
    ...(names.required ? [] : ['names.required: at least one name is needed']),
    ...(names.types.some((type) => type !== 'dns' && type !== 'ip') ? ['names.types: only DNS names and IP addresses'] : []),
    ...(keyUsage.includes('digitalSignature') ? [] : ['keyUsage: digitalSignature is needed']),
    ...(keyUsage.some((usage) => usage !== 'digitalSignature' && usage !== 'keyEncipherment') ? ['keyUsage: only digitalSignature and keyEncipherment'] : []),
  ]
}

/** The policy names the kind of validation, and with it what the subject has to say. */
function validationRules(rules: ProfileRules): string[] {
  const { policies, names } = rules
  const reserved = policies.filter((policy) => reservedPolicies.includes(policy))
  const subject = subjectRules[reserved[0] ?? '']
  return [
    ...(reserved.length === 1 && policies[0] === reserved[0] ? [] : [`policies: the first, and only it, has to be one of ${reservedPolicies.join(', ')}`]),
    ...(policies.includes(anyPolicy) ? [`policies: ${anyPolicy} is for CAs alone`] : []),
    ...(subject ? subjectsOf(subject, rules) : []),
    ...(subject?.hostsOnly && (names.wildcards || names.types.includes('ip')) ? ['names: extended validation has neither wildcards nor IP addresses'] : []),
  ]
}

function subjectsOf(rule: SubjectRule, { subjectAttributes, requiredAttributes }: Pick<ProfileRules, 'subjectAttributes' | 'requiredAttributes'>): string[] {
  return [
    ...notAllowed(subjectAttributes, rule.allowed),
    ...rule.required.filter((type) => !requiredAttributes.includes(type)).map((type) => `requiredAttributes: ${type} is needed by the policy`),
    ...(rule.place && !requiredAttributes.includes('L') && !requiredAttributes.includes('ST') ? ['requiredAttributes: L or ST is needed by the policy'] : []),
  ]
}
