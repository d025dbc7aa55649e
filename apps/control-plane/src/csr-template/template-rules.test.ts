import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CsrTemplateRules } from '@certloop/contract'
import { rulesProblems, subjectValueProblems, templateProblems, type TemplateWish } from './template-rules.ts'
import { openRules } from './template-testing.ts'

const wish: TemplateWish = { names: ['www.example.com'], commonName: null, keyAlgorithm: 'ec-256', keyReuse: false, validityDays: 90, subject: {} }
const names = (changes: Partial<CsrTemplateRules['names']>): Partial<CsrTemplateRules> => ({ names: { ...openRules.names, ...changes } })

const cases: [what: string, rules: Partial<CsrTemplateRules>, wish: Partial<TemplateWish>, fields: string[]][] = [
  ['nothing asked', {}, {}, []],
  ['the key that the template takes', { keyAlgorithm: 'ec-256' }, {}, []],
  ['another key', { keyAlgorithm: 'rsa-3072' }, {}, ['csr/keyAlgorithm']],
  ['another key that is allowed in its place', { keyAlgorithm: 'rsa-3072', allowedKeyAlgorithms: ['rsa-3072', 'ec-256'] }, {}, []],
  ['no key of its own, and a list', { allowedKeyAlgorithms: ['rsa-4096'] }, {}, ['csr/keyAlgorithm']],
  ['the key again', { keyReuse: 'never' }, { keyReuse: true }, ['csr/keyReuse']],
  ['too few names', names({ required: 2 }), {}, ['csr/names']],
  ['too many names', names({ most: 1 }), { names: ['a.example', 'b.example'] }, ['csr/names']],
  ['its domain, and one below', names({ allowed: ['Example.com'] }), { names: ['example.com', 'a.b.example.com'] }, []],
  ['a domain that only ends like it', names({ allowed: ['example.com'] }), { names: ['badexample.com', 'example.com.evil.test'] }, ['csr/names', 'csr/names']],
  ['a wildcard', names({ wildcards: false }), { names: ['*.example.com'] }, ['csr/names']],
  ['a wildcard of its domain', names({ allowed: ['example.com'] }), { names: ['*.example.com'] }, []],
  ['an address', names({ addresses: false }), { names: ['192.0.2.1', '2001:db8::1'] }, ['csr/names', 'csr/names']],
  ['an address beside domains', names({ allowed: ['example.com'] }), { names: ['192.0.2.1'] }, []],
  ['no common name where one is asked for', names({ commonName: 'required' }), {}, ['csr/commonName']],
  ['a common name where there is to be none', names({ commonName: 'none' }), { commonName: 'www.example.com' }, ['csr/commonName']],
  ['a part of the subject missing', { requiredSubject: ['organization', 'country'] }, { subject: { country: 'DE' } }, ['csr/subject/organization']],
  ['a required part that the template has itself', { requiredSubject: ['organization'], subject: { organization: 'Ex' } }, {}, []],
  ['a fixed part said otherwise', { subject: { organization: 'Ex' } }, { subject: { organization: 'Other' } }, ['csr/subject/organization']],
  ['a fixed part said the same', { subject: { organization: 'Ex' } }, { subject: { organization: 'Ex' } }, []],
  ['too long', { longestValidityDays: 30 }, {}, ['csr/validityDays']],
  ['as long as the authority gives', { longestValidityDays: 30 }, { validityDays: null }, []],
]
for (const [what, rules, changes, fields] of cases) {
  test(`a request under a template: ${what}`, () => { assert.deepEqual(templateProblems({ ...openRules, ...rules }, { ...wish, ...changes }).map(({ field }) => field), fields) })
}

const contradictions: [what: string, rules: Partial<CsrTemplateRules>, fields: string[]][] = [
  ['open rules', {}, []],
  ['everything that there is', { extendedKeyUsages: ['serverAuth', 'clientAuth', '1.3.6.1.4.1.311.20.2.2'], requiredSubject: ['organization'], ...names({ allowed: ['example.com', 'corp'] }) }, []],
  ['a list without the key of the template', { keyAlgorithm: 'rsa-3072', allowedKeyAlgorithms: ['ec-256'] }, ['rules/allowedKeyAlgorithms']],
  ['at most fewer than at least', names({ required: 3, most: 2 }), ['rules/names/most']],
  ['domains that are none', names({ allowed: ['example.com', '*.example.com', 'a b', '192.0.2.1', ''] }), ['rules/names/allowed/1', 'rules/names/allowed/2', 'rules/names/allowed/3', 'rules/names/allowed/4']],
  ['parts that there are not', { requiredSubject: ['organisation', 'constructor'] }, ['rules/requiredSubject/0', 'rules/requiredSubject/1']],
  ['usages that there are not', { extendedKeyUsages: ['serverAuth', 'toString', '1.2.', '9.9'] }, ['rules/extendedKeyUsages/1', 'rules/extendedKeyUsages/2', 'rules/extendedKeyUsages/3']],
  ['an organisation too long', { subject: { country: 'DE', organization: 'x'.repeat(65) } }, ['rules/subject/organization']],
  ['the same twice', { keyUsages: ['digitalSignature', 'digitalSignature'], allowedKeyAlgorithms: ['ec-256', 'ec-256'], extendedKeyUsages: ['serverAuth', 'serverAuth'] }, ['rules/keyUsages', 'rules/extendedKeyUsages', 'rules/allowedKeyAlgorithms']],
]
for (const [what, rules, fields] of contradictions) {
  test(`rules of a template: ${what}`, () => { assert.deepEqual(rulesProblems({ ...openRules, ...rules }).map(({ field }) => field), fields) })
}

test('values that no certificate holds are told at their part', () => {
  assert.deepEqual(subjectValueProblems({ country: 'DE', locality: 'Bad\u0000', emailAddress: 'ü@example.com' }, 'csr/subject').map(({ field }) => field), ['csr/subject/locality', 'csr/subject/emailAddress'])
})
