import assert from 'node:assert/strict'
import type { BatchId, BatchInput, BatchItemState, CertificateId, DeploymentTiming } from '@certloop/contract'
import { removeCertificate } from '../certificate/remove-certificate.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { makeWorld, type TestBot, type World } from '../world-testing.ts'
import { batchCommands, createBatch } from './batch.ts'
import type { BatchItemRow } from './batch-store.ts'
import { listBatchItems, readBatch } from './batch-view.ts'

const by = 'user:test'
const begin = (w: World, input: BatchInput) => w.database.transaction((tx, wake) => createBatch(tx, wake, input, by, w.now()))
const command = (w: World, name: keyof typeof batchCommands, id: BatchId) => w.database.transaction((tx, wake) => batchCommands[name](tx, wake, id, by, w.now()))
const view = (w: World, id: BatchId) => readBatch(w.database.db, id)
const itemsOf = async (w: World, id: BatchId, state?: BatchItemState) => (await listBatchItems(w.database.db, id, { limit: 200, state })).items

async function fleet(w: World, botCount: number, each: number): Promise<{ bots: TestBot[]; ids: CertificateId[] }> {
  const bots: TestBot[] = []
  for (let i = 0; i < botCount; i++) bots.push(await w.addBot(`web-${i + 1}`))
  const ids: CertificateId[] = []
  for (let i = 0; i < each; i++) for (const [b, bot] of bots.entries()) ids.push(await w.configured(`c${i}-b${b}.example`, [bot]))
  return { bots, ids }
}

const takenBy = (row: BatchItemRow): string[] => ['total', ...(row.authorityId ? ['authority'] : []), ...(JSON.parse(row.bots) as string[]).map((bot) => `bot ${bot}`), ...(JSON.parse(row.hosts) as string[]).map((host) => `host ${host}`)]

/** Most items that ran at the same moment, over all, per authority, bot and host, from the times of their actions. */
async function mostAtOnce(w: World, id: BatchId): Promise<Record<'total' | 'authority' | 'bot' | 'host', number>> {
  const rows = await w.database.db.selectFrom('batchItem').selectAll().where('batchId', '=', id).where('actionId', 'is not', null).execute()
  const most = { total: 0, authority: 0, bot: 0, host: 0 }
  for (const { startedAt: at } of rows) {
    const then = rows.filter((row) => (row.startedAt ?? '') <= (at ?? '') && (row.endedAt ?? '') > (at ?? ''))
    for (const [key, taken] of Object.entries(Object.groupBy(then.flatMap(takenBy), (each) => each))) {
      const kind = key.split(' ')[0] as keyof typeof most
      most[kind] = Math.max(most[kind], taken?.length ?? 0)
    }
  }
  return most
}

/** Time goes by a second with each round, so that what ran together can be told afterwards. */
async function runRounds(w: World, id: BatchId, most = 400): Promise<void> {
  for (let round = 0; round < most; round++) {
    await w.runPlane()
    if (['done', 'cancelled', 'paused'].includes((await view(w, id)).state)) return
    w.clock.pass(1)
    for (const bot of w.bots) await w.runBot(bot)
    w.clock.pass(1)
  }
  assert.fail(`still ${JSON.stringify(await view(w, id))} after ${most} rounds`)
}

testOnDatabases('60 certificates over 6 bots: every limit is kept, used up, and what fails stops no other', async (t, database) => {
  const w = await makeWorld(t, database)
  const { bots, ids } = await fleet(w, 6, 10)
  bots[2]?.fails.set('inspect-target', { code: 'SERVER_NOT_RUNNING', message: 'nginx does not run.', facts: {} })
  const draft = ids[7]
  assert.ok(draft)
  await w.save(draft, { ...await w.configurationWith([]), complete: false })
  const id = await begin(w, { action: 'recheck-pinning', selection: { certificateIds: ids }, limits: { total: 11, perBot: 3, perHost: 2 } })
  await runRounds(w, id)
  const batch = await view(w, id)
  assert.deepEqual([batch.state, batch.total, batch.counts.refused, batch.counts.waiting, batch.counts.running], ['done', 60, 1, 0, 0])
  assert.equal(Object.values(batch.counts).reduce((a, b) => a + b), 60)
  assert.deepEqual(await mostAtOnce(w, id), { total: 11, authority: 0, bot: 2, host: 2 })
  const [refused] = await itemsOf(w, id, 'refused')
  assert.equal(refused?.certificateId, draft)
  assert.match(refused?.reason ?? '', /draft/)
  assert.equal(refused?.error?.code, 'ACTION_NOT_POSSIBLE')
  const failed = await itemsOf(w, id, 'failed')
  assert.ok(failed.length >= 10 && failed.every((item) => item.error !== null && item.endedAt !== null))
})

