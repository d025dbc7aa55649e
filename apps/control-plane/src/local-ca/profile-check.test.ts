import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkAgainstProfile, type Asked } from './profile-check.ts'
import { checkRules } from './profile-rules-check.ts'
import { builtInProfiles, type NameRules, type ProfileRules } from './profiles.ts'

const { server, email, client } = builtInProfiles
const limited = (rules: ProfileRules, names: Partial<NameRules>): ProfileRules => ({ ...rules, names: { ...rules.names, ...names } })
const ask = (rules: ProfileRules, asked: Partial<Asked>) => () => checkAgainstProfile({ names: [], otherNames: [], commonName: null, subject: [], mustStaple: false, validityDays: null, ...asked }, { name: 'x', rules, stored: null })
const refused = (rules: ProfileRules, asked: Partial<Asked>) => assert.throws(ask(rules, asked), { code: 'PROFILE_VIOLATION' }, JSON.stringify(asked))

test('what a profile excludes is not to be had by a wildcard either', () => {
  const rules = limited(server, { excluded: ['secret.example.com', '10.0.0.0/8'] })
  for (const name of ['secret.example.com', 'a.secret.example.com', '*.secret.example.com', '*.example.com', '10.1.2.3']) refused(rules, { names: [name] })
  for (const name of ['example.com', 'other.example.com', '*.other.example.com', '*.com.example', '192.0.2.1']) assert.doesNotThrow(ask(rules, { names: [name] }), name)
  refused(limited(server, { permitted: ['secret.example.com'] }), { names: ['*.example.com'] })
})

test('ranges bind names of every kind', () => {
  const mail = limited(email, { permitted: ['example.com'], excluded: ['board.example.com'] })
  assert.doesNotThrow(ask(mail, { otherNames: [{ type: 'email', value: 'a@Example.com' }] }))
  for (const value of ['a@evil.example', 'a@board.example.com', 'a@notexample.com']) refused(mail, { otherNames: [{ type: 'email', value }] })
  const people = limited(client, { permitted: ['example.com'] })
  for (const one of [{ type: 'upn', value: 'a@corp.example.com' }, { type: 'uri', value: 'spiffe://example.com/a' }] as const) assert.doesNotThrow(ask(people, { commonName: 'a', otherNames: [one] }))
  for (const one of [{ type: 'upn', value: 'a@evil.example' }, { type: 'uri', value: 'spiffe://evil.example/a' }, { type: 'uri', value: 'urn:a' }] as const) refused(people, { commonName: 'a', otherNames: [one] })
})

test('a range that could fit no name is refused, for it would exclude nothing', () => {
  for (const range of ['Example.com', '*.example.com', '.example.com', 'bücher.example', '10.0.0.0/99', 'a b', '', '::0001', 'https://example.com']) {
    for (const field of ['permitted', 'excluded'] as const) assert.match(checkRules(limited(server, { [field]: [range] })).join(), new RegExp(`^names.${field}\\[0\\]: `), range)
  }
  assert.deepEqual(checkRules(limited(server, { permitted: ['example.com', 'com', 'xn--bcher-kva.example', '10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '2001:db8::1'] })), [])
})

test('a profile for responders makes nothing but responders: retired and revoked issuers sign by it', () => {
  const responder = builtInProfiles['ocsp-responder']
  assert.deepEqual(checkRules(responder), [])
  assert.match(checkRules({ ...responder, extendedKeyUsage: ['ocspSigning', 'serverAuth'] }).join(), /^extendedKeyUsage: /)
  assert.match(checkRules({ ...responder, keyUsage: ['digitalSignature', 'keyEncipherment'] }).join(), /^keyUsage: /)
  assert.match(checkRules({ ...responder, names: server.names }).join(), /^names.maximum: /)
})
