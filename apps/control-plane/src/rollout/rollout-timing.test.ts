import assert from 'node:assert/strict'
import { deploymentTimingDefault, rolloutDefault, type ConfigurationInput } from '@certloop/contract'
import { noteRevocation } from '../certificate/version-revocation.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { deleteFreeze, insertFreeze } from '../freeze/freeze-store.ts'
import { makeFleet, states, type Fleet } from './rollout-testing.ts'

const soak = { mode: 'in-order', gate: { ...rolloutDefault.gate, soakSeconds: 1200 } } as const
const window = (beforeExpiryDays: number | null): NonNullable<ConfigurationInput['deployment']> => ({ ...deploymentTimingDefault, when: 'window', window: { frequency: 'daily', weekday: 1, dayOfMonth: 1, time: '02:00', lengthMinutes: 30 }, beforeExpiryDays })

/** Deployed by hand once; then the schedule renews, and its action deploys the first of its waves. */
async function renewed(w: Fleet, minutes: number) {
  await w.roll()
  for (let i = 0; i < 3; i++) await w.pass(1200)
  assert.equal((await w.newest()).state, 'done', 'by hand nothing waits for a window')
  await w.pass((Date.parse((await w.detail(w.id)).nextRenewalAt ?? '') - w.now().getTime()) / 1000)
  const { lastAction } = await w.detail(w.id)
  if (lastAction?.waitsUntil) await w.pass((Date.parse(lastAction.waitsUntil) - w.now().getTime()) / 1000)
  await w.pass(minutes * 60)
  return w.newest()
}

testOnDatabases('a rollout of the schedule goes on in the next window with the waves that are left, and says so', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 3, targets: 3, rollout: soak, changes: { deployment: window(null) } })
  const first = await renewed(w, 21)
  assert.deepEqual([first.state, first.wave, states(first)], ['watching', 1, ['deployed', 'deployed', 'waiting']], 'in one window as far as it lasts')
  const held = await w.pass(21 * 60)
  assert.deepEqual([held.state, states(held)], ['running', ['deployed', 'deployed', 'waiting']])
  assert.match(held.reason, /^2 of 3 targets deployed, 1 waiting\. Waits until .* It waits for the next deployment window/)
  assert.match(held.nextAction ?? '', /goes on by itself then.*"deploy"/)
  assert.ok(Date.parse(held.deadline ?? '') > w.now().getTime() + 20 * 3_600_000)
  assert.match((await w.detail(w.id)).statusReason, /next deployment window/)
  await w.pass(12 * 3600)
  assert.deepEqual(states(await w.newest()), ['deployed', 'deployed', 'waiting'])
  await w.pass(11.6 * 3600)
  assert.deepEqual(states(await w.newest()), ['deployed', 'deployed', 'deployed'])
})

testOnDatabases('a freeze period holds the waves that are left, until it is deleted; or until too little is left before the end', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 2, targets: 2, rollout: soak, changes: { deployment: { ...deploymentTimingDefault, beforeExpiryDays: 5 } } })
  const freeze = () => database.transaction((tx) => insertFreeze(tx, { name: 'f', from: w.now().toISOString().slice(0, 16), to: '2027-06-01T00:00', zone: 'UTC', reason: '' }, w.now()))
  const first = await renewed(w, 1)
  assert.equal(first.state, 'watching')
  const { id } = await freeze()
  const held = await w.pass(1200)
  assert.deepEqual([held.state, states(held)], ['running', ['deployed', 'waiting']])
  assert.match(held.reason, /Waits until .* The configuration says that it is replaced 5 days before that|freeze period/)
  await database.transaction((tx) => deleteFreeze(tx, id))
  assert.deepEqual(states(await w.pass(601)), ['deployed', 'deployed'])
  for (let i = 0; i < 2; i++) await w.pass(1200)

  await w.pass((Date.parse((await w.detail(w.id)).nextRenewalAt ?? '') - w.now().getTime()) / 1000)
  await freeze()
  assert.deepEqual(states(await w.pass(1200)), ['deployed', 'waiting'])
  for (let day = 0; day < 24; day++) await w.pass(86_400)
  assert.deepEqual(states(await w.newest()), ['deployed', 'waiting'])
  for (let day = 0; day < 3; day++) await w.pass(86_400)
  assert.deepEqual(states(await w.newest()), ['deployed', 'deployed'])
  const told = await database.db.selectFrom('event').select('message').where('kind', '=', 'action.window-overridden').execute()
  assert.equal(told.length, 1)
})

testOnDatabases('what was revoked between two waves is not deployed any more: the rollout stops, however many failures it bears', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 3, targets: 3, rollout: { ...soak, stopAfterFailures: 3 } })
  const { rollout } = await w.roll()
  const { versionId } = await database.db.selectFrom('rolloutTarget').select('versionId').where('rolloutId', '=', rollout.id).where('position', '=', 1).executeTakeFirstOrThrow()
  await database.transaction((tx) => noteRevocation(tx, versionId ?? assert.fail('no version'), { status: 'revoked', at: w.now().toISOString(), reason: 'keyCompromise' }))
  await database.db.updateTable('ca_certificate').set({ status: 'revoked', revocationReason: 'keyCompromise' }).where('fingerprint', 'in', database.db.selectFrom('certificateVersion').select('fingerprint').where('id', '=', versionId)).execute()
  const ended = await w.pass(1200)
  assert.deepEqual([ended.id, ended.state, states(ended)], [rollout.id, 'stopped', ['deployed', 'failed', 'left-out']])
  assert.match(ended.reason, /was revoked \(keyCompromise\) meanwhile, so it is not deployed any more/)
  assert.deepEqual(w.installed().slice(1), [undefined, undefined])
})
