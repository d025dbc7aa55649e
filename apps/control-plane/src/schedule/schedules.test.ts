import assert from 'node:assert/strict'
import type { CertificateId, ConfigurationInput, DeploymentTiming, FreezeInput, RenewalInput } from '@certloop/contract'
import { deploymentTimingDefault } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { freezeChanged } from '../freeze/freeze-changes.ts'
import { deleteFreeze, insertFreeze } from '../freeze/freeze-store.ts'
import { cancelAction } from '../provisioning/action-cancel.ts'
import { openAction } from '../provisioning/action-store.ts'
import { askRenewalWindowKind } from '../renewal/renewal-window-worker.ts'
import { makeWorld, type World } from '../world-testing.ts'
import { at } from './schedule-testing.ts'

const day = 86_400
const renewal: RenewalInput = { enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' }
const weekWindow: DeploymentTiming = { ...deploymentTimingDefault, when: 'window', window: { frequency: 'weekly', weekday: 7, dayOfMonth: 1, time: '22:00', lengthMinutes: 240 } }
const actionsOf = (w: World, id: CertificateId) => w.database.db.selectFrom('action').select(['kind', 'requester', 'state', 'createdAt', 'waitsUntil', 'endedAt', 'reason']).where('certificateId', '=', id).orderBy('id').execute()
const scheduled = async (w: World, id: CertificateId) => (await actionsOf(w, id)).filter((a) => a.requester === 'schedule')
const seconds = (w: World, text: string) => (Date.parse(text) - w.now().getTime()) / 1000
/** Moves the clock to an instant, and a second before it first: nothing happens early. */
async function passTo(w: World, text: string | null | undefined): Promise<void> {
  assert.ok(text)
  w.clock.pass(seconds(w, text) - 1)
  await w.settle()
  w.clock.pass(1)
  await w.settle()
}
/** A certificate that was rotated once, so that its schedule runs. */
async function running(w: World, name: string, changes: Partial<ConfigurationInput>): Promise<CertificateId> {
  const id = await w.configured(name, [await w.addBot(name)], changes)
  assert.equal((await w.act(id, 'rotate')).state, 'done')
  return id
}
const addFreeze = (w: World, freeze: FreezeInput) => w.database.transaction(async (tx, wake) => {
  const row = await insertFreeze(tx, freeze, w.now())
  await freezeChanged(tx, wake, row.id, w.now())
  return row.id
})

testOnDatabases('a weekly check fires on its day, as shown, with the reason in timeline and action', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await running(w, 'w.example', { renewal: { ...renewal, frequency: 'weekly', weekday: 7, method: 'regenerate' } })
  const [first] = (await w.detail(id)).nextRuns
  assert.equal(first?.what, 'renew')
  assert.equal(new Date(first?.at ?? '').getUTCDay(), 0)
  assert.equal((await w.detail(id)).nextRenewalAt, first?.at)
  w.clock.pass(seconds(w, first?.at ?? '') - 1)
  await w.settle()
  assert.equal((await scheduled(w, id)).length, 0)
  w.clock.pass(1)
  await w.settle()
  const [action] = await scheduled(w, id)
  assert.deepEqual([action?.kind, action?.state, action?.createdAt], ['regenerate', 'done', first?.at])
  assert.ok((await listEvents(database.db, { certificateId: id }, 200)).some(({ message }) => message.includes(first?.why ?? '-')))
})

testOnDatabases('what waits for its monthly check or its day raises no alarm; what was not renewed then does', async (t, database) => {
  const w = await makeWorld(t, database)
  const late = new Date(w.now().getTime() + 80 * day * 1000).toISOString().slice(0, 10)
  const ids = [await running(w, 'month.example', { renewal: { ...renewal, frequency: 'monthly', dayOfMonth: 10 } }), await running(w, 'day.example', { renewal: { ...renewal, trigger: 'date', date: late } })]
  for (const id of ids) {
    const [first] = (await w.detail(id)).nextRuns
    assert.ok(first && Date.parse((await w.detail(id)).notAfter ?? '') - Date.parse(first.at) < 25 * day * 1000)
    w.clock.pass(seconds(w, first.at) - 60)
    await w.settle()
    assert.equal((await w.detail(id)).status, 'deployed')
    for (const bot of w.bots) bot.fails.set('make-csr', { code: 'FILE_UNWRITABLE', message: 'The disk is read-only.', facts: {} })
    w.clock.pass(2 * day)
    await w.settle()
    assert.equal((await w.detail(id)).status, 'expiring')
    for (const bot of w.bots) bot.fails.clear()
  }
})

