import assert from 'node:assert/strict'
import { actionKinds, CertloopError, rolloutDefault } from '@certloop/contract'
import { createCsr, generateKey } from '@certloop/pki'
import { test } from 'node:test'
import { updateBot } from '../bot/bot-store.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { listDeployments } from '../deployment/deployment-store.ts'
import { listEvents } from '../event/event-store.ts'
import { listOrders } from '../order/order-store.ts'
import { leaseTasks } from '../task/task-store.ts'
import { inspectionOf, makeWorld, place } from '../world-testing.ts'
import { availability, whyNot, type ActionFacts, type RevocableVersion } from './action-rules.ts'

const refused = (code: string, message = /./) => (error: unknown) => error instanceof CertloopError && error.code === code && message.test(error.message)
const down = { code: 'FILE_UNWRITABLE' as const, message: 'The disk is read-only.', facts: {} }

test('which actions are possible when', () => {
  const newest: RevocableVersion = { orderedHere: true, expired: false, revocation: null, abilities: ['revoke', 'suspend', 'resume'] }
  const ready: ActionFacts = { openAction: null, isWaiting: false, openDeployment: false, configuration: 'complete', targetCount: 1, deployableCount: 1, current: [newest] }
  const all = [...actionKinds, 'delete']
  const but = (...kinds: string[]) => all.filter((kind) => !kinds.includes(kind))
  const held = { status: 'held', reason: 'certificateHold' } as const
  const rows: [string, Partial<ActionFacts>, string[]][] = [
    ['ready', {}, but('resume')],
    ['an action runs', { openAction: 'order' }, []],
    ['an action waits for its time', { openAction: 'renew', isWaiting: true }, ['deploy', 'rotate', 'rekey', 'revoke', 'suspend']],
    ['a deployment is open', { openDeployment: true }, ['revoke', 'suspend', 'recheck-pinning']],
    ['no configuration', { configuration: 'none' }, ['revoke', 'suspend', 'delete']],
    ['a draft', { configuration: 'draft' }, ['revoke', 'suspend', 'delete']],
    ['no target', { targetCount: 0, deployableCount: 0 }, ['order', 're-enrol', 'revoke', 'suspend', 'delete']],
    ['nothing issued on the hosts', { deployableCount: 0 }, but('deploy', 'resume')],
    ['nothing was ordered here', { current: [] }, but('renew', 'regenerate', 'revoke', 'suspend', 'resume')],
    ['the newest was found, not ordered', { current: [{ ...newest, orderedHere: false }] }, but('revoke', 'suspend', 'resume')],
    ['it has expired', { current: [{ ...newest, expired: true }] }, but('revoke', 'suspend', 'resume')],
    ['its authority can only revoke', { current: [{ ...newest, abilities: ['revoke'] }] }, but('suspend', 'resume')],
    ['it is suspended', { current: [{ ...newest, revocation: held }] }, but('suspend')],
    ['it is revoked', { current: [{ ...newest, revocation: { status: 'revoked', reason: 'superseded' } }] }, but('revoke', 'suspend', 'resume')],
  ]
  for (const [name, facts, possible] of rows) {
    const f = { ...ready, ...facts }
    assert.deepEqual(availability(f).filter((a) => a.possible).map((a) => a.action), possible, name)
    for (const a of availability(f)) assert.equal(a.why, whyNot(a.action, f))
    assert.ok(availability(f).every((a) => a.possible === (a.why === null)))
  }
})