testOnDatabases('orders count against the authority; one that is held up does not hold up those behind it', async (t, database) => {
  const w = await makeWorld(t, database)
  const { bots: [slow, fast], ids } = await fleet(w, 2, 4)
  assert.ok(slow && fast)
  // All of the slow bot first: they fill it, and the other goes on all the same.
  const ofBot = (index: number) => ids.filter((_, i) => i % 2 === index)
  slow.silent.add('make-csr')
  const id = await begin(w, { action: 'order', selection: { certificateIds: [...ofBot(0), ...ofBot(1)] }, limits: { perAuthority: 3, perBot: 2 } })
  await w.runPlane()
  assert.deepEqual((await itemsOf(w, id, 'running')).map((item) => item.certificateName), ['c0-b0.example', 'c1-b0.example', 'c0-b1.example'])
  const texts = (await itemsOf(w, id, 'waiting')).map((item) => item.reason)
  assert.ok(texts.includes('Waits for its turn at bot web-1 (2 at a time).') || texts.includes('Waits for its turn at authority Built-in CA (3 at a time).'), texts.join('\n'))
  for (let round = 0; round < 30; round++) {
    await w.runPlane()
    await w.runBot(fast)
    w.clock.pass(1)
  }
  assert.deepEqual([(await view(w, id)).counts.done, (await itemsOf(w, id, 'done')).map((item) => item.certificateName)], [4, ['c0-b1.example', 'c1-b1.example', 'c2-b1.example', 'c3-b1.example']])
  assert.deepEqual((await itemsOf(w, id, 'waiting')).map((item) => item.reason), Array.from({ length: 2 }, () => 'Waits for its turn at bot web-1 (2 at a time).'))
  slow.silent.clear()
  w.clock.pass(3600)
  await runRounds(w, id)
  assert.equal((await view(w, id)).counts.done, 8)
  assert.ok((await mostAtOnce(w, id)).authority <= 3)
})

testOnDatabases('rotates many: each gets one new version, deployed and proven', async (t, database) => {
  const w = await makeWorld(t, database)
  const { ids } = await fleet(w, 3, 2)
  const id = await begin(w, { action: 'rotate', selection: { search: 'example' } })
  await runRounds(w, id)
  assert.deepEqual((await view(w, id)).counts, { waiting: 0, running: 0, done: 6, failed: 0, refused: 0, cancelled: 0 })
  for (const certificateId of ids) {
    const { versions, lastAction, status } = await w.detail(certificateId)
    assert.deepEqual([versions.length, lastAction?.batchId, status], [1, id, 'deployed'])
  }
})

testOnDatabases('stops after failures, with the reason and what to do; resumed, it goes on; retried, it tries the failed again', async (t, database) => {
  const w = await makeWorld(t, database)
  const { bots: [bot], ids } = await fleet(w, 1, 8)
  assert.ok(bot)
  bot.fails.set('inspect-target', { code: 'SERVER_NOT_RUNNING', message: 'nginx does not run.', facts: {} })
  const id = await begin(w, { action: 'initiate', selection: { certificateIds: ids }, limits: { perHost: 1 }, stopAfterFailures: 2 })
  await runRounds(w, id)
  const stopped = await view(w, id)
  assert.deepEqual([stopped.state, stopped.counts.failed, stopped.counts.waiting], ['paused', 2, 6])
  assert.match(stopped.reason, /2 failed, and it stops after 2/)
  assert.match(stopped.nextAction ?? '', /mend the cause/)
  assert.equal((await itemsOf(w, id, 'waiting'))[0]?.reason, 'Waits until the batch is resumed.')
  await command(w, 'resume', id)
  await runRounds(w, id)
  assert.deepEqual([(await view(w, id)).state, (await view(w, id)).counts.failed], ['paused', 4], 'those that were let pass do not count again')
  bot.fails.clear()
  await command(w, 'retry', id)
  await runRounds(w, id)
  const ended = await view(w, id)
  assert.deepEqual([ended.state, ended.counts.done, ended.endedAt !== null], ['done', 8, true])
  assert.deepEqual((await itemsOf(w, id)).map((item) => item.attempts), [2, 2, 2, 2, 1, 1, 1, 1])
  await assert.rejects(command(w, 'retry', id), { code: 'ACTION_NOT_POSSIBLE' })
})

