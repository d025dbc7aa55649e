import type { CsrTemplateRules } from '@certloop/contract'

/** Rules that ask for nothing. */
export const openRules: CsrTemplateRules = {
  keyAlgorithm: null, allowedKeyAlgorithms: [], subject: {}, requiredSubject: [], names: { required: 0, most: 1000, allowed: [], wildcards: true, addresses: true, commonName: 'allowed' },
  keyUsages: [], extendedKeyUsages: [], mustStaple: false, keyReuse: 'allowed', longestValidityDays: null,
}
