import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeCaa, type CaaAsked } from './caa.ts'

const asked: CaaAsked = { wildcard: false, identities: ['ca.test', 'CA2.test'], accountUri: 'https://ca.test/acct/1', method: 'http-01' }
const judge = (records: readonly (readonly [string, string, boolean?])[], other: Partial<CaaAsked> = {}) =>
  judgeCaa({ at: records.length > 0 ? 'example.test' : null, records: records.map(([tag, value, critical = false]) => ({ tag, value, critical })) }, { ...asked, ...other }).allowed

test('without a record that counts, everybody may issue', () => {
  assert.equal(judge([]), 'yes')
  assert.equal(judge([['iodef', 'mailto:x@example.test']]), 'yes')
  assert.equal(judge([['issuewild', ';']]), 'yes', 'issuewild says nothing of other names')
  assert.equal(judge([['futuretag', 'x']]), 'yes')
  assert.equal(judge([['iodef', 'x', true]]), 'yes')
})
test('an unknown critical tag forbids, whatever else is there', () => {
  assert.equal(judge([['issue', 'ca.test'], ['futuretag', 'x', true]]), 'no')
})
test('one record that names the authority is enough; none forbids', () => {
  assert.equal(judge([['issue', 'ca.test']]), 'yes')
  assert.equal(judge([['issue', ' Ca2.TEST ; ']]), 'yes')
  assert.equal(judge([['issue', 'other.test'], ['issue', 'ca.test']]), 'yes')
  for (const value of ['other.test', ';', '', 'ca.test.other.test', 'notca.test', 'ca.test other.test', 'ca.test; =x', 'ca.test; a b=c', 'ca.test; accounturi=https://ca.test/acct/1; accounturi=https://ca.test/acct/1']) assert.equal(judge([['issue', value]]), 'no', value)
})
test('issuewild takes the place of issue for wildcards alone', () => {
  const records = [['issue', 'ca.test'], ['issuewild', 'other.test']] as const
  assert.deepEqual([judge(records), judge(records, { wildcard: true })], ['yes', 'no'])
  assert.deepEqual([judge([['issue', 'ca.test']], { wildcard: true }), judge([['issue', 'other.test']], { wildcard: true })], ['yes', 'no'], 'without issuewild, issue counts')
  assert.equal(judge([['issue', ';'], ['issuewild', 'ca.test']], { wildcard: true }), 'yes')
})
test('account and way of validation count where they are named', () => {
  const account = [['issue', 'ca.test; accounturi=https://ca.test/acct/1']] as const
  assert.deepEqual([judge(account), judge(account, { accountUri: 'https://ca.test/acct/2' }), judge(account, { accountUri: null })], ['yes', 'no', 'unsure'])
  const methods = [['issue', 'ca.test; validationmethods=dns-01,http-01']] as const
  assert.deepEqual([judge(methods), judge(methods, { method: 'tls-alpn-01' }), judge(methods, { method: null })], ['yes', 'no', 'unsure'])
  assert.equal(judge([...account, ['issue', 'ca2.test']], { accountUri: 'https://ca.test/acct/2' }), 'yes')
  assert.equal(judge([['issue', 'ca.test']], { identities: [] }), 'unsure')
})