testOnDatabases('a set day fires once; afterwards the days before the end count, and it says so', async (t, database) => {
  const w = await makeWorld(t, database)
  const date = new Date(w.now().getTime() + 10 * day * 1000).toISOString().slice(0, 10)
  const id = await running(w, 'd.example', { renewal: { ...renewal, trigger: 'date', date } })
  const [first] = (await w.detail(id)).nextRuns
  assert.ok(first?.at.startsWith(date))
  await passTo(w, first?.at)
  assert.deepEqual((await scheduled(w, id)).map((a) => [a.kind, a.state, a.createdAt]), [['renew', 'done', first?.at]])
  w.clock.pass(5 * day)
  await w.settle()
  assert.equal((await scheduled(w, id)).length, 1)
  const { nextRuns: [next], notAfter } = await w.detail(id)
  assert.match(next?.why ?? '', /it was renewed since.*30 days before/)
  const left = (Date.parse(notAfter ?? '') - Date.parse(next?.at ?? '')) / day / 1000
  assert.ok(left > 29 && left < 31, String(left))
})

testOnDatabases('a renewal waits for its window, and is deployed at the time that was shown', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await running(w, 'win.example', { renewal, deployment: weekWindow })
  const [renew, deploy] = (await w.detail(id)).nextRuns
  assert.ok(renew?.what === 'renew' && deploy?.what === 'deploy')
  assert.match(deploy.why, /next deployment window: weekly on Sunday at 22:00 \(UTC\), for 4 h/)
  await passTo(w, renew.at)
  assert.deepEqual((await scheduled(w, id)).map((a) => [a.state, a.waitsUntil]), [['waiting', deploy.at]])
  const { nextRuns, installations: before } = await w.detail(id)
  assert.deepEqual(nextRuns.slice(0, 2).map((run) => run.what), ['deploy', 'renew'])
  assert.equal(nextRuns.at(0)?.at, deploy.at)
  await passTo(w, deploy.at)
  assert.deepEqual((await scheduled(w, id)).map((a) => [a.state, a.endedAt]), [['done', deploy.at]])
  const { installations: after } = await w.detail(id)
  assert.equal(after.length, 1)
  assert.notEqual(after[0]?.fingerprint, before[0]?.fingerprint)
})

testOnDatabases('a freeze period holds the deployment back, not the issuing; when it is deleted, what waited goes on at once', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await running(w, 'f.example', { renewal })
  const [renew] = (await w.detail(id)).nextRuns
  const end = new Date(Date.parse(renew?.at ?? '') + 20 * day * 1000).toISOString().slice(0, 16)
  const freezeId = await addFreeze(w, { name: 'Quarter end', from: w.now().toISOString().slice(0, 16), to: end, zone: 'UTC', reason: 'Books close' })
  const shown = (await w.detail(id)).nextRuns[1]
  assert.ok(shown && shown.at >= end && shown.why.includes('"Quarter end" (Books close)'), JSON.stringify(shown))
  await passTo(w, renew?.at)
  assert.deepEqual((await scheduled(w, id)).map((a) => [a.state, a.waitsUntil]), [['waiting', shown.at]])
  await w.database.transaction(async (tx, wake) => {
    await deleteFreeze(tx, freezeId)
    await freezeChanged(tx, wake, freezeId, w.now())
  })
  await w.settle()
  assert.deepEqual((await scheduled(w, id)).map((a) => a.state), ['done'])
})

testOnDatabases('a freeze period made while something waits moves it on; its end is kept', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await running(w, 'g.example', { renewal, deployment: weekWindow })
  await passTo(w, (await w.detail(id)).nextRuns[0]?.at)
  const before = (await scheduled(w, id))[0]?.waitsUntil ?? ''
  const end = new Date(Date.parse(before) + day * 1000).toISOString().slice(0, 16)
  await addFreeze(w, { name: 'Now', from: w.now().toISOString().slice(0, 16), to: end, zone: 'UTC', reason: '' })
  await w.settle()
  const after = (await scheduled(w, id))[0]?.waitsUntil ?? ''
  assert.equal(Date.parse(after) - Date.parse(before), 7 * day * 1000)
  await passTo(w, before)
  assert.equal((await scheduled(w, id))[0]?.state, 'waiting')
  await passTo(w, after)
  assert.equal((await scheduled(w, id))[0]?.state, 'done')
})

