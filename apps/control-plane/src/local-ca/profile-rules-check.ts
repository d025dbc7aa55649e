import type { ProfileRules } from './profiles.ts'
import { checkPublicRules } from './public-rules.ts'

const isOid = (text: string) => /^[0-2](\.(0|[1-9]\d{0,9})){1,30}$/.test(text)

/** Lines "field: problem" where rules contradict themselves or, in public style, the Baseline Requirements. */
export function checkRules(rules: ProfileRules): string[] {
  return [...consistency(rules), ...(rules.style === 'public' ? checkPublicRules(rules) : [])]
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
