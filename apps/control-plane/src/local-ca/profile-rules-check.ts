import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { checkNames, purposes } from '@certloop/pki'
import { isInNetwork } from './network.ts'
import type { ProfileRules } from './profiles.ts'
import { checkPublicRules } from './public-rules.ts'

const isOid = (text: string) => /^[0-2](\.(0|[1-9]\d{0,9})){1,30}$/.test(text)

/** Lines "field: problem" where rules contradict themselves or, in public style, the Baseline Requirements. */
export function checkRules(rules: ProfileRules): string[] {
  return [...consistency(rules), ...responderRules(rules), ...rangeRules(rules), ...(rules.style === 'public' ? checkPublicRules(rules) : [])]
}

function consistency(rules: ProfileRules): string[] {
  const isCa = rules.kind === 'ca'
  return [
    ...(rules.defaultValidityDays > rules.maximumValidityDays ? ['defaultValidityDays: is more than the maximum'] : []),
    ...rules.policies.filter((policy) => !isOid(policy)).map((policy) => `policies: ${JSON.stringify(policy)} is no dotted identifier`),
    ...rules.extendedKeyUsage.filter((usage) => !Object.hasOwn(purposes, usage) && !isOid(usage)).map((usage) => `extendedKeyUsage: ${JSON.stringify(usage)} is neither a known usage nor a dotted identifier`),
    ...(isCa !== rules.keyUsage.includes('keyCertSign') ? [`keyUsage: keyCertSign ${isCa ? 'is needed for a CA' : 'is for CAs alone'}`] : []),
    ...(rules.names.required && rules.names.types.length === 0 ? ['names.types: names are required and no kind is allowed'] : []),
    ...(rules.names.maximum === 0 && rules.names.required ? ['names.maximum: names are required'] : []),
    ...rules.requiredAttributes.filter((type) => !rules.subjectAttributes.includes(type)).map((type) => `requiredAttributes: ${type} is required and not allowed`),
    ...(!isCa && rules.pathLength !== null ? ['pathLength: is for CAs alone'] : []),
  ]
}

/** Retired and revoked issuers still certify their responders, so such a certificate is good for nothing else. */
function responderRules({ kind, extendedKeyUsage, keyUsage, names }: ProfileRules): string[] {
  if (kind !== 'ocsp-responder') return []
  return [
    ...(extendedKeyUsage.length === 1 && extendedKeyUsage[0] === 'ocspSigning' ? [] : ['extendedKeyUsage: a responder needs ocspSigning, and nothing else']),
    ...(keyUsage.every((usage) => usage === 'digitalSignature' || usage === 'nonRepudiation') ? [] : ['keyUsage: a responder signs its answers, and nothing else']),
    ...(names.maximum === 0 ? [] : ['names.maximum: a responder has none']),
  ]
}

/** A range that fits no name, for it is written otherwise than they are, would exclude nothing. */
function rangeRules({ names }: ProfileRules): string[] {
  return (['permitted', 'excluded'] as const).flatMap((field) => names[field].flatMap((range, i) => (isRange(range) ? [] : [`names.${field}[${i}]: ${JSON.stringify(range)} is neither a name in lower case, such as example.com, nor a network such as 10.0.0.0/8`])))
}

function isRange(range: string): boolean {
  if (range.includes('/')) return isInNetwork(range.split('/')[0] ?? '', range)
  // One label alone is a range too: a top-level domain.
  if (isIP(range) === 0 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(range)) return true
  try {
    return checkNames([range])[0] === range && !range.startsWith('*.')
  } catch (error) {
    if (error instanceof CertloopError) return false
    throw error
  }
}
