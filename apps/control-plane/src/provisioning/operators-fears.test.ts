import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCsr, generateKey } from '@certloop/pki'
import { findConfiguration } from './configuration-store.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { forgetPlaces, recordScan } from '../discovery/record-scan.ts'
import { listOrders, getOrder } from '../order/order-store.ts'
import { renewalTime } from '../renewal/renewal-time.ts'
import { CertloopError, renewalDefaults } from '@certloop/contract'
import { makeWorld, scanOf, slotOf, type World } from '../world-testing.ts'

/** Days go by with everything done that falls due, an hour at a time. */
async function live(w: World, days: number): Promise<void> {
  for (let hour = 0; hour < days * 24; hour += 6) {
    w.clock.pass(6 * 3600)
    await w.settle()
  }
}

/** A certificate of this CA as somebody else would install it. */
async function pemFor(w: World, reference: string, ...names: string[]): Promise<string> {
  const csrPem = await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names })
  return (await w.localCa.issue({ reference, csrPem, names, commonName: null, validityDays: 80, profile: 'server' })).chainPem.join('\n')
}

testOnDatabases('a host that can not be deployed to does not keep another from being renewed', async (t, database) => {
  const w = await makeWorld(t, database)
  const [good, dead] = [await w.addBot('good'), await w.addBot('dead')]
  const id = await w.configured('two.example', [good, dead])
  await w.act(id, 'rotate')
  dead.fails.set('plan-deployment', { code: 'SERVER_NOT_RUNNING', message: 'nginx does not run.', facts: {} })
  await live(w, 165)
  const versions = (await w.detail(id)).versions.filter((v) => v.keyBotId === good.id)
  const newest = versions[0]
  assert.ok(newest && new Date(newest.notAfter) > w.now(), `the newest version on the healthy host ended ${newest?.notAfter}, now it is ${w.now().toISOString()}`)
  assert.equal((await w.detail(id)).installations.find((i) => i.botId === good.id)?.fingerprint, newest.fingerprint)
})

testOnDatabases('what a scan claims is never ordered', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, stranger] = [await w.addBot('a'), await w.addBot('stranger', 'discovery')]
  const id = await w.configured('x.example', [a])
  await w.act(id, 'rotate')
  const own = a.installed.get('/etc/ssl/x.example.crt') ?? ''
  const evil = await pemFor(w, 'evil', 'evil.example', 'bank.internal')
  for (const pem of [own, evil]) await database.transaction((tx, wake) => recordScan(tx, wake, stranger.id, scanOf([slotOf('elsewhere', pem, w.now())], w.now()), w.now()))
  // And on the very place of the target: drift, but nobody's wish.
  await database.transaction((tx, wake) => recordScan(tx, wake, a.id, scanOf([slotOf('x.example', evil, w.now())], w.now()), w.now()))
  assert.equal((await w.act(id, 'rotate')).state, 'done')
  const { items } = await listOrders(database.db, { certificateId: id, limit: 10 })
  assert.deepEqual(items.map((o) => o.names), [['x.example'], ['x.example']])
  assert.deepEqual((await w.detail(id)).names, ['x.example'])
})

testOnDatabases('what is newest does not depend on the clock', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured('clock.example', [await w.addBot('a')])
  await w.act(id, 'rotate')
  w.clock.pass(-3600)
  assert.equal((await w.act(id, 'rotate')).state, 'done')
  const { versions, fingerprint, status, installations } = await w.detail(id)
  assert.deepEqual([versions.length, status], [2, 'deployed'])
  assert.equal(installations[0]?.fingerprint, fingerprint)
  assert.equal(versions[0]?.fingerprint, fingerprint)
})

testOnDatabases('a copy at a place that nobody configured is unexpected, and no trouble for the targets', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('copy.example', [a])
  await w.act(id, 'rotate')
  const old = a.installed.get('/etc/ssl/copy.example.crt') ?? ''
  await database.transaction((tx, wake) => recordScan(tx, wake, b.id, scanOf([slotOf('copied', old, w.now())], w.now()), w.now()))
  await w.act(id, 'rotate')
  const detail = await w.detail(id)
  assert.deepEqual(detail.installations.map((i) => [i.botId === a.id, i.state]).toSorted((x, y) => Number(y[0]) - Number(x[0])), [[true, 'in-sync'], [false, 'unexpected']])
  assert.deepEqual([detail.status, detail.problem], ['deployed', null])
})

testOnDatabases('a failed detection says nothing of what is missing; a server that is gone does, also beside one that can not be read', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const pem = await pemFor(w, 'one', 'one.example')
  const scan = (result: ReturnType<typeof scanOf>) => database.transaction((tx, wake) => recordScan(tx, wake, bot.id, result, w.now()))
  const count = async () => (await database.db.selectFrom('installation').select('id').execute()).length
  await scan(scanOf([slotOf('one.example', pem, w.now())], w.now()))
  assert.equal(await count(), 1)
  await scan({ ...scanOf([], w.now()), servers: [], problems: [{ code: 'INTERNAL', message: 'Servers of type nginx: it broke', facts: { serverType: 'nginx' } }] })
  assert.equal(await count(), 1)
  const broken = scanOf([], w.now(), { code: 'PLACE_UNSUPPORTED', message: 'It runs in a container.', facts: {} }).servers.map((s) => ({ ...s, key: '/container/nginx.conf' }))
  await scan({ ...scanOf([], w.now()), servers: broken })
  assert.equal(await count(), 0)
})

