import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProfileRules } from '@certloop/api-client'
import { profileSentences } from './profile-words.ts'

const rules: ProfileRules = {
  title: 'Shop', style: 'private', kind: 'end-entity', defaultValidityDays: 90, maximumValidityDays: 3650, backdateMinutes: 60, keyAlgorithms: ['ec-256', 'rsa-2048'], keyUsage: ['digitalSignature', 'keyEncipherment'], extendedKeyUsage: ['serverAuth', '1.2.3'],
  names: { required: true, types: ['dns', 'ip'], maximum: 5, wildcards: false, permitted: ['shop.example', '10.0.0.0/8'], excluded: ['pay.shop.example'] }, subjectAttributes: ['O', 'C'], requiredAttributes: ['O'], commonName: 'allowed', policies: [], mustStaple: 'asked', pathLength: null,
}

test('a profile is told in sentences that hold everything it says', () => {
  const words = profileSentences(rules)
  assert.equal(words.Lifetime, '90 days unless the request says less or more; at most 3650 days (10 years). Begins 60 minutes before it is issued, for hosts whose clock is behind.')
  assert.equal(words.Names, 'DNS names and IP addresses; at least one, at most 5. No wildcards. Only within shop.example and 10.0.0.0/8. Never within pay.shop.example.')
  assert.equal(words.Subject, 'A common name may be there. Has to have: Organisation. May have: Country (two letters).')
  assert.equal(words.Keys, 'EC P-256 and RSA 2048.')
  assert.equal(words['Key usage'], 'Digital signature and Key encipherment. Encipherment is left out for keys that can not encrypt.')
  assert.equal(words.Purposes, 'TLS server and 1.2.3.')
  assert.equal('CAs below it' in words, false)
})

test('a profile for CAs says how many CAs may be below what it makes', () => {
  const of = (pathLength: number | null) => profileSentences({ ...rules, kind: 'ca', keyUsage: ['keyCertSign'], extendedKeyUsage: [], names: { ...rules.names, types: [] }, pathLength })
  assert.deepEqual([null, 0, 2].map((length) => of(length)['CAs below it']), ['As many as the issuer allows.', 'None.', 'Up to 2 in a row.'])
  assert.deepEqual([of(0).Names, of(0).Purposes], ['None: the subject says whom it is for.', 'Not limited to a purpose.'])
})
