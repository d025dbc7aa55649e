import type { CertificateFacts, OddityCode } from './certificate-facts.ts'
import { rule, type CertificateFinding, type FindingRule, type FindingSeverity } from './finding-rule.ts'
import { keyRules } from './key-rules.ts'
import { nameRules } from './name-rules.ts'
import { timeRules } from './time-rules.ts'

const oddityRule = (code: OddityCode, severity: FindingSeverity, say: (details: string) => string): FindingRule => ({
  code, severity, find: ({ oddities }) => {
    const details = oddities.filter((oddity) => oddity.code === code).map(({ detail }) => detail)
    return details.length === 0 ? undefined : say(details.slice(0, 5).join('; '))
  },
})

const repeated = ({ extensions }: CertificateFacts): string[] => {
  const seen = new Set<string>()
  return extensions.filter(({ oid }) => { const again = seen.has(oid); seen.add(oid); return again }).map(({ oid }) => oid)
}
const listed = (items: readonly string[]): string => `${items.slice(0, 5).join(', ')}${items.length > 5 ? ` and ${items.length - 5} more` : ''}`
const missing = (items: readonly string[], say: (text: string) => string): string | undefined => (items.length === 0 ? undefined : say(listed(items)))

const maxSerialBytes = 20
/** Octets of the INTEGER: one more where the first bit would be read as a sign. */
const serialBytes = (serial: string): number => Math.floor(serial.length / 2) + (/^[89a-f]/.test(serial) && serial.length % 2 === 0 ? 1 : 0)

const encodingRules: readonly FindingRule[] = [
  rule('serial-negative', 'warning', ({ serialNumber }) => serialNumber.startsWith('-'), 'The serial number is negative; some programs refuse such a certificate.'),
  rule('serial-zero', 'warning', ({ serialNumber }) => serialNumber === '00', 'The serial number is zero, so it does not tell this certificate from others of the issuer.'),
  rule('serial-too-long', 'warning', ({ serialNumber }) => serialBytes(serialNumber) > maxSerialBytes, 'The serial number is longer than 20 bytes; some programs refuse such a certificate.'),
  rule('version-old', 'notice', ({ version, extensions }) => (version === 1 || version === 2) && extensions.length === 0, 'The certificate is of an X.509 version without extensions: it can not carry alternative names, usages or whether it is a CA.'),
  rule('version-unknown', 'error', ({ version }) => version < 1 || version > 3, 'The certificate is of a version that does not exist.'),
  rule('extensions-in-old-version', 'error', ({ version, extensions }) => version < 3 && extensions.length > 0, 'The certificate has extensions but is not of version 3; many programs refuse it.'),
  { code: 'extension-repeated', severity: 'error', find: (facts) => missing(repeated(facts), (list) => `An extension is there twice (${list}); programs refuse it or go by different ones.`) },
  { code: 'critical-extension-unknown', severity: 'error', find: ({ unknownCritical }) => missing(unknownCritical, (list) => `An extension is critical that is not known here (${list}); programs that do not know it have to refuse the certificate.`) },
  oddityRule('algorithms-differ', 'error', () => 'The signature algorithm named inside is not the one named outside; programs refuse such a certificate.'),
  oddityRule('extension-damaged', 'error', (details) => `An extension can not be read (${details}).`),
  oddityRule('trailing-bytes', 'warning', (details) => `There is more than the certificate: ${details}.`),
  oddityRule('length-not-minimal', 'warning', (details) => `A length is written in more bytes than DER allows (${details}); strict programs refuse the certificate.`),
  oddityRule('serial-not-minimal', 'warning', () => 'The serial number is written in more bytes than DER allows; strict programs refuse the certificate.'),
  oddityRule('string-type-old', 'notice', (details) => `A name is written as ${details}, a type that new certificates do not use.`),
  oddityRule('time-form', 'warning', (details) => `A date is not in the form that RFC 5280 asks for (${details}).`),
]

const hasUsage = (facts: CertificateFacts, usage: 'keyCertSign'): boolean => facts.keyUsage?.usages.includes(usage) ?? false

const roleRules: readonly FindingRule[] = [
  rule('ca-without-key-usage', 'warning', (facts) => facts.isCa && facts.keyUsage === null, 'The certificate of a CA does not say what its key may be used for.'),
  rule('ca-may-not-sign', 'error', (facts) => facts.isCa && facts.keyUsage !== null && !hasUsage(facts, 'keyCertSign'), 'The certificate is one of a CA, but its key usage does not let it sign certificates.'),
  rule('signs-without-ca', 'warning', (facts) => !facts.isCa && hasUsage(facts, 'keyCertSign') && facts.version === 3, 'The key usage lets the key sign certificates, though this is not the certificate of a CA.'),
  rule('basic-constraints-not-critical', 'warning', ({ basicConstraints }) => basicConstraints?.isCa === true && !basicConstraints.critical, 'The basic constraints of a CA have to be critical.'),
  rule('path-length-without-ca', 'warning', ({ basicConstraints }) => basicConstraints !== null && !basicConstraints.isCa && basicConstraints.pathLength !== null, 'A path length is set though this is not the certificate of a CA.'),
  rule('leaf-self-issued', 'warning', ({ isSelfIssued, isCa, version }) => isSelfIssued && !isCa && version === 3, 'The certificate is its own issuer: clients trust it only where it was installed by hand.'),
  rule('authority-key-id-missing', 'warning', ({ isSelfIssued, authorityKeyId, version }) => !isSelfIssued && authorityKeyId === null && version === 3, 'The certificate does not say by which key of its issuer it was signed.'),
  rule('subject-key-id-missing', 'notice', ({ isCa, subjectKeyId }) => isCa && subjectKeyId === null, 'The certificate of a CA has no identifier of its key.'),
  rule('issuer-empty', 'error', ({ issuer }) => issuer === '', 'The certificate names no issuer.'),
  rule('precertificate', 'error', ({ isPrecertificate }) => isPrecertificate, 'This is a precertificate, made for transparency logs only: clients refuse it. Take the certificate itself.'),
  rule('name-constraints-on-leaf', 'warning', ({ isCa, nameConstraints }) => !isCa && nameConstraints !== null, 'Name constraints are for CAs; here they have no meaning.'),
]

const rules: readonly FindingRule[] = [...encodingRules, ...keyRules, ...nameRules, ...timeRules, ...roleRules]

/**
 * What is wrong or unusual in one certificate by itself. Chains, revocation and weak keys of certain makers are looked
 * at elsewhere. Findings come in the order of the table, each code once.
 * @param now UTC; without it nothing is said about today (expired, not yet valid)
 */
export function certificateFindings(facts: CertificateFacts, now?: Date): CertificateFinding[] {
  const findings: CertificateFinding[] = []
  for (const { code, severity, find } of rules) {
    const sentence = find(facts, now)
    if (sentence !== undefined) findings.push({ code, severity, sentence })
  }
  return findings
}