testOnDatabases('two hosts: each has an order and a key of its own; what one does wrong does not stop the other', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('two.example', [a, b])
  const first = await w.act(id, 'rotate')
  assert.equal(first.state, 'done', first.reason ?? '')
  const { items: orders } = await listOrders(database.db, { certificateId: id, limit: 10 })
  assert.deepEqual(new Set(orders.map((o) => o.botId)), new Set([a.id, b.id]))
  const detail = await w.detail(id)
  assert.equal(detail.status, 'deployed')
  assert.equal(new Set(detail.installations.map((i) => i.fingerprint)).size, 2)

  b.fails.set('make-csr', down)
  const before = new Map(b.installed)
  const second = await w.act(id, 'rotate')
  assert.equal(second.state, 'failed')
  assert.match(second.reason ?? '', /read-only/)
  assert.equal(a.done.filter(({ kind }) => kind === 'deploy').length, 2, 'the other host got its new certificate')
  assert.deepEqual(b.installed, before)
  assert.equal(b.done.filter(({ kind }) => kind === 'deploy').length, 1, 'and the old one was not deployed anew')
  const after = await w.detail(id)
  assert.deepEqual([after.status, after.problem?.code], ['deployed', 'FILE_UNWRITABLE'])

  b.fails.clear()
  a.fails.set('deploy', down)
  const third = await w.act(id, 'rotate')
  assert.equal(third.state, 'failed')
  const { items: deployments } = await listDeployments(database.db, { certificateId: id, limit: 2 })
  assert.deepEqual(deployments.map((d) => d.state).toSorted(), ['deployed', 'failed'])
  assert.equal((await w.detail(id)).status, 'deployment-failed')
})

testOnDatabases('a revoked bot is left out, and what it had to do ends', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('left.example', [a, b])
  await updateBot(database.db, b.id, { revokedAt: w.now().toISOString() })
  const rotated = await w.act(id, 'rotate')
  assert.equal(rotated.state, 'done', rotated.reason ?? '')
  assert.equal(a.installed.size, 1)
  const events = await listEvents(database.db, { certificateId: id }, 50)
  assert.ok(events.some((e) => e.kind === 'action.target-left-out' && e.message.includes('"b"')))
  await updateBot(database.db, a.id, { revokedAt: w.now().toISOString() })
  await assert.rejects(w.start(id, 'rotate'), refused('CONFIGURATION_INCOMPLETE', /revoked/))
})

testOnDatabases('one action at a time; deploy says what it lacks', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('one.example', [bot])
  await assert.rejects(w.start(id, 'deploy'), refused('ACTION_NOT_POSSIBLE', /order first/))
  const results = await Promise.allSettled(Array.from({ length: 4 }, () => w.start(id, 'rotate')))
  assert.equal(results.filter((r) => r.status === 'fulfilled').length, 1)
  for (const r of results) if (r.status === 'rejected') assert.ok(refused('ACTION_NOT_POSSIBLE')(r.reason), String(r.reason))
  await assert.rejects(w.save(id, await w.configurationWith([])), refused('ACTION_NOT_POSSIBLE', /running/))
  await w.settle()
  const csrPem = await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names: ['one.example'] })
  assert.equal((await w.act(id, 'order', { csrPem })).state, 'done')
  const uploaded = (await w.detail(id)).versions.find((v) => v.custody === 'external')
  await assert.rejects(w.start(id, 'deploy', { versionId: uploaded?.id ?? 'ver_' }), refused('ACTION_NOT_POSSIBLE', /key is not on the host/))
  const other = await w.configured('other.example', [await w.addBot('c')])
  await w.act(other, 'rotate')
  const theirs = (await w.detail(other)).versions[0]
  await assert.rejects(w.start(id, 'deploy', { versionId: theirs?.id ?? 'ver_' }), refused('ACTION_NOT_POSSIBLE'), 'a version of another certificate')
})

testOnDatabases('recheck-pinning tells which place serves another certificate; initiate replaces nothing', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('pin.example', [bot])
  assert.equal((await w.act(id, 'initiate')).state, 'done')
  assert.equal(bot.installed.size, 0)
  await w.act(id, 'rotate')
  assert.equal((await w.act(id, 'recheck-pinning')).state, 'done')
  const other = await w.localCa.issue({ reference: 'x', csrPem: await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names: ['pin.example'] }), names: ['pin.example'], commonName: null, validityDays: 10, profile: 'server' })
  bot.installed.set(place('pin.example').certificatePath, other.chainPem.join('\n'))
  const checked = await w.act(id, 'recheck-pinning')
  assert.deepEqual([checked.state, (await w.detail(id)).problem?.code], ['failed', 'PROOF_MISMATCH'])
  assert.match(checked.reason ?? '', /pin\.example\.crt is out-of-sync/)
  bot.installed.set(place('pin.example').certificatePath, 'no certificate')
  assert.equal((await w.act(id, 'recheck-pinning')).state, 'failed')
  bot.fails.set('inspect-target', { code: 'SERVER_NOT_RUNNING', message: 'nginx is not running.', facts: {} })
  const third = await w.act(id, 'initiate')
  assert.deepEqual([third.state, third.reason], ['failed', 'nginx is not running.'])
})

