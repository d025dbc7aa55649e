import assert from 'node:assert/strict'
import { test } from 'node:test'
import { field, fieldsObject } from '@certloop/api-client'
import { isShown, typedFields } from './typed-fields.ts'

const fields = typedFields(JSON.parse(JSON.stringify(fieldsObject({
  path: field.path({ label: 'File', help: 'Where.' }),
  secure: field.switch({ label: 'Secure', help: 'Or not.', default: false }),
  wait: field.optional(field.seconds({ label: 'Wait', help: 'How long.', min: 1, max: 60, defaultSeconds: 10 })),
  secret: field.optional(field.secret({ label: 'Password', help: 'Of it.', shownWhen: { field: 'secure', is: true } })),
  format: field.choice({ label: 'Format', help: 'Of the file.', values: { a: 'One', b: 'Two', c: 'Three' }, default: 'a' }),
  alias: field.optional(field.text({ label: 'Alias', help: 'Of the entry.', shownWhen: { field: 'format', is: ['b', 'c'] } })),
}))))

test('a form field is made from each field of a schema, as it comes over the wire', () => {
  assert.deepEqual(fields.map(({ name, kind, label, required, preset, minimum, maximum }) => ({ name, kind, label, required, preset, minimum, maximum })), [
    { name: 'path', kind: 'path', label: 'File', required: true, preset: undefined, minimum: undefined, maximum: undefined },
    { name: 'secure', kind: 'switch', label: 'Secure', required: true, preset: false, minimum: undefined, maximum: undefined },
    { name: 'wait', kind: 'seconds', label: 'Wait', required: false, preset: 10, minimum: 1, maximum: 60 },
    { name: 'secret', kind: 'secret', label: 'Password', required: false, preset: undefined, minimum: undefined, maximum: undefined },
    { name: 'format', kind: 'choice', label: 'Format', required: true, preset: 'a', minimum: undefined, maximum: undefined },
    { name: 'alias', kind: 'text', label: 'Alias', required: false, preset: undefined, minimum: undefined, maximum: undefined },
  ])
})

test('a field that depends on another is shown by that one\'s value or default', () => {
  const secret = fields.find(({ name }) => name === 'secret')
  assert.ok(secret)
  assert.equal(isShown(secret, {}, fields), false)
  assert.equal(isShown(secret, { secure: true }, fields), true)
})

test('a field may be shown for several values of another', () => {
  const alias = fields.find(({ name }) => name === 'alias')
  assert.ok(alias)
  assert.deepEqual([undefined, 'a', 'b', 'c'].map((format) => isShown(alias, format === undefined ? {} : { format }, fields)), [false, false, true, true])
})
