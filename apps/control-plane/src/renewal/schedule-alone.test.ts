import assert from 'node:assert/strict'
import { CertloopError, rolloutDefault, type CertificateId, type RolloutSettings } from '@certloop/contract'
import { updateBot } from '../bot/bot-store.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { undoDeployment } from '../deployment/undo.ts'
import { stopRollout } from '../rollout/rollout-control.ts'
import { addTask } from '../task/task-store.ts'
import { makeWorld, type TestBot, type World } from '../world-testing.ts'
import { renewKind } from './renewal-worker.ts'

const day = 86_400
const down = { code: 'FILE_UNWRITABLE' as const, message: 'The disk is read-only.', facts: {} }
const inOrder: RolloutSettings = { ...rolloutDefault, mode: 'in-order', canary: 1, gate: { ...rolloutDefault.gate, soakSeconds: 3600 } }

/** Until the time that the certificate itself gives, and everything that follows. */
async function toNext(w: World, id: CertificateId) {
  const { nextRenewalAt } = await w.detail(id)
  assert.ok(nextRenewalAt)
  w.clock.pass((Date.parse(nextRenewalAt) - w.now().getTime()) / 1000 + 1)
  await w.settle()
}
const revoke = (w: World, bot: TestBot) => updateBot(w.database.db, bot.id, { revokedAt: w.now().toISOString() })
const deploys = (bot: TestBot) => bot.done.filter(({ kind }) => kind === 'deploy').length
const actionsOf = async (w: World, id: CertificateId) => (await w.database.db.selectFrom('action').select(['kind', 'requester', 'state']).where('certificateId', '=', id).orderBy('id').execute()).map(({ kind, requester, state }) => [kind, requester, state].join(' '))
async function pass(w: World, days: number) {
  for (let i = 0; i < days; i++) {
    w.clock.pass(day)
    await w.settle()
  }
}

testOnDatabases('one of two bots is revoked: the other is renewed once, and the one left out is told of', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('x.example', [a, b])
  await w.act(id, 'rotate')
  await revoke(w, b)
  await toNext(w, id)
  assert.deepEqual(await actionsOf(w, id), ['rotate user:test done', 'renew schedule done'])
  const detail = await w.detail(id)
  assert.match(detail.statusReason, /Left out, as its bot was revoked: .*\(b\)\. Nothing is renewed there/)
  assert.deepEqual([detail.nextAction, detail.problem?.code], ['configure', 'CONFIGURATION_INCOMPLETE'])
  assert.ok(Date.parse(detail.nextRenewalAt ?? '') > w.now().getTime() + 30 * day * 1000)
})

testOnDatabases('a host that failed and whose bot was then revoked has the other deployed to no more', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('x.example', [a, b])
  await w.act(id, 'rotate')
  b.fails.set('deploy', down)
  await toNext(w, id)
  await revoke(w, b)
  await pass(w, 3)
  assert.deepEqual([deploys(a), (await actionsOf(w, id)).length], [2, 2])
})

testOnDatabases('a host that is added with an earlier version gets a version of its own; the one that has its own is left alone', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, c] = [await w.addBot('a'), await w.addBot('c')]
  const id = await w.configured('x.example', [a])
  await w.act(id, 'rotate')
  const old = new Map(a.installed)
  w.clock.pass(50 * day)
  await w.act(id, 'rotate')
  for (const [path, pem] of old) c.installed.set(path, pem)
  await w.save(id, await w.configurationWith([w.target(a, 'x.example'), w.target(c, 'x.example')]))
  await w.act(id, 'initiate')
  await toNext(w, id)
  assert.deepEqual([deploys(a), deploys(c), (await actionsOf(w, id)).at(-1), (await w.detail(id)).status], [2, 1, 'renew schedule done', 'deployed'])
})

testOnDatabases('nothing that could be deployed does not keep the renewal from starting', async (t, database) => {
  const w = await makeWorld(t, database)
  const a = await w.addBot('a')
  const id = await w.configured('x.example', [a])
  await w.act(id, 'rotate')
  a.fails.set('deploy', down)
  await toNext(w, id)
  const b = await w.addBot('b')
  for (const [path, pem] of a.installed) b.installed.set(path, pem)
  await revoke(w, a)
  await w.save(id, await w.configurationWith([w.target(b, 'x.example')]))
  await w.act(id, 'recheck-pinning')
  await pass(w, 3)
  assert.equal((await w.detail(id)).status, 'deployed')
  assert.equal(await w.database.db.selectFrom('event').select('id').where('kind', '=', 'renewal.blocked').executeTakeFirst(), undefined)
})

