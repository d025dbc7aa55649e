import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asKind, inputOf, newDraft } from './issuer-draft.ts'

test('a name is enough for a root; what is left empty is left out', () => {
  assert.deepEqual(inputOf({ ...newDraft('root', null), name: ' Shop Root ' }), {
    name: 'Shop Root', commonName: 'Shop Root', keyAlgorithm: 'ec-384', validityDays: 3652, signedBy: 'self', pathLength: null, deltaCrl: false,
  })
})

test('everything that a person fills in is asked for', () => {
  const input = inputOf({
    ...newDraft('intermediate', 'iss_1'), name: 'a', commonName: 'A', subject: [{ type: 'O', value: ' Shop ' }, { type: 'C', value: '' }], hash: 'sha512', keyPlace: 'pkcs11', pkcs11Label: 'a1', profile: 'my-ca', pathLength: 1,
    constraints: [{ type: 'dns', value: 'shop.example', only: true }, { type: 'ip', value: '10.0.0.0/8', only: false }, { type: 'dns', value: ' ', only: true }], publishing: { crlShards: 4, crlHours: '', deltaCrl: true, ocspMinutes: 5 },
  })
  assert.deepEqual(input, {
    name: 'a', commonName: 'A', keyAlgorithm: 'ec-256', validityDays: 1826, signedBy: 'iss_1', pathLength: 1, subject: [{ type: 'O', value: 'Shop' }], hash: 'sha512', pkcs11Label: 'a1', profile: 'my-ca',
    nameConstraints: { permitted: [{ type: 'dns', value: 'shop.example' }], excluded: [{ type: 'ip', value: '10.0.0.0/8' }] }, crlShards: 4, deltaCrl: true, ocspMinutes: 5,
  })
})

test('another kind brings its usual values and keeps the name', () => {
  const draft = asKind({ ...newDraft('root', null), name: 'a' }, 'outside')
  assert.deepEqual([draft.name, draft.validityDays, inputOf(draft).signedBy, inputOf(draft).pathLength, 'profile' in inputOf(draft)], ['a', 1826, 'outside', 0, false])
})
