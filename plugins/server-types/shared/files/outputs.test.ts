import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Check } from 'typebox/value'
import { fields } from '../../files/manifest.ts'
import { outputsOf } from './outputs.ts'

test('without a format the files are PEM', () => {
  const target = { certificatePath: '/c.pem', keyPath: '/k.pem' }
  assert.ok(Check(fields, target))
  assert.deepEqual(outputsOf(target), outputsOf({ ...target, format: 'pem' }))
})
