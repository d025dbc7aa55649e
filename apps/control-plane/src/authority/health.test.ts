import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { CertloopError, type AuthorityId, type TestReport } from '@certloop/contract'
import { selfSignedPair } from '@certloop/test-kit'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { makeWorld, type World } from '../world-testing.ts'
import { getAuthority, listAuthorities } from './authority-store.ts'
import { showAuthority } from './authority-view.ts'
import { testPlugin } from '../plugin/test-report.ts'
import { createGate } from './gate.ts'
import { healthOf, nextHealth, type KeptHealth, type Seen } from '../plugin/health.ts'
import { checkTask, noteSeen, scheduleChecks } from './health-worker.ts'

const start = Date.parse('2026-03-01T00:00:00Z')
const at = (minutes: number) => new Date(start + minutes * 60_000)
const report = (ok: boolean): Seen => ({ report: { at: '', ok, steps: [], error: null } })
const work = (ok: boolean): Seen => ({ work: ok ? null : new CertloopError('AUTHORITY_UNREACHABLE', 'gone') })
const unknown = healthOf({ health: '{}' })

test('the state follows what is seen, and each change is news once', () => {
  const story: [Seen, minutes: number, state: string, news: string | null][] = [
    [report(true), 0, 'ok', null], [report(true), 60, 'ok', null], [report(false), 120, 'failing', 'failing'], [report(false), 125, 'failing', null], [report(true), 130, 'ok', 'recovered'],
    [work(false), 140, 'failing', 'failing'], [work(false), 141, 'failing', null],
    [report(true), 146, 'failing', null], [report(true), 200.9, 'failing', null], [report(true), 201, 'ok', 'recovered'],
    [work(false), 210, 'failing', 'failing'], [work(true), 211, 'ok', 'recovered'], [work(true), 212, 'ok', null],
  ]
  let health: KeptHealth = unknown
  for (const [seen, minutes, state, news] of story) {
    const next = nextHealth(health, seen, at(minutes), 0.5)
    assert.deepEqual([next.health.state, next.news], [state, news], `at ${minutes}`)
    health = next.health
  }
  assert.deepEqual(nextHealth(unknown, report(false), at(0), 0.5).news, 'failing', 'one that never worked is news as well')
})

test('it is looked at every hour, sooner while it fails, more seldom the longer that lasts, and not all at once', () => {
  const minutesTo = (health: KeptHealth, now: Date) => (Date.parse(health.nextCheckAt ?? '') - now.getTime()) / 60_000
  const ok = nextHealth(unknown, report(true), at(0), 0.5).health
  assert.equal(minutesTo(ok, at(0)), 60)
  assert.deepEqual([0, 0.999].map((random) => Math.round(minutesTo(nextHealth(unknown, report(true), at(0), random).health, at(0)))), [54, 66])
  const failing = nextHealth(ok, report(false), at(60), 0.5).health
  assert.deepEqual([60, 100, 10_000].map((minutes) => minutesTo(nextHealth(failing, report(false), at(minutes), 0.5).health, at(minutes))), [5, 20, 60])
  assert.equal(nextHealth(ok, work(true), at(10), 0.5).health.nextCheckAt, ok.nextCheckAt, 'work that goes well puts nothing off')
  assert.equal(minutesTo(nextHealth(ok, work(false), at(10), 0.5).health, at(10)), 5, 'work that fails brings it forward')
})

