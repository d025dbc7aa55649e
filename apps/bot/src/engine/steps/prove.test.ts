import { type Endpoint, type Plan, type ProveStep, sealPlan } from '@certloop/contract'
import type { Prober } from '@certloop/plugin-kit'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { stepContext } from '../../../test/engine/engine-kit.ts'
import type { StepContext } from './executor.ts'
import { prove } from './prove.ts'

const [old, next] = ['0', '1'].map((digit) => digit.repeat(64)) as [string, string]
const endpoints: Endpoint[] = [443, 8443].flatMap((port) => Array.from({ length: 300 }, (_, i) => ({ address: '127.0.0.1', port, serverName: `s${i}.test`, keyType: null })))
const step: ProveStep = { kind: 'prove', expect: next, timeoutSeconds: 10, steadyMilliseconds: 250, endpoints: endpoints.map((endpoint) => ({ endpoint, before: old })) }

/** A server that answers as `serves` says; counts what it is asked. */
function watched(serves: (endpoint: Endpoint, asked: number) => string) {
  const seen = { now: 0, most: 0, asked: 0 }
  const probe: Prober = async (endpoint) => {
    const asked = ++seen.asked
    seen.most = Math.max(seen.most, ++seen.now)
    await turn()
    seen.now--
    return { endpoint, fingerprint: serves(endpoint, asked), error: null, at: '2026-01-01T00:00:00.000Z' }
  }
  const plan: Plan = sealPlan({ serverType: 'nginx', observed: [], steps: [step] })
  const context: StepContext = stepContext({ probe, plan })
  return { seen, context }
}

test('many names are asked for one by one only once, then one per socket, and never many at a time', async () => {
  const { seen, context } = watched(() => next)
  const { served } = await prove.do(context, step)
  assert.deepEqual(served?.map(({ endpoint }) => endpoint), endpoints)
  assert.ok(seen.most <= 16, `${seen.most} at a time`)
  assert.ok(seen.asked > 600 && seen.asked < 700, `${seen.asked} handshakes`)
})

test('one name that comes late is waited for without asking for the others again and again', async () => {
  let late = 5
  const { seen, context } = watched(({ serverName, port }) => (serverName === 's7.test' && port === 443 && late-- > 0 ? old : next))
  await prove.do(context, step)
  assert.ok(seen.asked > 1200 && seen.asked < 1350, `${seen.asked} handshakes`)
})

test('another certificate while it should be steady starts it all again', async () => {
  const { seen, context } = watched((_endpoint, asked) => (asked === 605 ? old : next))
  await prove.do(context, step)
  assert.ok(seen.asked > 1205, `${seen.asked} handshakes`)
})

test('what stays wrong is named, and nothing else', async () => {
  const { context } = watched(({ serverName, port }) => (serverName === 's7.test' && port === 443 ? old : next))
  await assert.rejects(async () => prove.do(context, { ...step, timeoutSeconds: 0.2 }), (error: Error) => /s7\.test/.test(error.message) && !/s8\.test/.test(error.message))
})
