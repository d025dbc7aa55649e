import assert from 'node:assert/strict'
import type { Freeze, Problem } from '@certloop/contract'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { wideReads } from '../database/plan-testing.ts'
import { asPage, startHttp } from '../http/http-testing.ts'
import { insertAction } from '../provisioning/action-store.ts'
import { insertCertificate } from '../certificate/certificate-store.ts'
import { addTask, findTask } from '../task/task-store.ts'
import { freezeChangedKind } from './freeze-changes.ts'
import { registerFreezeRoutes } from './freeze-routes.ts'
import { freezesFor, insertFreeze } from './freeze-store.ts'
import { test } from 'node:test'

const holidays = { name: 'Holidays', from: '2026-12-20T00:00', to: '2027-01-04T00:00', zone: 'Europe/Berlin', reason: 'Nobody is here' }

testOnDatabases('freeze periods are made, listed, changed and deleted, and each time what waits is looked at', async (t, database) => {
  const clock = { at: new Date('2026-12-19T22:59:59Z') }
  const { call, root } = await startHttp(t, database, (app) => registerFreezeRoutes(app, { database, now: () => clock.at }))
  const as = asPage(root.cookie)
  const looks = async () => (await database.db.selectFrom('task').select('id').where('kind', '=', 'freeze-changed').execute()).length
  const made = await call('POST', '/api/v1/freezes', as, { ...holidays, name: ' Holidays ' })
  assert.equal(made.statusCode, 201, made.body)
  const freeze = made.json<Freeze>()
  assert.deepEqual([freeze.name, freeze.isNow, await looks()], ['Holidays', false, 1])
  clock.at = new Date('2026-12-19T23:00:00Z')
  assert.equal((await call('GET', '/api/v1/freezes', as)).json<{ items: Freeze[] }>().items[0]?.isNow, true, 'its begin counts, on the clock of its zone')
  clock.at = new Date('2027-01-03T23:00:00Z')
  assert.equal((await call('GET', '/api/v1/freezes', as)).json<{ items: Freeze[] }>().items[0]?.isNow, false, 'its end does not')
  const taken = await call('POST', '/api/v1/freezes', as, holidays)
  assert.deepEqual([taken.statusCode, taken.json<Problem>().code], [409, 'CONFLICT'])
  assert.equal((await call('PUT', `/api/v1/freezes/${freeze.id}`, as, { ...holidays, to: '2027-01-10T00:00' })).json<Freeze>().to, '2027-01-10T00:00')
  assert.equal(await looks(), 2)
  assert.equal((await call('DELETE', `/api/v1/freezes/${freeze.id}`, as)).statusCode, 204)
  assert.equal(await looks(), 3)
  assert.equal((await call('DELETE', `/api/v1/freezes/${freeze.id}`, as)).statusCode, 404)
  assert.equal((await call('PUT', `/api/v1/freezes/${freeze.id}`, as, holidays)).statusCode, 404)
  const events = await database.db.selectFrom('event').select(['kind', 'message', 'requester']).where('kind', 'like', 'freeze.%').orderBy('id').execute()
  assert.deepEqual(events.map((e) => e.kind), ['freeze.created', 'freeze.changed', 'freeze.deleted'])
  assert.deepEqual([events[0]?.message, events[0]?.requester], ['The freeze period "Holidays", 2026-12-20 00:00 to 2027-01-04 00:00 (Europe/Berlin) was made.', 'user:root'])
})

