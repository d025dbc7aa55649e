import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, renewalDefaults, type CertificateId } from '@certloop/contract'
import type { IssuedBefore, RenewalWindow } from '@certloop/plugin-kit'
import { testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { makeWorld, type World } from '../world-testing.ts'
import { renewalTime } from './renewal-time.ts'
import { askRenewalWindowKind } from './renewal-window-worker.ts'

const [hour, day] = [3600, 86_400]
const renewal = { enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC', trigger: 'authority' as const }
const after = (w: World, seconds: number) => new Date(w.now().getTime() + seconds * 1000)
/** The built-in CA, with a wish. Each question is counted by its reference. */
function wishing(w: World, wish: (of: IssuedBefore) => RenewalWindow | undefined): string[] {
  const asked: string[] = []
  const authorityOf: typeof w.deps.authorityOf = async (db, id) => ({ ...await w.deps.authorityOf(db, id), renewalWindow: async (of) => { asked.push(of.reference ?? ''); return wish(of) } })
  w.planeKinds['ask-renewal-window'] = askRenewalWindowKind({ database: w.database, now: w.now, authorityOf })
  return asked
}
const messages = async (w: World, id: CertificateId, kind: string) => (await listEvents(w.database.db, { certificateId: id }, 200)).filter((event) => event.kind === kind).map(({ message }) => message)
const renewals = async (w: World, id: CertificateId) => (await w.database.db.selectFrom('action').select(['state']).where('certificateId', '=', id).where('requester', '=', 'schedule').execute()).map(({ state }) => state)
const why = async (w: World, id: CertificateId) => (await w.detail(id)).nextRuns[0]?.why ?? ''

testOnDatabases('it is asked again when it said so, and the address where it explains itself is told once', async (t, database) => {
  const w = await makeWorld(t, database)
  const window = { start: after(w, 20 * day), end: after(w, 21 * day) }
  const asked = wishing(w, () => ({ ...window, askAgainAt: after(w, 6 * hour), explanationUrl: 'https://ca.example/why' }))
  const id = await w.configured('a.example', [await w.addBot('a')], { renewal })
  await w.act(id, 'rotate')
  assert.equal(asked.length, 1)
  for (const [pass, count] of [[6 * hour - 1, 1], [1, 2], [3 * hour, 2], [3 * hour, 3]] as const) {
    w.clock.pass(pass)
    await w.settle()
    assert.equal(asked.length, count)
  }
  assert.deepEqual(await messages(w, id, 'renewal.window'), [`The authority would like it to be renewed between ${window.start.toISOString()} and ${window.end.toISOString()}. Why: https://ca.example/why`])
  assert.match(await why(w, id), /in the window that the authority gives/)
})

testOnDatabases('a window that is over when it is told means now, once', async (t, database) => {
  const w = await makeWorld(t, database)
  let window: RenewalWindow = { start: after(w, 60 * day), end: after(w, 61 * day), askAgainAt: after(w, hour) }
  const asked = wishing(w, () => ({ ...window, askAgainAt: after(w, hour) }))
  const id = await w.configured('a.example', [await w.addBot('a')], { renewal })
  await w.act(id, 'rotate')
  w.clock.pass(hour / 2)
  window = { start: after(w, -600), end: after(w, -300) }
  w.clock.pass(hour / 2)
  await w.settle()
  assert.deepEqual(await renewals(w, id), ['done'])
  assert.match((await messages(w, id, 'renewal.window'))[0] ?? '', /That is over, so it is renewed at once\./)
  const { length } = asked
  for (let i = 0; i < 3; i++) {
    w.clock.pass(600)
    await w.settle()
  }
  assert.ok(asked.length <= length + 1)
  assert.deepEqual(await renewals(w, id), ['done'], 'a window that was over before the certificate came is none for it')
})

testOnDatabases('when it can not be asked the days before the end count, and what it said before still does', async (t, database) => {
  const w = await makeWorld(t, database)
  let isThere = false
  const window = { start: after(w, 20 * day), end: after(w, 21 * day) }
  const asked = wishing(w, () => {
    if (!isThere) throw new CertloopError('AUTHORITY_UNREACHABLE', 'gone', { sent: 'no' })
    return window
  })
  const id = await w.configured('a.example', [await w.addBot('a')], { renewal })
  await w.act(id, 'rotate')
  for (let i = 0; i < 12; i++) {
    w.clock.pass(400)
    await w.settle()
  }
  const { length } = asked
  w.clock.pass(400)
  await w.settle()
  assert.deepEqual([length >= 10, asked.length], [true, length], 'it is tried again for a while')
  assert.equal((await messages(w, id, 'renewal.window-unknown')).length, 1)
  assert.match(await why(w, id), /^The authority has not said yet when it is to be renewed\. Renewed 30 days before its end/)
  isThere = true
  w.clock.pass(day)
  await w.settle()
  assert.match(await why(w, id), /in the window/)
  isThere = false
  w.clock.pass(day + 4000)
  await w.settle()
  assert.match(await why(w, id), /in the window/)
})

testOnDatabases('one version whose authority does not answer keeps no other wish from being known', async (t, database) => {
  const w = await makeWorld(t, database)
  const window = { start: after(w, 20 * day), end: after(w, 21 * day) }
  let mute = ''
  wishing(w, ({ reference }) => {
    mute ||= reference ?? ''
    if (reference === mute) throw new CertloopError('AUTHORITY_UNREACHABLE', 'gone', { sent: 'no' })
    return window
  })
  const id = await w.configured('a.example', [await w.addBot('a'), await w.addBot('b')], { renewal })
  await w.act(id, 'rotate')
  assert.equal((await messages(w, id, 'renewal.window')).length, 1)
  assert.equal((await messages(w, id, 'renewal.window-unknown')).length, 1)
  assert.match(await why(w, id), /in the window/)
})

test('a window that was over before the certificate came does not renew it at once: it would be so for ever', () => {
  const [createdAt, askedAt, notAfter] = [new Date('2026-03-10T12:00:00Z'), new Date('2026-03-10T12:00:01Z'), new Date('2026-06-08T12:00:00Z')]
  const at = (end: string) => renewalTime({ createdAt, notAfter }, { ...renewalDefaults, ...renewal }, { spreadKey: 'crt', askedAt, window: { start: new Date('2026-03-09T00:00:00Z'), end: new Date(end) } }).at
  assert.ok(at('2026-03-10T11:59:59Z') >= new Date('2026-03-11T03:00:00Z'))
  assert.ok(at('2026-03-10T12:00:00.500Z') <= askedAt)
})

testOnDatabases('authorities that hang do not take up all places for work with questions after windows', async (t, database) => {
  const w = await makeWorld(t, database)
  wishing(w, () => undefined)
  const id = await w.configured('a.example', [await w.addBot('a')], { renewal })
  await w.act(id, 'rotate')
  const task = await database.db.selectFrom('task').selectAll().where('kind', '=', 'ask-renewal-window').executeTakeFirstOrThrow()
  let [inside, letGo] = [0, () => {}]
  const hang = new Promise<void>((resolve) => { letGo = resolve })
  const authorityOf: typeof w.deps.authorityOf = async (db, of) => ({ ...await w.deps.authorityOf(db, of), renewalWindow: async () => { inside++; await hang; return undefined } })
  const { run } = askRenewalWindowKind({ database, now: w.now, authorityOf })
  const { signal } = new AbortController()
  const runs = Array.from({ length: 6 }, () => run(task, signal))
  const [turnedAway] = await Promise.all(runs.slice(3))
  await database.transaction((tx, wake) => turnedAway?.(tx, wake) ?? assert.fail())
  const { state, notBefore } = await database.db.selectFrom('task').select(['state', 'notBefore']).where('id', '=', task.id).executeTakeFirstOrThrow()
  assert.deepEqual([state, notBefore >= after(w, 5).toISOString()], ['ready', true])
  letGo()
  await Promise.all(runs)
  await run(task, signal)
  assert.equal(inside, 4, 'three at once, and then there is a place again')
})
