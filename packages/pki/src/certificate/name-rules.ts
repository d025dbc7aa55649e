import { isIP } from 'node:net'
import { nameForms } from '../name/names.ts'
import { rule, type FindingRule } from './finding-rule.ts'
import type { CertificateFacts } from './certificate-facts.ts'

const shown = (name: string): string => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name)
const dnsNames = (facts: CertificateFacts): string[] => facts.alternativeNames.filter(({ type }) => type === 'dns').map(({ value }) => value)

/** A rule about each DNS name; the sentence shows the first that it applies to and counts the rest. */
const perName = (code: string, severity: FindingRule['severity'], applies: (name: string) => boolean, problem: string): FindingRule => ({
  code, severity, find: (facts) => {
    const bad = dnsNames(facts).filter(applies)
    return bad.length === 0 ? undefined : `The name ${shown(bad[0] ?? '')}${bad.length > 1 ? ` (and ${bad.length - 1} more)` : ''} ${problem}`
  },
})

const hasControl = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x20 || text.charCodeAt(i) === 0x7f) return true
  return false
}
const hasForeign = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7e) return true
  return false
}

const longestHost = 253
const longestLabel = 63
const labelsOf = (name: string): string[] => (name.length > longestHost ? [] : name.split('.'))
const isALabelWrong = (label: string): boolean => label.startsWith('xn--') && nameForms(label).unicode === label
const isMalformed = (name: string): boolean => name.length > longestHost || labelsOf(name).some((label) => label === '' || label.length > longestLabel || /[^a-z0-9_*-]/.test(label) && !hasForeign(label) && !hasControl(label))
const isForServers = ({ isCa, extendedKeyUsage }: CertificateFacts): boolean => !isCa && (extendedKeyUsage === null || extendedKeyUsage.usages.includes('serverAuth'))
const looksLikeHost = (text: string): boolean => text.length <= longestHost && (isIP(text) !== 0 || /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$/i.test(text))
const subjectAltName = '2.5.29.17'

/** What is said about the names in a certificate. */
export const nameRules: readonly FindingRule[] = [
  rule('alternative-names-missing', 'error', (facts) => isForServers(facts) && facts.alternativeNames.length === 0 && looksLikeHost(facts.commonName ?? ''), 'The host name is in the common name only, where clients no longer look. Have the certificate issued anew with alternative names.'),
  {
    code: 'common-name-not-in-names', severity: 'warning',
    find: (facts) => (isForServers(facts) && facts.names.length > 0 && looksLikeHost(facts.commonName ?? '') && !facts.names.includes((facts.commonName ?? '').toLowerCase())
      ? `The common name ${shown(facts.commonName ?? '')} is not among the alternative names, so clients do not accept it.` : undefined),
  },
  rule('alternative-names-not-critical', 'warning', (facts) => facts.subject === '' && facts.extensions.some(({ oid, critical }) => oid === subjectAltName && !critical), 'The subject is empty; the alternative names have to be critical then.'),
  {
    code: 'name-control-character', severity: 'error',
    find: (facts) => {
      const bad = [...facts.subjectFields, ...facts.issuerFields, ...facts.alternativeNames].find(({ value }) => hasControl(value))
      return bad && `The name ${shown(bad.value)} contains a control character; with such names programs have been deceived about whom a certificate is for.`
    },
  },
  perName('name-not-ascii', 'error', hasForeign, 'is not in its ASCII form; clients can not match it.'),
  perName('name-malformed', 'error', isMalformed, 'is not a host name; clients can not match it.'),
  perName('name-underscore', 'warning', (name) => name.includes('_'), 'contains an underscore, which host names can not have; some clients refuse it.'),
  perName('name-wildcard-invalid', 'error', (name) => name.includes('*') && !/^\*\.[^*.]+\.[^*]+$/.test(name), 'has a wildcard that clients do not match: it has to be the whole first label, with two labels or more after it.'),
  perName('name-a-label-invalid', 'warning', (name) => labelsOf(name).some(isALabelWrong), 'has a label that begins as an international one but stands for none.'),
  rule('address-malformed', 'warning', (facts) => facts.alternativeNames.some((name) => name.type === 'other' && name.oid === null && name.value.startsWith('87')), 'An IP address among the alternative names has neither 4 nor 16 bytes.'),
]
