import type { ProfileRules } from './profiles.ts'

/** Longest lifetimes of public server certificates by the day of issue (Baseline Requirements, 6.3.2); one day less keeps clear of the edge. */
const publicMaximumDays = 199
const publicKeys: readonly string[] = ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-256', 'ec-384', 'ec-521']
const isOid = (text: string) => /^[0-2](\.(0|[1-9]\d{0,9})){1,30}$/.test(text)

/** Lines "field: problem" where rules contradict themselves or, in public style, the Baseline Requirements. */
export function checkRules(rules: ProfileRules): string[] {
  return [...consistency(rules), ...(rules.style === 'public' ? publicStyle(rules) : [])]
}

function consistency(rules: ProfileRules): string[] {
  const isCa = rules.kind === 'ca'
  return [
    ...(rules.defaultValidityDays > rules.maximumValidityDays ? ['defaultValidityDays: is more than the maximum'] : []),
    ...rules.policies.filter((policy) => !isOid(policy)).map((policy) => `policies: ${JSON.stringify(policy)} is no dotted identifier`),
    ...(isCa !== rules.keyUsage.includes('keyCertSign') ? [`keyUsage: keyCertSign ${isCa ? 'is needed for a CA' : 'is for CAs alone'}`] : []),
    ...(rules.kind === 'ocsp-responder' && !rules.extendedKeyUsage.includes('ocspSigning') ? ['extendedKeyUsage: a responder needs ocspSigning'] : []),
    ...(rules.names.required && rules.names.types.length === 0 ? ['names.types: names are required and no kind is allowed'] : []),
    ...(rules.names.maximum === 0 && rules.names.required ? ['names.maximum: names are required'] : []),
    ...rules.requiredAttributes.filter((type) => !rules.subjectAttributes.includes(type)).map((type) => `requiredAttributes: ${type} is required and not allowed`),
    ...(!isCa && rules.pathLength !== null ? ['pathLength: is for CAs alone'] : []),
  ]
}

function publicStyle(rules: ProfileRules): string[] {
  const common = [
    ...rules.keyAlgorithms.filter((algorithm) => !publicKeys.includes(algorithm)).map((algorithm) => `keyAlgorithms: ${algorithm} is not allowed to public authorities`),
    ...(rules.policies.some((policy) => policy.startsWith('2.23.140.1.2.') || policy === '2.23.140.1.1') ? [] : ['policies: one of 2.23.140.1.2.1, .2, .3 or 2.23.140.1.1 is needed']),
    ...(rules.extendedKeyUsage.includes('serverAuth') ? [] : ['extendedKeyUsage: serverAuth is needed']),
  ]
  if (rules.kind !== 'end-entity') return common
  return [
    ...common,
    ...(rules.maximumValidityDays > publicMaximumDays ? [`maximumValidityDays: at most ${publicMaximumDays}`] : []),
    ...(rules.names.required ? [] : ['names.required: at least one name is needed']),
    ...(rules.names.types.some((type) => type !== 'dns' && type !== 'ip') ? ['names.types: only DNS names and IP addresses'] : []),
    ...(rules.keyUsage.some((usage) => usage !== 'digitalSignature' && usage !== 'keyEncipherment') ? ['keyUsage: only digitalSignature and keyEncipherment'] : []),
  ]
}