testOnDatabases('an order whose outcome is unknown waits for a person and is not asked for again', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured('doubt.example', [await w.addBot('a')])
  const issue = w.localCa.issue.bind(w.localCa)
  w.localCa.issue = async (options) => {
    await issue(options)
    throw new CertloopError('AUTHORITY_UNREACHABLE', 'The connection was lost.')
  }
  const action = await w.start(id, 'rotate')
  await w.settle()
  const order = { id: (await w.database.db.selectFrom('certificateOrder').select('id').executeTakeFirstOrThrow()).id }
  w.clock.pass(26 * 3600)
  await w.watch()
  await live(w, 3)
  const after = await getOrder(database.db, order.id)
  assert.equal(after.state, 'uncertain')
  assert.match(after.error ?? '', /ORDER_UNCERTAIN/)
  assert.equal((await listOrders(database.db, { certificateId: id, limit: 10 })).items.length, 1)
  assert.equal((await w.detail(id)).lastAction?.id, action.id)
  assert.equal((await findConfiguration(database.db, id))?.complete, 1)
})

test('a certificate of one day is renewed before it ends', () => {
  const settings = { ...renewalDefaults, enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' }
  const createdAt = new Date('2026-03-01T03:00:02Z')
  const notAfter = new Date('2026-03-02T02:00:01Z')
  const due = renewalTime({ createdAt, notAfter }, settings, { spreadKey: 'crt_a' }).at
  assert.ok(due > createdAt && due < notAfter, due.toISOString())
})

testOnDatabases('the end of what is served decides about the next attempt, not that of a version nobody serves', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const csr = { commonName: null, names: [], keyAlgorithm: 'ec-256' as const, keyReuse: false, validityDays: 40 }
  const id = await w.configured('served.example', [bot], { csr })
  await w.act(id, 'rotate')
  await w.save(id, await w.configurationWith([w.target(bot, 'served.example')]))
  bot.fails.set('plan-deployment', { code: 'SERVER_CONFIGURATION_UNREADABLE', message: 'nginx.conf is broken.', facts: {} })
  w.clock.pass(12 * 86_400)
  assert.equal((await w.act(id, 'rotate')).state, 'failed')
  const { notAfter, nextRenewalAt, status } = await w.detail(id)
  assert.equal(status, 'deployment-failed')
  assert.ok(nextRenewalAt && notAfter && nextRenewalAt < notAfter, `next attempt ${nextRenewalAt}, what is served ends ${notAfter}`)
  bot.fails.clear()
  await live(w, 2)
  assert.deepEqual([(await w.detail(id)).status, (await w.detail(id)).problem], ['deployed', null])
})

testOnDatabases('a newer version that waits is no alarm; one that somebody else installed is', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('wait.example', [bot])
  await w.act(id, 'rotate')
  await w.save(id, await w.configurationWith([w.target(bot, 'wait.example')], { approval: 'manual' }))
  await w.act(id, 'order')
  await w.start(id, 'deploy')
  await w.settle()
  assert.equal((await w.detail(id)).problem, null)
  const other = await pemFor(w, 'other', 'wait.example')
  await database.transaction((tx, wake) => recordScan(tx, wake, bot.id, scanOf([slotOf('wait.example', other, w.now())], w.now()), w.now()))
  assert.equal((await w.detail(id)).problem?.code, 'PROOF_MISMATCH')
})

testOnDatabases('a target whose server does not run is shown as serving nothing', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('gone.example', [bot])
  await w.act(id, 'rotate')
  bot.fails.set('inspect-target', { code: 'SERVER_NOT_RUNNING', message: 'nginx does not run.', facts: {} })
  assert.equal((await w.act(id, 'recheck-pinning')).state, 'failed')
  const { installations, problem } = await w.detail(id)
  assert.deepEqual(installations.map((i) => [i.state, i.served.map((s) => s.fingerprint)]), [['missing', [null]]])
  assert.equal(problem?.code, 'PROOF_MISMATCH')
})

testOnDatabases('the places of a bot that was revoked do not linger', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, second] = [await w.addBot('a'), await w.addBot('second')]
  const id = await w.configured('linger.example', [a])
  await w.act(id, 'rotate')
  const pem = a.installed.get('/etc/ssl/linger.example.crt') ?? ''
  await database.transaction((tx, wake) => recordScan(tx, wake, second.id, scanOf([slotOf('linger.example', pem, w.now())], w.now()), w.now()))
  assert.equal((await w.detail(id)).installations.length, 2)
  await database.transaction((tx, wake) => forgetPlaces(tx, wake, second.id, w.now()))
  await database.transaction((tx, wake) => forgetPlaces(tx, wake, a.id, w.now()))
  assert.deepEqual((await w.detail(id)).installations.map((i) => i.botId), [a.id], 'a target stays, for a person to decide about')
})