test('a test says what was tried and seen, stops at the first step that fails, and has an end', async () => {
  let time = start
  const now = () => new Date(time)
  const tried: string[] = []
  const seen = await testPlugin(async () => ({
    async test({ step }) {
      await step('One', async () => { time += 1500; return 7 }, (n) => `saw ${n}`)
      await step('Two', async () => { tried.push('two'); throw new CertloopError('AUTHORITY_ACCOUNT_REFUSED', 'no such account') }, () => 'x')
      tried.push('three')
    },
  }), now)
  assert.deepEqual([seen, tried], [{ at: '2026-03-01T00:00:00.000Z', ok: false, steps: [{ title: 'One', ok: true, seen: 'saw 7', milliseconds: 1500 }, { title: 'Two', ok: false, seen: 'no such account', milliseconds: 0 }], error: { code: 'AUTHORITY_ACCOUNT_REFUSED', message: 'no such account', facts: {} } } satisfies TestReport, ['two']])
  const late = await testPlugin(async () => ({ test: ({ step }) => step('Asking', () => new Promise<never>(() => {}), () => '') }), now, { late: 'AUTHORITY_UNREACHABLE', milliseconds: 20 })
  assert.deepEqual([late.ok, late.steps[0]?.seen], [false, 'There was no answer within 0.02 s.'])
  const broken = await testPlugin(async () => { throw new CertloopError('SECRET_UNREADABLE', 'sealed by another') }, now)
  assert.deepEqual(broken.steps.map(({ title, seen: text }) => [title, text]), [['Getting ready', 'sealed by another']])
})

test('so many calls at a time, the others in their order, also when the width changes', async () => {
  const gate = createGate()
  gate.width = 2
  const [ends, begun]: [(() => void)[], number[]] = [[], []]
  const all = Array.from({ length: 6 }, (_, i) => gate.pass(() => new Promise<void>((resolve) => { begun.push(i); ends.push(resolve) })))
  const endNext = async () => {
    ends.shift()?.()
    await new Promise((resolve) => { setImmediate(resolve) })
  }
  assert.deepEqual(begun, [0, 1])
  await endNext()
  assert.deepEqual(begun, [0, 1, 2])
  gate.width = 1
  await endNext()
  assert.deepEqual(begun, [0, 1, 2])
  await endNext()
  assert.deepEqual(begun, [0, 1, 2, 3])
  while (ends.length > 0) await endNext()
  await Promise.all(all)
  await assert.rejects(gate.pass(async () => { throw new Error('x') }))
  await gate.pass(async () => {})
})

