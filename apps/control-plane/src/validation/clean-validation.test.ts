import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { updateBot } from '../bot/bot-store.ts'
import { leaseWork, reportResult } from '../bot/leases.ts'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { wideReads } from '../database/plan-testing.ts'
import { leaseTasks } from '../task/task-store.ts'
import { leftBehind, listValidations, othersAt, servedAt, toBeCleaned, withoutWork } from './validation-store.ts'
import { makeValidations, wanted, type Validations } from './validation-testing.ts'

async function askedByDns(v: Validations, name = 'a.example.com') {
  const made = await v.addOrder([name], { method: 'dns' })
  await v.sync(made, [wanted(name)])
  await v.settle()
  return made
}

testOnDatabases('what can not be removed is said once with what to do by hand, tried at each sweep, and removed in the end', async (_t, database) => {
  const v = await makeValidations(database)
  const made = await askedByDns(v)
  await v.sweep()
  v.zones.state.fails = new CertloopError('DNS_PROVIDER_REFUSED', 'The token may not write example.com.')
  await v.end(made.attempt, 'failed')
  await v.settle()
  const row = await v.one(made.attempt)
  assert.equal(row.cleanup, 'stuck')
  assert.match(row.nextAction ?? '', /The token may not write.*tried again each hour\. To do by hand: remove the TXT record _acme-challenge\.a\.example\.com with the value value-of-proof-of-a\.example\.com from the zone example\.com/)
  await v.pass(7_200, 600)
  assert.equal((await v.events(made.order)).filter((kind) => kind === 'validation.stuck').length, 1)
  v.zones.state.fails = undefined
  await v.pass(3_600, 600)
  const after = await v.one(made.attempt)
  assert.deepEqual([after.cleanup, after.nextAction, v.zones.values.size], ['removed', null, 0])
})

test('a provider without time is asked again before anybody is told', async (t) => {
  const v = await makeValidations(await emptyDatabase(t))
  const made = await askedByDns(v)
  v.zones.state.fails = new CertloopError('DNS_PROVIDER_UNREACHABLE', 'api.dns.test can not be reached.')
  await v.end(made.attempt, 'issued')
  await v.pass(600)
  assert.deepEqual([(await v.one(made.attempt)).state, (await v.one(made.attempt)).cleanup], ['valid', 'removing'])
  await v.pass(1_800)
  assert.equal((await v.one(made.attempt)).cleanup, 'stuck')
  v.zones.state.fails = undefined
  await v.sweep()
  await v.settle()
  assert.equal((await v.one(made.attempt)).cleanup, 'removed')
})

testOnDatabases('a bot that was revoked, and a provider that is gone: stuck until nothing is to be seen any more', async (_t, database) => {
  const v = await makeValidations(database)
  const bot = await v.addBot('web1')
  const file = await v.addOrder(['b.example.com'], { method: 'file', path: '/srv/www/' }, bot.id)
  await v.sync(file, [wanted('b.example.com')])
  const record = await askedByDns(v)
  await updateBot(database.db, bot.id, { revokedAt: v.now().toISOString() })
  v.zones.state.gone = true
  for (const { attempt } of [file, record]) await v.end(attempt, 'issued')
  await v.settle()
  assert.match((await v.one(file.attempt)).nextAction ?? '', /The bot "web1" that placed it was revoked\..*remove the file \/srv\/www\/\.well-known\/acme-challenge\/proof-of-b-example-com on the host web1/)
  await v.sweep()
  await v.settle()
  assert.deepEqual([(await v.one(file.attempt)).cleanup, (await v.one(record.attempt)).cleanup], ['stuck', 'stuck'], 'it is still to be seen')
  v.served.clear()
  v.zones.values.clear()
  await v.sweep()
  await v.settle()
  assert.deepEqual([(await v.one(file.attempt)).cleanup, (await v.one(record.attempt)).cleanup], ['removed', 'removed'])
})

testOnDatabases('a bot that was placing it just then is told to remove it after that', async (_t, database) => {
  const v = await makeValidations(database)
  const bot = await v.addBot('web1')
  bot.silent = true
  const made = await v.addOrder(['b.example.com'], { method: 'file', path: '/srv/www' }, bot.id)
  await v.sync(made, [wanted('b.example.com')])
  await v.settle()
  const [task] = await leaseWork(v.leaseDeps, bot.id, { bootId: 'boot-0001', waitSeconds: 0, max: 5 }, new AbortController().signal)
  assert.ok(task)
  await v.end(made.attempt, 'cancelled')
  await v.runPlane()
  bot.silent = false
  await v.runBot(bot)
  assert.equal((await v.one(made.attempt)).cleanup, 'removed')
  await v.answer(bot, task).catch((error: unknown) => assert.ok(error instanceof CertloopError && error.code === 'LEASE_LOST'))
  assert.equal(bot.placed.size, 1, 'it placed the file after it had removed it')
  await v.settle()
  assert.deepEqual([(await v.one(made.attempt)).cleanup, bot.placed.size], ['removed', 0])
  assert.ok((await v.events(made.order)).includes('validation.late'))
})

