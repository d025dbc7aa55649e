import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JournalRecord } from './journal.ts'
import { wayOut, type Way } from './recovery.ts'

const records = (...types: string[]) => types.map((type) => ({ type, at: '' }) as JournalRecord)

test('the way out of every kind of open journal', () => {
  const table: [string[], Way, Way][] = [
    // records, way when the rest can be carried out, way when it can't
    [['begin'], 'abandon', 'abandon'],
    [['begin', 'staged', 'begun'], 'forward', 'undo'],
    [['begin', 'staged', 'begun', 'done', 'begun'], 'forward', 'undo'],
    [['begin', 'staged', 'begun', 'forward'], 'undo', 'undo'],
    [['begin', 'staged', 'begun', 'undo'], 'undo', 'undo'],
    [['begin', 'staged', 'begun', 'cancel'], 'undo', 'undo'],
    [['begin', 'cancel'], 'abandon', 'abandon'],
    [['begin', 'cancel', 'staged', 'begun', 'outcome'], 'clean', 'clean'],
    [['begin', 'staged', 'begun', 'forward', 'undo', 'undone'], 'undo', 'undo'],
    [['begin', 'staged', 'begun', 'undo', 'outcome'], 'clean', 'clean'],
    [['begin', 'outcome'], 'clean', 'clean'],
  ]
  for (const [types, resumable, not] of table) {
    assert.equal(wayOut(records(...types), true), resumable, types.join(' '))
    assert.equal(wayOut(records(...types), false), not, types.join(' '))
  }
})
