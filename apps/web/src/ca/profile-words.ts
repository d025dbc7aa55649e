import type { IssuanceProfile, ProfileRules } from '@certloop/api-client'
import { attributeName, keyName, keyUsageWords, nameTypeWords, purposeName } from './ca-words.ts'

const listed = (words: readonly string[], none: string): string => (words.length === 0 ? none : words.length === 1 ? words[0] ?? '' : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`)
const days = (count: number): string => (count === 1 ? 'a day' : count % 365 === 0 && count > 365 ? `${count} days (${count / 365} years)` : `${count} days`)

function namesText({ names: { required, types, maximum, wildcards, permitted, excluded } }: ProfileRules): string {
  if (types.length === 0 || maximum === 0) return 'None: the subject says whom it is for.'
  const kinds = listed(types.map((type) => nameTypeWords[type]), '')
  const sentences = [
    `${kinds}; ${required ? 'at least one, ' : ''}at most ${maximum}.`,
    types.includes('dns') ? (wildcards ? 'Wildcards such as *.example.com are allowed.' : 'No wildcards.') : '',
    permitted.length > 0 ? `Only within ${listed(permitted, '')}.` : '',
    excluded.length > 0 ? `Never within ${listed(excluded, '')}.` : '',
  ]
  return sentences.filter((sentence) => sentence !== '').join(' ')
}

const commonNames: Record<ProfileRules['commonName'], string> = { none: 'No common name.', allowed: 'A common name may be there.', required: 'A common name has to be there.' }

function subjectText({ commonName, subjectAttributes, requiredAttributes }: ProfileRules): string {
  const free = subjectAttributes.filter((type) => !requiredAttributes.includes(type)).map(attributeName)
  return [
    commonNames[commonName],
    requiredAttributes.length > 0 ? `Has to have: ${listed(requiredAttributes.map(attributeName), '')}.` : '',
    free.length > 0 ? `May have: ${listed(free, '')}.` : requiredAttributes.length === 0 ? 'Nothing else.' : '',
  ].filter((sentence) => sentence !== '').join(' ')
}

const staples: Record<ProfileRules['mustStaple'], string> = { never: 'Never.', asked: 'When the request asks for it.', always: 'In every certificate: the server has to send an OCSP answer along.' }

function keysText(algorithms: ProfileRules['keyAlgorithms']): string {
  return algorithms.length === 10 ? 'Every kind that is known here.' : `${listed(algorithms.map(keyName), 'None')}.`
}

/** What a profile does, in sentences under a heading each. */
export function profileSentences(rules: ProfileRules): Record<string, string> {
  const { style, kind, defaultValidityDays, maximumValidityDays, backdateMinutes, keyAlgorithms, keyUsage, extendedKeyUsage, policies, mustStaple, pathLength } = rules
  return {
    'For': { 'end-entity': 'Servers, people and programs.', 'ca': 'CAs: what it makes can sign certificates.', 'ocsp-responder': 'Programs that answer OCSP in the name of an issuer.' }[kind],
    'Style': style === 'public' ? 'As the CA/Browser Forum demands of public authorities, in every field.' : 'Your own rules, as they stand here.',
    'Lifetime': `${days(defaultValidityDays)} unless the request says less or more; at most ${days(maximumValidityDays)}. Begins ${backdateMinutes === 0 ? 'at once' : `${backdateMinutes} minutes before it is issued, for hosts whose clock is behind`}.`,
    'Names': namesText(rules),
    'Subject': subjectText(rules),
    'Keys': keysText(keyAlgorithms),
    'Key usage': `${listed(keyUsage.map((usage) => keyUsageWords[usage]), 'None is stated')}.${keyUsage.some((usage) => usage.endsWith('Encipherment')) ? ' Encipherment is left out for keys that can not encrypt.' : ''}`,
    'Purposes': extendedKeyUsage.length === 0 ? 'Not limited to a purpose.' : `${listed(extendedKeyUsage.map(purposeName), '')}.`,
    'Policies': policies.length === 0 ? 'None.' : `${listed(policies, '')}.`,
    'Must-staple': staples[mustStaple],
    ...(kind === 'ca' ? { 'CAs below it': pathLength === null ? 'As many as the issuer allows.' : pathLength === 0 ? 'None.' : `Up to ${pathLength} in a row.` } : {}),
  }
}

/** Who can use a profile, in one line. */
export const originText = ({ builtIn, internal }: IssuanceProfile): string => (internal ? 'Built in; only the control plane itself issues by it' : builtIn ? 'Built in' : 'Your own')