testOnDatabases('before the end of what is served it is deployed all the same, when the configuration says so, and it says so', async (t, database) => {
  const w = await makeWorld(t, database)
  const year = new Date(w.now().getTime() + 300 * day * 1000).toISOString().slice(0, 16)
  await addFreeze(w, { name: 'Long', from: w.now().toISOString().slice(0, 16), to: year, zone: 'UTC', reason: '' })
  const id = await running(w, 'o.example', { renewal, deployment: { ...deploymentTimingDefault, beforeExpiryDays: 3 } })
  const { notAfter, nextRuns: [renew, deploy] } = await w.detail(id)
  assert.match(deploy?.why ?? '', /replaced 3 days before that at the latest, so windows and freeze periods do not hold it back/)
  await passTo(w, renew?.at)
  await passTo(w, deploy?.at)
  const [done] = await scheduled(w, id)
  assert.deepEqual([done?.state, done?.endedAt], ['done', deploy?.at])
  const left = (Date.parse(notAfter ?? '') - Date.parse(deploy?.at ?? '')) / day / 1000
  assert.ok(left > 3 && left < 4, String(left))
  assert.ok((await listEvents(database.db, { certificateId: id }, 200)).some(({ message }) => /do not hold it back/.test(message)))
})

testOnDatabases('frozen beyond the next renewal: it is issued again, and the newer version is what is deployed', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await running(w, 'x.example', { renewal })
  const end = new Date(w.now().getTime() + 150 * day * 1000).toISOString().slice(0, 16)
  await addFreeze(w, { name: 'Long', from: w.now().toISOString().slice(0, 16), to: end, zone: 'UTC', reason: '' })
  const shown = (await w.detail(id)).nextRuns
  assert.deepEqual(shown.slice(0, 3).map((run) => run.what), ['renew', 'renew', 'deploy'], 'the first is never deployed')
  await passTo(w, shown[0]?.at)
  await passTo(w, shown[1]?.at)
  assert.deepEqual((await scheduled(w, id)).map((a) => [a.state, a.createdAt]), [['cancelled', shown[0]?.at], ['waiting', shown[1]?.at]])
  await passTo(w, shown[2]?.at)
  assert.deepEqual((await scheduled(w, id)).map((a) => a.state), ['cancelled', 'done'])
  const { versions, installations } = await w.detail(id)
  assert.equal(versions.length, 3)
  assert.equal(installations[0]?.fingerprint, versions[0]?.fingerprint)
})

testOnDatabases('a host that could not be renewed is tried again while the other waits for its deployment, once a day', async (t, database) => {
  const w = await makeWorld(t, database)
  const [good, bad] = [await w.addBot('good'), await w.addBot('bad')]
  const id = await w.configured('p.example', [good, bad], { renewal })
  await w.act(id, 'rotate')
  const [first] = (await w.detail(id)).nextRuns
  const end = new Date(Date.parse(first?.at ?? '') + 5 * day * 1000).toISOString().slice(0, 16)
  await addFreeze(w, { name: 'Week', from: w.now().toISOString().slice(0, 16), to: end, zone: 'UTC', reason: '' })
  bad.fails.set('make-csr', { code: 'FILE_UNWRITABLE', message: 'The disk is read-only.', facts: {} })
  await passTo(w, first?.at)
  assert.deepEqual((await scheduled(w, id)).map((a) => a.state), ['waiting'])
  bad.fails.clear()
  const keys = () => [good, bad].map(({ done }) => done.filter(({ kind }) => kind === 'make-csr').length)
  const before = keys()
  w.clock.pass(day)
  await w.settle()
  assert.deepEqual((await scheduled(w, id)).map((a) => [a.kind, a.state]), [['renew', 'cancelled'], ['renew', 'waiting']])
  assert.deepEqual(keys(), [before[0], (before[1] ?? 0) + 1], 'the host that was renewed is left alone')
  for (let i = 0; i < 6; i++) {
    w.clock.pass(day)
    await w.settle()
  }
  const { installations, status } = await w.detail(id)
  assert.deepEqual([status, ...installations.map((i) => i.state)], ['deployed', 'in-sync', 'in-sync'])
  assert.ok((await scheduled(w, id)).length <= 4)
})

