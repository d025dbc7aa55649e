import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkShape } from './check.ts'
import { field, fieldsObject } from './fields.ts'

test('a text is one line, whatever its form', () => {
  const fields = fieldsObject({ alias: field.text({ label: 'Alias', help: 'An entry.' }) })
  const check = (alias: string) => checkShape(fields, { alias }, { what: 'The fields' })
  for (const fine of ['tomcat', 'süß', 'two words', 'a\u2028b']) assert.deepEqual(check(fine), { alias: fine })
  for (const bad of ['server\ntouch /tmp/x', 'a\rb', 'a\0b', 'a\tb', '\u007f', '']) assert.throws(() => check(bad), { code: 'INPUT_INVALID' }, JSON.stringify(bad))
})
