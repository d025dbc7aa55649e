import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clean, cleanText, jsonText } from './clean.ts'
import { paintFor, paintState } from './paint.ts'
import { facts, fittedTable, table } from './table.ts'
import { dateAndDistance, moment, timeOfDay } from './time.ts'

test('columns are aligned, whatever colour and width the cells have', () => {
  const paint = paintFor(true, {})
  assert.deepEqual(table(['NAME', 'STATE', 'N'], [['a', paint('green', 'ok'), 1], ['日本', 'failed', null]]), [
    'NAME  STATE   N', `a     ${paint('green', 'ok')}      1`, '日本  failed  -',
  ])
  assert.deepEqual(facts([['A', 1], ['Longer', 'x\n  y'], ['Gone', null]]), ['A:      1', 'Longer: x y'])
})

test('a column of long texts is wrapped to the width there is; colour goes on, and no word is cut', () => {
  const paint = paintFor(true, {})
  assert.deepEqual(fittedTable(['ID', 'WHAT', 'WHO'], [['a', paint('red', 'one two three four five six'), 'me'], ['b', null, 'you']], 1, 34), [
    'ID  WHAT                     WHO', `a   ${paint('red', 'one two three four five')}  me`, `    ${paint('red', 'six')}`, 'b   -                        you',
  ])
})

test('colour is for terminals that want it', () => {
  assert.equal(paintState(paintFor(true, {}), 'deployed'), '\u001b[32mdeployed\u001b[39m')
  for (const paint of [paintFor(false, {}), paintFor(true, { NO_COLOR: '1' }), paintFor(true, { TERM: 'dumb' })]) assert.equal(paintState(paint, 'failed'), 'failed')
})

test('what a terminal would obey is shown instead; JSON stays the same JSON', () => {
  assert.equal(cleanText('a\u001b[2Jb\u009bc\rd\u202ee\tf\ng'), 'a\\u001b[2Jb\\u009bc\\u000dd\\u202ee\tf\ng')
  assert.deepEqual(clean({ a: ['\u0007', 1, null, { 'k\u0000': true }] }), { a: ['\\u0007', 1, null, { 'k\\u0000': true }] })
  const value = { text: 'x\u001b\u009b\u202e\r\n\u0000', n: null }
  assert.ok(!/[\u009b\u202e]/.test(jsonText(value)))
  assert.deepEqual(JSON.parse(jsonText(value)), value)
  assert.equal(jsonText(undefined), 'null')
})

test('times are in the zone of the reader', () => {
  const clock = { now: () => new Date('2026-03-28T12:00:00Z'), zone: 'Europe/Berlin' }
  assert.equal(moment('2026-03-28T23:30:00Z', clock), '2026-03-29 00:30')
  assert.equal(moment('2026-03-29T01:30:00Z', clock), '2026-03-29 03:30')
  assert.equal(timeOfDay('2026-03-28T23:30:07.900Z', clock), '00:30:07')
  assert.equal(moment(null, clock), null)
  assert.equal(dateAndDistance('2026-03-30T12:00:00Z', clock), '2026-03-30 (in 2 days)')
  assert.equal(dateAndDistance('2026-03-28T11:00:00Z', clock), '2026-03-28 (1 hour ago)')
  assert.equal(dateAndDistance('2026-03-28T12:00:30Z', clock), '2026-03-28 (in 0 minutes)')
})
