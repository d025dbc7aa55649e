import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Action, ActionId } from '@certloop/contract'
import { eventually, leftOut } from '@certloop/test-kit'
import { acmeStage, addAcme, addBind, configured, csrFor, type AcmeStage } from './kit/acme-stage.ts'
import { arm, program, rotate, rows } from './kit/crash-kit.ts'
import { ended } from './kit/plane.ts'

const skip = leftOut('nginx') ?? leftOut('pebble') ?? leftOut('named')

const start = async ({ plane }: AcmeStage, id: `crt_${string}`): Promise<Action> => plane.client.call('startAction', { params: { id, action: 'rotate' }, body: {} })
async function nothingLeft(stage: AcmeStage, at: string): Promise<void> {
  await eventually(async () => (await stage.tokenFiles()).length === 0, { what: `${at}: no token file`, timeoutMs: 60_000 })
  await eventually(async () => (await stage.textRecords()).length === 0, { what: `${at}: no validation record`, timeoutMs: 60_000 })
  await eventually(() => rows(stage.plane, "select id from validation where cleanup not in ('removed', 'nothing')").length === 0, { what: `${at}: nothing noted as placed` })
}

test('the bot is killed while its file is in place, the control plane while its record is: both end well, and nothing is left', { skip, timeout: 300_000 }, async (t) => {
  const stage = await acmeStage(t)
  const { plane, bot, name, webRoot } = stage
  const pebble = await stage.startPebble({ sleepSeconds: 5 })
  const { id: authorityId } = await addAcme(plane, 'Pebble', pebble)

  const { id } = await configured(stage, { authorityId, csr: csrFor(name), validation: { method: 'file', path: webRoot } })
  const byFile = await start(stage, id)
  await eventually(() => rows(plane, "select id from validation where state = 'asked'").length > 0, { what: 'the directory looking at the token file', timeoutMs: 60_000 })
  await bot.kill()
  await eventually(() => rows<{ state: string }>(plane, 'select state from certificateOrder where actionId = ?', byFile.id)[0]?.state === 'complete', { what: 'the end of the order without a bot', timeoutMs: 60_000 })
  assert.equal((await stage.tokenFiles()).length, 1, 'nobody is there to remove it')
  await bot.restart()
  assert.equal((await ended(plane, byFile.id)).state, 'done')
  await nothingLeft(stage, 'bot killed')

  await addBind(stage)
  await configured(stage, { authorityId, csr: csrFor(name, `*.${name}`), validation: { method: 'dns' } })
  const byRecord = await start(stage, id)
  await eventually(async () => (await stage.textRecords()).length > 0, { what: 'the record', timeoutMs: 60_000 })
  await plane.kill()
  await plane.restart()
  const action = await ended(plane, byRecord.id, 120_000)
  assert.equal(action.state, 'done', JSON.stringify(action.error))
  await nothingLeft(stage, 'control plane killed')
  assert.deepEqual({ ...pebble.counts() }, { accounts: 1, orders: 2, finalized: 2 })
})

test('an order that fails leaves nothing behind either, and says what was seen', { skip, timeout: 180_000 }, async (t) => {
  const stage = await acmeStage(t)
  const { plane, name, webRoot } = stage
  // It looks where nobody listens: what the control plane sees from outside is not what the directory sees.
  const pebble = await stage.startPebble({ httpPort: stage.alpnPort })
  const { id: authorityId } = await addAcme(plane, 'Pebble', pebble, { fields: { directoryUrl: pebble.directoryUrl, trustPem: pebble.trustPem, termsAgreed: true, httpPort: stage.httpPort } })
  const { id } = await configured(stage, { authorityId, csr: csrFor(name), validation: { method: 'file', path: webRoot } })
  const action = await ended(plane, (await start(stage, id)).id, 120_000)
  assert.equal(action.state, 'failed')
  assert.equal(action.error?.code, 'VALIDATION_REFUSED', JSON.stringify(action.error))
  await nothingLeft(stage, 'refused')
  assert.equal(pebble.counts().orders, 1)
})

test('killed at moments all over an order by file, the control plane ends it: one order there, one certificate, nothing left', { skip, timeout: 600_000 }, async (t) => {
  const stage = await acmeStage(t, { program })
  const { plane, name, webRoot } = stage
  const pebble = await stage.startPebble()
  const { id: authorityId } = await addAcme(plane, 'Pebble', pebble)
  const { id } = await configured(stage, { authorityId, csr: csrFor(name), validation: { method: 'file', path: webRoot } })
  const through = async (action: ActionId, at: string) => {
    const before = pebble.counts()
    const end = await eventually(async () => {
      if (plane.process().child.signalCode !== null) await plane.restart()
      const found = await plane.client.call('getAction', { params: { id: action } })
      return found.endedAt ? found : undefined
    }, { what: `${at}: the end of ${action}`, timeoutMs: 90_000 })
    assert.equal(end.state, 'done', `${at}: ${JSON.stringify(end.error)}`)
    await nothingLeft(stage, at)
    return before
  }
  await arm(plane)
  await through((await rotate({ plane, id })).action, 'good run')
  plane.process().kill('SIGUSR2')
  const moments = Number((await plane.process().waitFor(/counted (\d+) moments/))[1])
  await plane.kill()
  assert.deepEqual({ ...pebble.counts() }, { accounts: 1, orders: 1, finalized: 1 })
  const sampled = 5
  let killed = 0
  for (let k = 0; k < sampled; k++) {
    const moment = 1 + Math.floor((k * moments) / sampled)
    await plane.restart({ CRASH_AT: String(moment) })
    await arm(plane)
    const asked = await rotate({ plane, id })
    await through(asked.action, `killed at ${moment}`)
    const { orders, finalized } = pebble.counts()
    assert.deepEqual([orders, finalized], [k + 2, k + 2], `killed at ${moment}`)
    if (asked.killed || plane.process().output().includes('counting') === false) killed++
    await plane.kill()
  }
  t.diagnostic(`killed at ${killed} of ${sampled} moments out of ${moments}`)
  assert.ok(killed >= sampled - 1)
})