/** Something that speaks HTTPS and answers as told; not an authority. */
async function startAnswering(t: TestContext) {
  const { certPem, keyPem } = await selfSignedPair(['127.0.0.1'])
  const state = { status: 500, headers: {} as Record<string, string>, body: '{}', calls: 0, trustPem: certPem, url: '' }
  const server = createServer({ cert: certPem, key: keyPem }, (_request, response) => { state.calls++; response.writeHead(state.status, { 'content-type': 'application/problem+json', ...state.headers }).end(state.body) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.closeAllConnections(); server.close() })
  state.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/dir`
  return state
}
const news = async (w: World) => (await listEvents(w.database.db, {}, 50)).filter(({ kind }) => /^authority\.(failing|recovered)/.test(kind)).map(({ kind, error }) => [kind, error?.code]).toReversed()
const checks = (w: World, id: AuthorityId) => w.database.db.selectFrom('task').selectAll().where('kind', '=', checkTask).where('subject', '=', id).execute()

testOnDatabases('an authority is looked at by itself; what is new is told once; a removed one is left alone', async (t, database) => {
  const w = await makeWorld(t, database)
  const [builtIn] = await listAuthorities(database.db)
  assert.ok(builtIn)
  await scheduleChecks({ database, now: w.now, random: () => 0.5 })
  assert.deepEqual((await checks(w, builtIn.id)).map(({ notBefore }) => notBefore), ['2026-03-01T00:30:00.000Z'])
  w.clock.pass(600)
  await scheduleChecks({ database, now: w.now, random: () => 0.5 })
  w.clock.pass(3600)
  await w.settle()
  assert.deepEqual([healthOf(await getAuthority(database.db, builtIn.id)).state, await news(w)], ['ok', []])
  const before = healthOf(await getAuthority(database.db, builtIn.id)).nextCheckAt
  await scheduleChecks({ database, now: w.now, random: () => 0.1 })
  assert.deepEqual((await checks(w, builtIn.id)).map(({ notBefore, state }) => [notBefore, state]), [[before, 'ready']], 'a start puts nothing off')

  const server = await startAnswering(t)
  const { id } = await w.deps.authorities.create({ name: 'Ill', kind: 'acme', fields: { directoryUrl: server.url, trustPem: server.trustPem, termsAgreed: true } }, 'user:test')
  const asked = server.calls
  for (let i = 0; i < 3; i++) {
    w.clock.pass(3700)
    await w.settle()
  }
  assert.ok(server.calls >= asked + 3)
  assert.deepEqual(await news(w), [['authority.failing', healthOf(await getAuthority(database.db, id)).lastReport?.error?.code]])
  await w.deps.authorities.remove(id, 'user:test')
  assert.deepEqual(await checks(w, id), [])
  await database.transaction((tx, wake) => noteSeen(tx, wake, id, work(false), { now: w.now, random: () => 0.5 }))
  assert.deepEqual(await checks(w, id), [])
})

testOnDatabases('work feeds health, and a pause that the authority asks for is kept for all work', async (t, database) => {
  const w = await makeWorld(t, database)
  const server = await startAnswering(t)
  const { id } = await w.deps.authorities.create({ name: 'Ill', kind: 'acme', fields: { directoryUrl: server.url, trustPem: server.trustPem, termsAgreed: true } }, 'user:test')
  await database.db.updateTable('authority').set({ health: '{}' }).where('id', '=', id).execute()
  const ask = async () => {
    const { submit } = await w.deps.authorityOf(database.db, id)
    const call = { signal: new AbortController().signal, note: () => {}, keep: async () => {} }
    const error: unknown = await submit({ reference: 'ord_1', csrPem: '', names: ['a.example'], commonName: null, keyAlgorithm: 'ec-256', validityDays: null }, call).catch((thrown: unknown) => thrown)
    assert.ok(error instanceof CertloopError)
    return error
  }
  const first = await ask()
  assert.deepEqual(await news(w), [['authority.failing', 'AUTHORITY_UNREACHABLE'], ['authority.failing', first.code]])
  assert.equal((await checks(w, id))[0]?.notBefore, new Date(w.now().getTime() + 300_000).toISOString(), 'it is looked at soon')
  Object.assign(server, { status: 429, headers: { 'retry-after': '120' }, body: '{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too much"}' })
  assert.equal((await ask()).code, 'AUTHORITY_RATE_LIMITED')
  const calls = server.calls
  assert.deepEqual([(await ask()).facts['sent'], server.calls], ['no', calls], 'nobody asks it meanwhile')
  w.clock.pass(121)
  await ask()
  assert.equal(server.calls, calls + 1)
  await database.db.updateTable('authority').set({ pausedUntil: null }).execute()
  const { id: own } = (await listAuthorities(database.db))[0] ?? assert.fail()
  await database.transaction((tx, wake) => noteSeen(tx, wake, own, work(false), { now: w.now, random: () => 0.5 }))
  const bot = await w.addBot('a')
  await w.act(await w.configured('a.example', [bot]), 'rotate')
  assert.deepEqual((await news(w)).slice(2), [['authority.failing', 'AUTHORITY_UNREACHABLE'], ['authority.recovered', undefined]], 'an order that went well says that it works')
  assert.equal(healthOf(await getAuthority(database.db, own)).state, 'ok')
})

test('a kind that this release does not know is told so, and stops nothing else', async (t) => {
  const w = await makeWorld(t, await emptyDatabase(t))
  const [own] = await listAuthorities(w.database.db)
  assert.ok(own)
  await w.database.db.updateTable('authority').set({ kind: 'of-tomorrow' }).execute()
  await assert.rejects(w.deps.authorityOf(w.database.db, own.id), (error: unknown) => error instanceof CertloopError && error.code === 'CONFIGURATION_INCOMPLETE')
  assert.equal((await w.deps.authorities.test(own.id)).ok, false)
  const { title, facts, chainPem, abilities } = await showAuthority(w.deps, await getAuthority(w.database.db, own.id))
  assert.deepEqual([title, facts, chainPem, abilities], ['of-tomorrow', { problem: 'There is no connector of kind "of-tomorrow".' }, [], []])
})