test('a bot that had begun and was started anew does not begin again once the validation has ended', async (t) => {
  const v = await makeValidations(await emptyDatabase(t))
  const bot = await v.addBot('web1')
  bot.silent = true
  const made = await v.addOrder(['b.example.com'], { method: 'file', path: '/srv/www' }, bot.id)
  await v.sync(made, [wanted('b.example.com')])
  await v.settle()
  const [task] = await leaseWork(v.leaseDeps, bot.id, { bootId: 'boot-0001', waitSeconds: 0, max: 5 }, new AbortController().signal)
  assert.equal(task?.kind, 'place-proof')
  await v.end(made.attempt, 'cancelled')
  v.clock.pass(3_600)
  bot.silent = false
  await v.settle()
  assert.deepEqual(bot.done.map(({ kind }) => kind), ['remove-proof'])
  assert.equal((await v.one(made.attempt)).cleanup, 'removed')
})

testOnDatabases('a process that dies in the middle of writing a record: what it wrote is removed all the same', async (_t, database) => {
  const v = await makeValidations(database)
  const made = await v.addOrder(['a.example.com'], { method: 'dns' })
  await v.sync(made, [wanted('a.example.com')])
  for (const expected of ['placing', 'placing'] as const) {
    const [task] = (await leaseTasks(database, 'control-plane', { owner: 'dies', max: 1, seconds: 60 }, v.now()))
    assert.equal(task?.kind, 'advance-validation')
    const commit = await v.kinds['advance-validation'].run(task, new AbortController().signal)
    if (v.zones.values.size > 0) break // it dies here: nothing of this is committed
    await database.transaction(async (tx, wake) => {
      await tx.updateTable('task').set({ state: 'done' }).where('id', '=', task.id).execute()
      await commit(tx, wake)
    })
    assert.equal((await v.one(made.attempt)).state, expected)
  }
  const row = await v.one(made.attempt)
  assert.deepEqual([row.state, row.cleanup, row.receipt, v.zones.values.size], ['placing', 'placed', null, 1])
  await v.end(made.attempt, 'cancelled')
  await v.settle()
  assert.deepEqual([(await v.one(made.attempt)).cleanup, v.zones.values.size], ['removing', 1], 'the step of the dead process may still be going on')
  await v.pass(120, 30)
  assert.deepEqual([(await v.one(made.attempt)).cleanup, v.zones.values.size], ['removed', 0])
})

testOnDatabases('the sweeper takes up what nobody works on: lost tasks, and validations whose order has ended', async (_t, database) => {
  const v = await makeValidations(database)
  const [lost, ended, both] = [await v.addOrder(['a.example.com'], { method: 'dns' }), await askedByDns(v, 'b.example.com'), await askedByDns(v, 'c.example.com')]
  await v.sync(lost, [wanted('a.example.com')])
  await v.lose(`validation:${(await v.one(lost.attempt)).id}`)
  await v.settle()
  assert.equal((await v.one(lost.attempt)).state, 'planned')
  // Its order ended without a word to the validations, and before its clean-up was asked for.
  await database.db.updateTable('certificateOrder').set({ state: 'complete' }).where('id', '=', ended.order.id).execute()
  await database.db.updateTable('orderAttempt').set({ state: 'failed' }).where('id', '=', both.attempt.id).execute()
  await v.sweep()
  await v.settle()
  assert.equal((await v.one(lost.attempt)).state, 'asked')
  assert.deepEqual([(await v.one(ended.attempt)).state, (await v.one(ended.attempt)).cleanup], ['valid', 'removed'])
  assert.deepEqual([(await v.one(both.attempt)).state, (await v.one(both.attempt)).cleanup], ['cancelled', 'removed'])
  await v.end(lost.attempt, 'failed')
  await v.lose(`clean:${(await v.one(lost.attempt)).id}`)
  await v.settle()
  assert.equal((await v.one(lost.attempt)).cleanup, 'removing')
  await v.pass(3_700, 600)
  assert.equal((await v.one(lost.attempt)).cleanup, 'removed')
  assert.equal(v.zones.values.size, 0)
})

test('a bot that leaves what others put there says so; a failed removal is stuck and taken up again', async (t) => {
  const v = await makeValidations(await emptyDatabase(t))
  const bot = await v.addBot('web1')
  const made = await v.addOrder(['b.example.com'], { method: 'file', path: '/srv/www' }, bot.id)
  await v.sync(made, [wanted('b.example.com')])
  await v.settle()
  bot.fails.set('remove-proof', new CertloopError('FILE_UNWRITABLE', 'The file can not be removed.').toWire())
  await v.end(made.attempt, 'issued')
  await v.settle()
  assert.equal((await v.one(made.attempt)).cleanup, 'stuck')
  await v.sweep()
  await v.runPlane()
  const [task] = await leaseWork(v.leaseDeps, bot.id, { bootId: 'boot-0001', waitSeconds: 0, max: 5 }, new AbortController().signal)
  assert.ok(task)
  await reportResult(v.leaseDeps, bot.id, task.id, { fence: task.fence, result: { ok: true, data: { removed: false, left: 'another file is there' } } })
  assert.equal((await v.one(made.attempt)).cleanup, 'removed')
})

test('no look-up reads the whole table', async (t) => {
  const database = await emptyDatabase(t)
  const v = await makeValidations(database)
  const row = await v.one((await askedByDns(v)).attempt)
  const wide = await wideReads(database, async ({ db }) => {
    await servedAt(db, '/.well-known/acme-challenge/x')
    await othersAt(db, row)
    for (const page of [leftBehind, withoutWork, toBeCleaned]) await page(db, '', 200)
    for (const query of [{ orderId: row.orderId }, { certificateId: row.certificateId }, { state: row.state }]) await listValidations(db, { ...query, limit: 10 })
  })
  assert.deepEqual(wide, [])
})
