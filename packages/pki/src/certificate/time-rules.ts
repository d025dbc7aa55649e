import type { FindingRule } from './finding-rule.ts'
import type { CertificateFacts } from './certificate-facts.ts'
import { hasEnded } from './validity.ts'

const dayMs = 86_400_000

/** Most days that public server certificates may be valid, by the day from which they are (Baseline Requirements, 6.3.2), newest first. */
const limits: readonly { from: number; days: number }[] = [
  { from: Date.UTC(2029, 2, 15), days: 47 }, { from: Date.UTC(2027, 2, 15), days: 100 }, { from: Date.UTC(2026, 2, 15), days: 200 },
  { from: Date.UTC(2020, 8, 1), days: 398 }, { from: Date.UTC(2018, 2, 1), days: 825 },
]
/** Since then Chrome asks for timestamps of transparency logs. */
const timestampsFrom = Date.UTC(2018, 3, 30)

const isPublicLeaf = ({ isCa, validation }: CertificateFacts): boolean => !isCa && validation !== null
const day = (date: Date): string => date.toISOString().slice(0, 10)

/** Both ends belong to the lifetime, so a second is added (RFC 5280, 4.1.2.5). */
function tooLong(facts: CertificateFacts): string | undefined {
  const limit = limits.find(({ from }) => facts.notBefore.getTime() >= from)
  const lifetimeMs = facts.notAfter.getTime() - facts.notBefore.getTime() + 1000
  if (!limit || !isPublicLeaf(facts) || lifetimeMs <= limit.days * dayMs) return undefined
  return `The certificate is valid for ${Math.ceil(lifetimeMs / dayMs)} days; at its date public ones may be for ${limit.days}, and browsers refuse longer ones.`
}

function withoutTimestamps(facts: CertificateFacts): string | undefined {
  if (!isPublicLeaf(facts) || facts.isPrecertificate || facts.timestamps.length > 0 || facts.notBefore.getTime() < timestampsFrom) return undefined
  if (!(facts.extendedKeyUsage?.usages.includes('serverAuth') ?? false)) return undefined
  return 'The certificate carries no timestamps of transparency logs; browsers refuse it unless the server sends them in another way.'
}

/** What is said about dates. */
export const timeRules: readonly FindingRule[] = [
  { code: 'validity-reversed', severity: 'error', find: ({ notBefore, notAfter }) => (notAfter < notBefore ? `The certificate ends (${day(notAfter)}) before it begins (${day(notBefore)}), so it is never valid.` : undefined) },
  { code: 'validity-too-long', severity: 'error', find: tooLong },
  { code: 'timestamps-missing', severity: 'warning', find: withoutTimestamps },
  { code: 'expired', severity: 'error', find: ({ notAfter }, now) => (now && hasEnded(now, notAfter) ? `The certificate expired on ${day(notAfter)}.` : undefined) },
  { code: 'not-yet-valid', severity: 'error', find: ({ notBefore }, now) => (now && now < notBefore ? `The certificate is valid from ${day(notBefore)} only.` : undefined) },
]
