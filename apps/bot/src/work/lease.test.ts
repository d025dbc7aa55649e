import { newId } from '@certloop/contract'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createBell } from './bell.ts'
import { keepLease } from './lease.ts'
import type { RunningTask } from './task-runner.ts'

const quiet = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} } as unknown as Parameters<typeof keepLease>[1]['logger']

function running(beatMs: number): RunningTask {
  return { id: newId('tsk', new Date()), fence: 1, leaseUntil: new Date(Date.now() + 60_000), lost: false, cancelling: new AbortController(), beatMs, waiting: false, log: [], bell: createBell() }
}

test('a task without a word to say hears of a request to stop within its beat, not only when its lease is renewed', async () => {
  const task = running(1_000)
  let asked = 0
  const lease = keepLease(task, { controlPlane: { now: () => new Date(), progress: async () => ({ leaseUntil: new Date(Date.now() + 60_000).toISOString(), ...(++asked < 2 ? {} : { cancel: true }) }) }, logger: quiet })
  await lease.beat()
  assert.equal(task.cancelling.signal.aborted, false)
  await Promise.race([new Promise((resolve) => { task.cancelling.signal.addEventListener('abort', resolve) }), pause(10_000, undefined, { ref: false }).then(() => assert.fail('it was not heard'))])
  assert.equal(asked, 2)
  await lease.stop()
})

test('lines are sent once, also when the beginning is told at the same moment', async () => {
  const task = running(Number.POSITIVE_INFINITY)
  task.log.push({ at: new Date().toISOString(), step: null, phase: 'do', ok: true, message: 'one', output: null, durationMs: null })
  const sent: number[] = []
  const lease = keepLease(task, { controlPlane: { now: () => new Date(), progress: async (_id, { log }) => { sent.push(log.length); await pause(20); return { leaseUntil: new Date(Date.now() + 60_000).toISOString() } } }, logger: quiet })
  await Promise.all([lease.beat(), lease.beat()])
  await lease.stop()
  assert.deepEqual(sent, [1, 0])
})