testOnDatabases('an earlier version that a person deployed stays, and what is served there is renewed in time', async (t, database) => {
  const w = await makeWorld(t, database)
  const a = await w.addBot('a')
  const id = await w.configured('x.example', [a])
  await w.act(id, 'rotate')
  const [first] = (await w.detail(id)).versions
  await toNext(w, id)
  await w.act(id, 'deploy', { versionId: first?.id })
  assert.match((await w.detail(id)).statusReason, /Another version than the newest was deployed by hand: .* by user:test\. It is not deployed there again by itself/)
  await pass(w, 15)
  assert.equal(deploys(a), 3, 'nothing was put there by itself')
  await pass(w, 8)
  const { versions, status, notAfter } = await w.detail(id)
  assert.deepEqual([versions.length, status, deploys(a)], [3, 'deployed', 4])
  assert.ok(Date.parse(notAfter ?? '') > w.now().getTime() + 60 * day * 1000)
})

testOnDatabases('what was taken back is followed by a newer version before what is served ends', async (t, database) => {
  const w = await makeWorld(t, database)
  const a = await w.addBot('a')
  const id = await w.configured('x.example', [a])
  await w.act(id, 'rotate')
  await toNext(w, id)
  const { id: last } = await database.db.selectFrom('deployment').select('id').orderBy('id', 'desc').executeTakeFirstOrThrow()
  await database.transaction((tx, wake) => undoDeployment(tx, wake, last, { requester: 'user:anna' }, w.secrets, w.now()))
  await w.settle()
  await pass(w, 23)
  assert.deepEqual([(await w.detail(id)).status, deploys(a)], ['deployed', 3])
})

testOnDatabases('what a person stopped, or stopped by itself, goes no further until a person comes', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('x.example', [a, b], { rollout: inOrder })
  await w.act(id, 'rotate')
  w.clock.pass(3700)
  await w.settle()
  w.clock.pass(3700)
  await w.settle()
  await toNext(w, id)
  const rollout = await database.db.selectFrom('rollout').select('id').where('endedAt', 'is', null).executeTakeFirstOrThrow()
  await database.transaction((tx, wake) => stopRollout(tx, wake, rollout.id, 'user:anna', w.now()))
  await w.settle()
  await pass(w, 3)
  assert.deepEqual([deploys(a), deploys(b)], [2, 1])
  assert.match((await w.detail(id)).statusReason, /stopped before it was through: .* by user:anna/)
  a.fails.set('deploy', down)
  await w.act(id, 'rotate')
  await pass(w, 3)
  assert.deepEqual([deploys(a), deploys(b)], [3, 1], 'the failure of the canary is not tried again by itself')
  assert.match((await w.detail(id)).statusReason, /Its rollout was stopped; nothing is deployed any further by itself/)
  a.fails.clear()
  await w.act(id, 'deploy')
  for (let i = 0; i < 4; i++) {
    w.clock.pass(3700)
    await w.settle()
  }
  assert.equal((await w.detail(id)).status, 'deployed')
})

testOnDatabases('while another deployment holds the place, waiting is told once and not each minute', async (t, database) => {
  const w = await makeWorld(t, database)
  const a = await w.addBot('a')
  const id = await w.configured('x.example', [a])
  await w.act(id, 'rotate')
  await w.act(id, 'rotate')
  a.silent.add('make-csr')
  await w.start(id, 'renew')
  await w.settle()
  const { id: last } = await database.db.selectFrom('deployment').select('id').orderBy('id', 'desc').executeTakeFirstOrThrow()
  a.silent.add('undo-deployment')
  await database.transaction((tx, wake) => undoDeployment(tx, wake, last, { requester: 'user:anna' }, w.secrets, w.now()))
  a.silent.delete('make-csr')
  for (let i = 0; i < 10; i++) {
    w.clock.pass(61)
    await w.settle()
  }
  const told = await database.db.selectFrom('event').select('id').where('kind', '=', 'action.waiting').execute()
  assert.equal(told.length, 1)
})

testOnDatabases('a deployment by the schedule that can not be started is written down as one', async (t, database) => {
  const w = await makeWorld(t, database)
  const a = await w.addBot('a')
  const id = await w.configured('x.example', [a])
  await w.act(id, 'rotate')
  a.fails.set('deploy', down)
  await toNext(w, id)
  const kind = renewKind({ database, secrets: w.secrets, now: w.now })
  w.clock.pass(60)
  await database.transaction(async (tx, wake) => {
    const task = await addTask(tx, wake, { executor: 'control-plane', kind: 'renew', subject: id, notBefore: w.now() }, w.now())
    const row = await tx.selectFrom('task').selectAll().where('id', '=', task).executeTakeFirstOrThrow()
    await kind.failed(tx, wake, row, new CertloopError('CONFIGURATION_INCOMPLETE', 'No.'))
  })
  assert.equal((await actionsOf(w, id)).at(-1), 'deploy schedule failed')
})
