import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeployLogEntry, Plan, TimelineEvent } from '@certloop/contract'
import { partNames, split, type PartName, type Recording } from './parts.ts'
import { median, p90, quantile } from './statistics.ts'

const start = Date.parse('2026-03-01T12:00:00.000Z')
const event = (kind: string, ms: number) => ({ kind, at: new Date(start + ms).toISOString() }) as TimelineEvent
const line = (phase: DeployLogEntry['phase'], step: number | null, durationMs: number): DeployLogEntry => ({ at: new Date(start).toISOString(), phase, step, durationMs, ok: true, message: '', output: null })
const commit = (ms: number, sqlMs: number) => ({ before: start + ms - 1, after: start + ms, sqlMs })
const plan = { steps: [{ kind: 'write-file' }, { kind: 'run-command' }, { kind: 'reload-service' }, { kind: 'prove', steadyMilliseconds: 30 }] } as Plan

/** A rotation of 300 ms whose parts are known. */
const recording: Recording = {
  posted: start,
  commits: [commit(-5, 100), commit(10, 101), commit(32, 102), commit(55, 104), commit(62, 105), commit(95, 106), commit(300, 110)],
  begun: { makeCsr: start + 12, plan: start + 65, deploy: start + 100 },
  timeline: [event('order.created', 8), event('order.csrReady', 30), event('order.issued', 50), event('deployment.created', 60), event('deployment.approved', 90), event('deployment.proven', 290)],
  plan,
  log: [line('plan', null, 20), line('backup', null, 5), line('backup', 0, 2), line('do', 0, 1), line('do', 1, 10), line('do', 2, 12), line('prove', 3, 100)],
}

test('the parts of a rotation are what was recorded, and add up to the whole', () => {
  const { total, own, parts, sqlMs, commitCount } = split(recording, 6)
  assert.deepEqual(parts, {
    post: 10, hops: 2 + 12 + 5 + 3 + 5, csr: 18, authority: 6, transactions: 2 + 5 + 2 + 5 + 10, firstPlan: 25,
    secondPlan: 20, journal: 7, replace: 1, test: 10, reload: 12, proof: 70, watch: 30, rest: 40,
  })
  assert.equal(total, 300)
  assert.equal(Object.values(parts).reduce((a, b) => a + b, 0), total)
  assert.equal(own, total - 6 - 12 - 70 - 30)
  assert.equal(sqlMs, 10)
  assert.equal(commitCount, 6)
  assert.deepEqual(Object.keys(parts).toSorted(), (Object.keys(partNames) as PartName[]).toSorted())
})

test('a CA that measured slower than the order took is not counted longer than that', () => {
  assert.equal(split(recording, 500).parts.authority, 18)
})

test('a rotation without its events is an error, not a zero', () => {
  assert.throws(() => split({ ...recording, timeline: recording.timeline.slice(1) }, 6), /no "order\.created"/)
  assert.throws(() => split({ ...recording, commits: recording.commits.slice(0, 3) }, 6), /no commit after/)
})

test('median and p90 lie between neighbours', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
  assert.equal(p90([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), 10)
  assert.ok(Number.isNaN(quantile([], 0.5)))
})
