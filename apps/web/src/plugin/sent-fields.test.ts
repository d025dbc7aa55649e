import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sentFields } from './sent-fields.ts'

test('lines go without spaces around them and without empty ones; all else stays as it is', () => {
  assert.deepEqual(sentFields({ zones: ['a.example ', ' b.example', ' '], server: ' x ', port: 53, on: true }), { zones: ['a.example', 'b.example'], server: ' x ', port: 53, on: true })
})
