import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verdictOf, wasBeforehand } from './look-words.ts'

const error = { code: 'DNS_LOOKUP_FAILED', message: 'no answer', facts: {} } as const

test('a finding that is good with an error is a doubt; one that is not good is final only at the end', () => {
  assert.equal(verdictOf({ ok: true, error: null }, 'waiting').label, 'Good')
  assert.equal(verdictOf({ ok: true, error }, 'waiting').label, 'Doubt')
  assert.equal(verdictOf({ ok: false, error }, 'waiting').label, 'Not yet')
  assert.equal(verdictOf({ ok: false, error }, 'failed').label, 'Wrong')
})

test('what was looked at before the proof was placed is not taken for the proof', () => {
  const look = (visible: boolean) => ({ at: '2026-03-01T00:00:00.000Z', visible, findings: [] })
  assert.equal(wasBeforehand({ state: 'waiting', lastLook: look(true) }), true)
  assert.equal(wasBeforehand({ state: 'waiting', lastLook: look(false) }), false)
  assert.equal(wasBeforehand({ state: 'checking', lastLook: look(true) }), false)
  assert.equal(wasBeforehand({ state: 'waiting', lastLook: null }), false)
})
