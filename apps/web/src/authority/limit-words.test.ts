import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitText, spanText } from './limit-words.ts'

test('spans in the largest unit that fits', () => {
  assert.deepEqual([604_800, 10_800, 3600, 86_400, 90, 120].map(spanText), ['week', '3 hours', 'hour', 'day', '90 seconds', '2 minutes'])
})

test('a limit as a sentence', () => {
  assert.equal(limitText({ kind: 'domain', count: 50, seconds: 604_800, renewalsCount: false }), '50 certificates for one registered domain a week; renewals that it was told of do not count')
  assert.equal(limitText({ kind: 'order', count: 1500, seconds: 10_800, renewalsCount: true }), '1,500 orders in 3 hours')
  assert.equal(limitText({ kind: 'failure', count: 5, seconds: 3600, renewalsCount: true }), '5 failed validations of one name an hour')
})