test('bad freeze periods are refused with every field named', async (t) => {
  const database = await emptyDatabase(t)
  const { call, root } = await startHttp(t, database, (app) => registerFreezeRoutes(app, { database, now: () => new Date('2026-12-01T00:00:00Z') }))
  const problems = async (changes: object) => {
    const answer = await call('POST', '/api/v1/freezes', asPage(root.cookie), { ...holidays, ...changes })
    assert.equal(answer.statusCode, 400, answer.body)
    return answer.json<Problem>().fields?.map(({ field, problem }) => `${field}: ${problem}`)
  }
  assert.deepEqual(await problems({ to: holidays.from, zone: 'Mars/Olympus', name: '  ' }), ['body.name: must not be blank', 'body.to: must be later than "from"', 'body.zone: "Mars/Olympus" is not an IANA time zone such as Europe/Berlin'])
  assert.deepEqual(await problems({ from: '2026-02-30T00:00', to: '2026-02-29T00:00' }), ['body.from: there is no 2026-02-30 in the calendar', 'body.to: there is no 2026-02-29 in the calendar'])
  assert.equal((await problems({ from: '2026-12-20 00:00' }))?.length, 1)
  assert.deepEqual(await database.db.selectFrom('freeze').selectAll().execute(), [])
})

testOnDatabases('freeze periods that count: present and coming ones, and those that ended within a day', async (_t, database) => {
  const now = new Date('2027-01-10T12:00:00Z')
  const add = (name: string, from: string, to: string, zone = 'UTC') => database.transaction((tx) => insertFreeze(tx, { name, from, to, zone, reason: '' }, now))
  await add('over for two days', '2027-01-01T00:00', '2027-01-08T12:00')
  await add('just over', '2027-01-01T00:00', '2027-01-10T11:00')
  await add('less than a day ago in the east', '2027-01-01T00:00', '2027-01-10T02:01', 'Pacific/Kiritimati')
  await add('a day ago in the east', '2027-01-01T00:00', '2027-01-10T02:00', 'Pacific/Kiritimati')
  await add('less than a day ago in the west', '2027-01-01T00:00', '2027-01-09T01:01', 'Pacific/Pago_Pago')
  await add('now', '2027-01-09T00:00', '2027-02-01T00:00')
  await add('to come', '2028-01-09T00:00', '2028-02-01T00:00')
  assert.deepEqual(new Set((await freezesFor(database.db, now)).map((f) => f.name)), new Set(['just over', 'less than a day ago in the east', 'less than a day ago in the west', 'now', 'to come']))
})

testOnDatabases('what waits is woken page by page, all of it once, however much it is', async (_t, database) => {
  const now = new Date('2026-12-01T00:00:00Z')
  const ids: string[] = []
  await database.transaction(async (tx, wake) => {
    for (let i = 0; i < 450; i++) {
      const certificateId = await insertCertificate(tx, { name: `c${i}`, names: [`c${i}`], management: 'managed', status: 'configured' }, now)
      // Many wait for the same moment.
      ids.push((await insertAction(tx, wake, { certificateId, kind: 'renew', state: 'waiting', requester: 'schedule', versionId: null, reason: 'Waits.', waitsUntil: `2026-12-${i % 3 === 0 ? '05' : '06'}T00:00:00.000Z` }, now)).id)
    }
  })
  const kind = freezeChangedKind({ database, now: () => now })
  const id = await database.transaction((tx, wake) => addTask(tx, wake, { executor: 'control-plane', kind: 'freeze-changed', subject: 'frz_x' }, now))
  let pages = 0
  for (;;) {
    const task = await findTask(database.db, id)
    assert.ok(task && pages < 5)
    await database.db.updateTable('task').set({ state: 'done' }).where('id', '=', id).execute()
    const commit = await kind.run(task, new AbortController().signal)
    await database.transaction(commit)
    pages++
    if ((await findTask(database.db, id))?.state === 'done') break
  }
  assert.equal(pages, 3)
  const woken = await database.db.selectFrom('task').select(['subject', 'notBefore']).where('kind', '=', 'advance-action').execute()
  assert.deepEqual(woken.map((task) => task.subject).toSorted(), ids.toSorted())
  assert.ok(woken.every((task) => task.notBefore === now.toISOString()))
  if (database.kind === 'sqlite') {
    const task = await findTask(database.db, id)
    assert.ok(task)
    assert.deepEqual(await wideReads(database, (recorded) => freezeChangedKind({ database: recorded, now: () => now }).run(task, new AbortController().signal), { narrow: /action_waiting/ }), [])
  }
})