testOnDatabases('paused, nothing further begins; cancelled, what was not begun is left alone and what runs ends', async (t, database) => {
  const w = await makeWorld(t, database)
  const { bots: [bot], ids } = await fleet(w, 1, 6)
  assert.ok(bot)
  const id = await begin(w, { action: 'recheck-pinning', selection: { certificateIds: ids }, limits: { perBot: 2 } })
  await w.runPlane()
  await command(w, 'pause', id)
  await w.settle()
  const counted = (await view(w, id)).counts
  assert.deepEqual([(await view(w, id)).state, counted.waiting, counted.running], ['paused', 4, 0])
  await assert.rejects(command(w, 'pause', id), { code: 'ACTION_NOT_POSSIBLE' })
  await command(w, 'resume', id)
  await w.runPlane()
  await command(w, 'cancel', id)
  assert.deepEqual([(await view(w, id)).state, (await view(w, id)).counts.running, (await view(w, id)).counts.cancelled], ['cancelling', 2, 2])
  await w.runPlane()
  assert.equal((await view(w, id)).state, 'cancelling')
  await w.settle()
  const ended = await view(w, id)
  assert.deepEqual([ended.state, ended.counts.cancelled, ended.counts.done + ended.counts.failed], ['cancelled', 2, 4])
  for (const name of ['pause', 'resume', 'cancel', 'retry'] as const) await assert.rejects(command(w, name, id), { code: 'ACTION_NOT_POSSIBLE' })
})

testOnDatabases('deletes many; one that is busy or gone is refused by name', async (t, database) => {
  const w = await makeWorld(t, database)
  const { ids } = await fleet(w, 1, 4)
  const [first, second] = ids
  assert.ok(first && second)
  await w.start(first, 'recheck-pinning')
  const id = await begin(w, { action: 'delete', selection: { certificateIds: ids } })
  await database.transaction((tx, wake) => removeCertificate(tx, wake, second, by, w.now()))
  await w.runPlane()
  assert.deepEqual((await itemsOf(w, id)).map((item) => [item.certificateName, item.state, item.error?.code ?? null]), [
    ['c0-b0.example', 'refused', 'ACTION_NOT_POSSIBLE'], ['c1-b0.example', 'refused', 'NOT_FOUND'], ['c2-b0.example', 'done', null], ['c3-b0.example', 'done', null],
  ])
  assert.equal((await view(w, id)).state, 'done')
})

testOnDatabases('follows the configuration as it is when its turn comes', async (t, database) => {
  const w = await makeWorld(t, database)
  const { bots: [one, two], ids } = await fleet(w, 2, 2)
  assert.ok(one && two)
  // Both of the first bot, and then the second of them moves.
  const [a, , b] = ids
  assert.ok(a && b)
  const id = await begin(w, { action: 'recheck-pinning', selection: { certificateIds: [a, b] }, limits: { perBot: 1 } })
  await w.save(a, await w.configurationWith([w.target(two, 'c0-b0.example')]))
  await w.runPlane()
  assert.deepEqual((await itemsOf(w, id)).map((item) => item.state), ['running', 'running'])
})