testOnDatabases('leases are only for one bot: another sees no task of it', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  await w.start(await w.configured('mine.example', [a]), 'rotate')
  assert.equal((await leaseTasks(database, b.id, { owner: 'x', max: 9, seconds: 9 }, w.now())).length, 0)
  assert.equal((await leaseTasks(database, a.id, { owner: 'x', max: 9, seconds: 9 }, w.now())).length, 1)
})

testOnDatabases('deploy and recheck-pinning for some targets leave the others alone', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('some.example', [a, b])
  await w.act(id, 'rotate')
  const targets = (await w.detail(id)).configuration?.targets ?? []
  const ofA = targets.find((target) => target.botId === a.id)?.id ?? 'tgt_'
  const count = (bot: typeof a, kind: string) => bot.done.filter((task) => task.kind === kind).length
  assert.equal((await w.act(id, 'deploy', { targetIds: [ofA] })).state, 'done')
  assert.deepEqual([count(a, 'deploy'), count(b, 'deploy')], [2, 1])
  b.installed.clear()
  assert.equal((await w.act(id, 'recheck-pinning', { targetIds: [ofA] })).reason, 'The one place serves the expected certificate.')
  assert.deepEqual([count(a, 'inspect-target'), count(b, 'inspect-target')], [1, 0])
  assert.equal((await w.act(id, 'recheck-pinning')).state, 'failed')
})

testOnDatabases('installed and not served is a state of its own, with what to do', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('unserved.example', [bot])
  await w.act(id, 'rotate')
  const pem = bot.installed.get(place('unserved.example').certificatePath)
  const seen = inspectionOf(pem, w.now())
  const other = { ...seen, served: seen.served.map((s) => ({ ...s, fingerprint: 'f'.repeat(64) })) }
  bot.answers.set('inspect-target', other)
  await w.act(id, 'recheck-pinning')
  let detail = await w.detail(id)
  assert.deepEqual([detail.status, detail.nextAction, detail.problem?.code], ['deployed-not-served', 'deploy', 'PROOF_MISMATCH'])
  assert.match(detail.statusReason, /another certificate is served/)
  bot.answers.set('inspect-target', { ...seen, served: inspectionOf(undefined, w.now()).served })
  await w.act(id, 'recheck-pinning')
  detail = await w.detail(id)
  assert.deepEqual([detail.status, detail.nextAction], ['deployed-not-served', 'recheck-pinning'])
  bot.answers.clear()
  assert.deepEqual([(await w.act(id, 'deploy')).state, (await w.detail(id)).status], ['done', 'deployed'])
})

testOnDatabases('the action ends as its rollout does', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('wave.example', [a, b], { rollout: { ...rolloutDefault, mode: 'in-order' } })
  const first = await w.act(id, 'rotate')
  assert.deepEqual([first.state, first.reason, (await w.detail(id)).lastAction?.rolloutId?.slice(0, 4)], ['done', 'Deployed and proven at 2 places.', 'rol_'])
  a.fails.set('deploy', down)
  const second = await w.act(id, 'rotate')
  assert.equal(second.state, 'failed')
  assert.match(second.reason ?? '', /[Ss]topped/)
  assert.equal(b.done.filter(({ kind }) => kind === 'deploy').length, 1, 'the second host was left alone')
  assert.match(second.error ?? '', /FILE_UNWRITABLE/)
  const { status, nextAction } = await w.detail(id)
  assert.deepEqual([status, nextAction], ['deployment-failed', 'deploy'])
})
