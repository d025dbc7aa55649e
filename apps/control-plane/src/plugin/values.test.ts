import assert from 'node:assert/strict'
import { test } from 'node:test'
import { field, fieldsObject } from '@certloop/contract'
import { readValues, type Fields, type GivenValues, type Values } from './values.ts'

const plugin: Fields = {
  fields: fieldsObject({
    address: field.text({ label: 'Address', help: 'Where it is.' }),
    account: field.optional(field.text({ label: 'Account', help: 'Whose.' })),
    agree: field.switch({ label: 'Agree', help: 'To the terms.', default: false }),
    password: field.secret({ label: 'Password', help: 'Of the account.', sentTo: ['address', 'account'] }),
    note: field.optional(field.secret({ label: 'Note', help: 'Kept here alone.' })),
    key: field.optional(field.secret({ label: 'Key', help: 'For the address.', sentTo: ['address'] })),
  }),
  check: ({ account }) => (account === 'root' ? [{ field: 'account', problem: 'is nobody\'s' }] : []),
}
const before: Values = { plain: { address: 'https://a', agree: false }, secret: { password: 'hunter2', note: 'n', key: 'k' } }
const read = (given: GivenValues, from: Values | undefined = before) => readValues(plugin, given, from)
const problemsOf = (given: GivenValues, from: Values | undefined = before) => read(given, from).problems.map((each) => `${each.field}: ${each.problem}`)

test('what is left out stays, null deletes, and what is given takes its place', () => {
  const { plain, secret, problems } = read({ fields: { address: 'https://a' }, secrets: { note: null, key: 'k2' } })
  assert.deepEqual([plain, secret, problems], [{ address: 'https://a', agree: false }, { password: 'hunter2', key: 'k2' }, []])
  assert.deepEqual(read({ fields: { address: 'https://a', password: 'new' } }).secret, { password: 'new', note: 'n', key: 'k' }, 'a secret among the fields is one all the same')
  assert.deepEqual(read({ fields: { address: 'https://a', password: 'new' }, secrets: { password: 'newer' } }).secret['password'], 'newer')
  assert.equal(JSON.stringify(read({ fields: { address: 'https://a', password: 'new' } }).plain).includes('new'), false)
})

test('a secret has to be entered again when it would go elsewhere, and only then', () => {
  assert.deepEqual(problemsOf({ fields: { address: 'https://b' } }), ['secrets/password: has to be entered again: where it is sent to is no longer the same', 'secrets/key: has to be entered again: where it is sent to is no longer the same'])
  assert.deepEqual(read({ fields: { address: 'https://b' }, secrets: { password: 'p', key: null } }), { plain: { address: 'https://b', agree: false }, secret: { password: 'p', note: 'n' }, problems: [] })
  assert.deepEqual(problemsOf({ fields: { address: 'https://a', account: 'me' } }), ['secrets/password: has to be entered again: where it is sent to is no longer the same'])
  assert.deepEqual(problemsOf({ fields: { address: 'https://a', agree: true } }), [])
})

test('every problem is told at its field, and no value is repeated', () => {
  const lines = problemsOf({ fields: { account: 7, agree: 'yes', passwort: 'hunter3' }, secrets: { other: 'hunter4' } }, { plain: {}, secret: {} })
  assert.deepEqual(lines.map((line) => line.replace(/:.*/, '')).toSorted(), ['fields/account', 'fields/address', 'fields/agree', 'fields/passwort', 'secrets/other', 'secrets/password'])
  assert.doesNotMatch(lines.join(' '), /hunter/)
  assert.deepEqual(problemsOf({ fields: { address: 'https://a', account: 'root', password: 'p', key: null } }), ['fields/account: is nobody\'s'])
  assert.deepEqual(problemsOf({ fields: { address: 'https://a', password: 3 } }), ['secrets/password: must be text'])
  assert.deepEqual(problemsOf({ fields: { address: 'https://a' } }, { plain: {}, secret: {} }), ['secrets/password: is missing'])
})

test('a ready-made entry fills in what is not given', () => {
  const { plain, problems } = readValues(plugin, { fields: { agree: true, password: 'p' } }, undefined, { address: 'https://ready', agree: false })
  assert.deepEqual([plain, problems], [{ address: 'https://ready', agree: true }, []])
})