testOnDatabases('a scheduled renewal that a person cancels comes again the next day, not at once', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await running(w, 'k.example', { renewal, deployment: weekWindow })
  const [first] = (await w.detail(id)).nextRuns
  const [bot] = w.bots
  bot?.silent.add('make-csr')
  await passTo(w, first?.at)
  const open = await openAction(database.db, id)
  assert.ok(open)
  await database.transaction((tx, wake) => cancelAction(tx, wake, open.id, 'user:test', w.now()))
  await w.settle()
  assert.deepEqual((await scheduled(w, id)).map((a) => a.state), ['cancelled'])
  const { nextRuns: [again] } = await w.detail(id)
  assert.equal(Date.parse(again?.at ?? '') - Date.parse(first?.at ?? ''), day * 1000)
})

testOnDatabases('missed for ten days it is caught up once, also when the clock is set back an hour', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await running(w, 'm.example', { renewal })
  const [first] = (await w.detail(id)).nextRuns
  w.clock.pass(seconds(w, first?.at ?? '') + 10 * day)
  const [now] = (await w.detail(id)).nextRuns
  assert.equal(now?.at, w.now().toISOString())
  assert.match(now?.why ?? '', /is caught up once/)
  await w.settle()
  w.clock.pass(-3600)
  await w.settle()
  w.clock.pass(2 * 3600)
  await w.settle()
  assert.equal((await scheduled(w, id)).length, 1)
  await passTo(w, (await w.detail(id)).nextRuns[0]?.at)
  w.clock.pass(-3600)
  await w.settle()
  w.clock.pass(3600)
  await w.settle()
  assert.equal((await scheduled(w, id)).length, 2)
})

testOnDatabases('the authority is asked for its window at each check, and it counts', async (t, database) => {
  const w = await makeWorld(t, database)
  const asked: string[] = []
  let window = { start: new Date(w.now().getTime() + 20 * day * 1000), end: new Date(w.now().getTime() + 21 * day * 1000) }
  const authorityOf: typeof w.deps.authorityOf = async (db, id) => ({ ...await w.deps.authorityOf(db, id), renewalWindow: async ({ reference }) => { asked.push(reference ?? ''); return window } })
  w.planeKinds['ask-renewal-window'] = askRenewalWindowKind({ database, now: w.now, authorityOf })
  const id = await running(w, 'a.example', { renewal: { ...renewal, trigger: 'authority' } })
  assert.equal(asked.length, 1)
  const { nextRuns: [first], nextRenewalAt } = await w.detail(id)
  assert.ok(first && at(first.at) >= window.start && at(first.at) < window.end && first.at === nextRenewalAt)
  w.clock.pass(2 * day)
  await w.settle()
  assert.equal(asked.length, 2, 'missed checks are caught up once')
  window = { start: new Date(w.now().getTime() + 1.5 * day * 1000), end: new Date(w.now().getTime() + 3 * day * 1000) }
  w.clock.pass(day)
  await w.settle()
  const moved = (await w.detail(id)).nextRenewalAt
  assert.ok(moved && at(moved) >= window.start && at(moved) < window.end, 'the authority is in a hurry')
  assert.equal((await listEvents(database.db, { certificateId: id }, 200)).filter(({ kind }) => kind === 'renewal.window').length, 2)
  await passTo(w, moved)
  assert.deepEqual((await scheduled(w, id)).map((a) => [a.state, a.createdAt]), [['done', moved]])
})

testOnDatabases('certificates that are due at one check have a turn each', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const times: string[] = []
  for (let i = 0; i < 12; i++) {
    const id = await w.configured(`s${i}.example`, [bot], { renewal })
    await w.act(id, 'rotate')
    times.push((await w.detail(id)).nextRenewalAt ?? '')
  }
  assert.ok(new Set(times).size >= 11, times.join(' '))
  assert.equal(new Set(times.map((time) => time.slice(0, 13))).size, 1, 'within an hour')
})
