import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import fc from 'fast-check'
import { pause, retryDelay, retrying } from './retry.ts'

const backoff = { firstMs: 1_000, capMs: 60_000 }

test('waiting doubles up to the cap, its upper half by chance', () => {
  assert.deepEqual([1, 2, 3, 7, 100].map((n) => retryDelay(n, 0, backoff)), [500, 1_000, 2_000, 30_000, 30_000])
  assert.equal(retryDelay(1, 0.999, backoff), 999.5)
})

test('waiting stays within its bounds, and never below what the server asked for', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 0, max: 900_000 }), (attempt, random, asked) => {
    const delay = retryDelay(attempt, random, backoff, asked)
    return delay >= 500 && delay >= Math.min(asked, 300) * 1000 && delay <= 300_000
  }))
})

const options = (signal: AbortSignal) => ({ signal, random: () => 0, backoff: { firstMs: 1, capMs: 2 } })
const unreachable = new CertloopError('CONTROL_PLANE_UNREACHABLE', 'x')

test('what may pass is tried again, what will not is thrown at once', async () => {
  const seen: number[] = []
  let calls = 0
  const answer = await retrying(async () => {
    if (++calls < 4) throw unreachable
    return 'there'
  }, { ...options(new AbortController().signal), onFailure: (_error, attempt) => seen.push(attempt) })
  assert.deepEqual([answer, seen], ['there', [1, 2, 3]])
  await assert.rejects(retrying(() => { calls++; throw new CertloopError('LEASE_LOST', 'x') }, { ...options(new AbortController().signal), onFailure: () => assert.fail() }), { code: 'LEASE_LOST' })
  assert.equal(calls, 5)
})

test('stopping ends the waiting with the reason given', async () => {
  const stop = new AbortController()
  const reason = new Error('stop')
  const tried = retrying(() => Promise.reject(unreachable), { ...options(stop.signal), backoff: { firstMs: 100_000, capMs: 100_000 }, onFailure: () => setImmediate(() => stop.abort(reason)) })
  await assert.rejects(tried, reason)
  await assert.rejects(pause(100_000, stop.signal), reason)
})