testOnDatabases('what was issued and waits for the time of its deployment gives its place to the next', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('web-1')
  const deployment: DeploymentTiming = { when: 'at', at: '2026-03-01T12:00', window: null, zone: 'UTC', freezes: [], beforeExpiryDays: null }
  const ids: CertificateId[] = []
  for (const name of ['one.example', 'two.example', 'three.example']) ids.push(await w.configured(name, [bot], { deployment }))
  for (const id of ids) await w.act(id, 'rotate')
  const id = await begin(w, { action: 'renew', selection: { certificateIds: ids }, limits: { perHost: 1 } })
  await w.settle()
  assert.deepEqual((await view(w, id)).counts.running, 3)
  for (const certificateId of ids) assert.equal((await w.detail(certificateId)).lastAction?.state, 'waiting')
  w.clock.pass(13 * 3600)
  bot.silent.add('deploy')
  await w.settle()
  const deploying = async () => (await Promise.all(ids.map((each) => w.detail(each)))).filter(({ lastAction }) => lastAction?.state === 'deploying').length
  assert.equal(await deploying(), 1, 'the limits hold at the window, too')
  await command(w, 'pause', id)
  bot.silent.delete('deploy')
  w.clock.pass(120)
  await w.settle()
  assert.deepEqual([(await view(w, id)).state, (await view(w, id)).counts.running], ['paused', 2])
  await command(w, 'resume', id)
  for (let i = 0; i < 3; i++) {
    w.clock.pass(120)
    await w.settle()
  }
  assert.deepEqual([(await view(w, id)).state, (await view(w, id)).counts.done], ['done', 3])
})

testOnDatabases('cancelled, it reaches what was issued and waits for the time of its deployment', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('web-1')
  const deployment: DeploymentTiming = { when: 'at', at: '2026-03-01T12:00', window: null, zone: 'UTC', freezes: [], beforeExpiryDays: null }
  const ids: CertificateId[] = []
  for (const name of ['one.example', 'two.example', 'three.example']) ids.push(await w.configured(name, [bot], { deployment }))
  for (const id of ids) await w.act(id, 'rotate')
  const id = await begin(w, { action: 'renew', selection: { certificateIds: ids } })
  await w.settle()
  const deployed = bot.done.filter(({ kind }) => kind === 'deploy').length
  await command(w, 'cancel', id)
  await w.settle()
  assert.deepEqual([(await view(w, id)).state, (await view(w, id)).counts.cancelled], ['cancelled', 3])
  for (const certificateId of ids) assert.equal((await w.detail(certificateId)).lastAction?.state, 'cancelled')
  w.clock.pass(13 * 3600)
  await w.settle()
  assert.equal(bot.done.filter(({ kind }) => kind === 'deploy').length, deployed)
})

testOnDatabases('bad input names what does not fit', async (t, database) => {
  const w = await makeWorld(t, database)
  const { ids: [id] } = await fleet(w, 1, 1)
  assert.ok(id)
  const gone: CertificateId = 'crt_00000000000000000000000000'
  const fields = async (input: BatchInput, expected: RegExp) => {
    await assert.rejects(begin(w, input), (error: { code?: string; facts?: { fields?: string[] } }) => {
      assert.equal(error.code, 'INPUT_INVALID')
      assert.match((error.facts?.fields ?? []).join('; '), expected)
      return true
    })
  }
  await fields({ action: 'rotate', selection: {} }, /body\.selection: takes/)
  await fields({ action: 'rotate', selection: { certificateIds: [id], search: 'x' } }, /body\.selection: takes/)
  await fields({ action: 'rotate', selection: { search: 'nothing like it' } }, /finds no certificate/)
  await fields({ action: 'rotate', selection: { certificateIds: [id, gone] } }, /certificateIds\/1: there is no certificate crt_0/)
  await fields({ action: 'rotate', selection: { status: 'fine' } }, /body\.selection\/status: must be one of discovered/)
  await fields({ action: 'rotate', selection: { certificateIds: [id] }, reason: 'superseded' }, /body\.reason/)
  await fields({ action: 'revoke', selection: { certificateIds: [id] }, reason: 'boredom' }, /must be one of/)
  assert.equal((await database.db.selectFrom('batch').select('id').execute()).length, 0)
  assert.equal((await database.db.selectFrom('batchItem').select('position').execute()).length, 0)
})
