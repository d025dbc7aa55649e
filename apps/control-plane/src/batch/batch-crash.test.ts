import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchItemStates, batchStates, type BatchId, type BatchItemState, type BatchState, type CertificateId } from '@certloop/contract'
import fc from 'fast-check'
import { sql } from 'kysely'
import { testOnDatabases } from '../database/database-testing.ts'
import { wideReads } from '../database/plan-testing.ts'
import { makeWorld, type World } from '../world-testing.ts'
import { batchCommands, createBatch } from './batch.ts'
import { batchTransitions, isOpenBatch, itemTransitions, nextBatchState, nextItemState, type BatchEvent, type BatchItemEvent } from './batch-state.ts'
import { hasItems, itemsToSettle, nextWaiting, runningPlaces, waitedFor } from './batch-store.ts'
import { readBatch } from './batch-view.ts'
import { dyingDatabase, isDeath, type Moment } from './dying-testing.ts'

/** Does all there is to do; started anew after a death, when the leases of the dead have run out. */
async function live(w: World, dying: ReturnType<typeof dyingDatabase>, work: () => Promise<unknown>): Promise<boolean> {
  let died = false
  for (let next = work; ; next = () => w.settle()) {
    try {
      await next()
    } catch (error) {
      if (!isDeath(error)) throw error
    }
    if (dying.startAnew()) died = true
    else if (next !== work) return died
    w.clock.pass(120)
  }
}

const recheck = { action: 'recheck-pinning', limits: { perHost: 1, total: 2 } } as const

testOnDatabases('a death at any commit: no certificate is done twice, none is forgotten', async (t, database) => {
  const dying = dyingDatabase(database)
  const w = await makeWorld(t, dying.database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const ids: CertificateId[] = [await w.configured('one.example', [a]), await w.configured('two.example', [a]), await w.configured('three.example', [b])]
  const draft = await w.addCertificate(['draft.example'])
  let deaths = 0
  const once = async (n: number, moment: Moment): Promise<boolean> => {
    const before = await database.db.selectFrom('batch').select('id').execute()
    dying.dieAt(n, moment)
    const died = await live(w, dying, () => dying.database.transaction((tx, wake) => createBatch(tx, wake, { ...recheck, selection: { certificateIds: [...ids, draft] } }, 'user:test', w.now())))
    const made = (await database.db.selectFrom('batch').select('id').execute()).map((row) => row.id).filter((id) => !before.some((row) => row.id === id))
    // Only its own commit decides whether there is a batch at all.
    assert.equal(made.length, n === 1 && moment === 'before' ? 0 : 1)
    for (const id of made) await assertWhole(w, id, `died ${moment} commit ${n}`)
    return died
  }
  for (const moment of ['before', 'after'] as const) for (let n = 1; await once(n, moment); n++) deaths++
  t.diagnostic(`died ${deaths} times`)
  assert.ok(deaths > 20, `only ${deaths} deaths`)

  async function assertWhole({ database: { db } }: World, id: BatchId, when: string): Promise<void> {
    const { state, counts } = await readBatch(db, id)
    assert.deepEqual([state, counts.refused, counts.waiting + counts.running, counts.done + counts.failed], ['done', 1, 0, 3], when)
    const actions = await db.selectFrom('action').select(['certificateId', 'endedAt']).where('batchId', '=', id).execute()
    assert.deepEqual(actions.map((action) => action.certificateId).toSorted(), ids.toSorted(), `${when}: one action for each`)
    const checks = (await db.selectFrom('batchItem').select(['attempts', 'actionId']).where('batchId', '=', id).execute()).map((item) => item.attempts)
    assert.deepEqual(checks, [1, 1, 1, 1], when)
  }
})

testOnDatabases('a thousand certificates: many ends are one look, and no look reads the whole batch', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const model = await w.configured('model.example', [bot])
  const ids = await copies(w, model, 1000)
  const id = await database.transaction((tx, wake) => createBatch(tx, wake, { action: 'recheck-pinning', selection: { certificateIds: ids }, limits: { total: 1000, perBot: 100, perHost: 100 } }, 'user:test', w.now()))
  await w.runPlane(5000)
  if (database.kind === 'postgresql') await sql`analyze`.execute(database.db)
  const reads = await wideReads(database, async ({ db }) => {
    for (const key of await waitedFor(db, id)) await nextWaiting(db, id, key, 10)
    for (const state of ['waiting', 'running'] as const) await hasItems(db, id, state)
    await runningPlaces(db, id)
    await itemsToSettle(db, id, 10)
  }, { most: 250, narrow: /^SCAN (keys|CONSTANT ROW)/ })
  assert.deepEqual(reads, [])
  let [looks, ended] = [0, await endedSince(w)]
  for (let round = 0; round < 10 && ended < 200; round++) {
    w.clock.pass(1)
    while (await w.runBot(bot) > 0);
    const done = await w.runPlane(5000)
    const more = await endedSince(w)
    ended += more
    looks += done - more
    assert.equal((await readBatch(database.db, id)).counts.running, 100)
  }
  assert.ok(ended >= 200 && looks <= ended / 4, `${looks} looks at the batch for ${ended} ends`)
  await database.transaction((tx, wake) => batchCommands.cancel(tx, wake, id, 'user:test', w.now()))
  await w.settle()
  const { state, counts } = await readBatch(database.db, id)
  assert.deepEqual([state, counts.waiting + counts.running, counts.cancelled + counts.done + counts.failed], ['cancelled', 0, 1000])
})

testOnDatabases('more than one look begins is begun by the next, without anybody waking it', async (t, database) => {
  const w = await makeWorld(t, database)
  const ids = await copies(w, await w.configured('model.example', [await w.addBot('a')]), 150)
  const id = await database.transaction((tx, wake) => createBatch(tx, wake, { action: 'delete', selection: { certificateIds: ids } }, 'user:test', w.now()))
  await w.runPlane()
  const { state, counts } = await readBatch(database.db, id)
  assert.deepEqual([state, counts.done], ['done', 150])
})

/** Certificates just like this one, each at its own place; made by hand, or it would take a minute. */
async function copies(w: World, model: CertificateId, count: number): Promise<CertificateId[]> {
  const { db } = w.database
  const [certificate, configuration, target] = [await db.selectFrom('certificate').selectAll().where('id', '=', model).executeTakeFirstOrThrow(), await db.selectFrom('configuration').selectAll().executeTakeFirstOrThrow(), await db.selectFrom('target').selectAll().executeTakeFirstOrThrow()]
  const ids = Array.from({ length: count }, (_, i): CertificateId => `crt_${String(i).padStart(26, '0')}`)
  for (let from = 0; from < count; from += 100) {
    const part = ids.slice(from, from + 100)
    await db.insertInto('certificate').values(part.map((id) => ({ ...certificate, id, name: id }))).execute()
    await db.insertInto('configuration').values(part.map((certificateId) => ({ ...configuration, certificateId }))).execute()
    await db.insertInto('target').values(part.map((certificateId, i) => ({ ...target, id: `tgt_${String(from + i).padStart(26, '0')}` as const, certificateId, placeKey: certificateId, fields: target.fields.replaceAll('model', certificateId) }))).execute()
  }
  return ids
}

const seen = new WeakMap<World, number>()
/** How many actions have ended since this was asked last: each is one look at an action. */
async function endedSince(w: World): Promise<number> {
  const { count } = await w.database.db.selectFrom('action').select((eb) => eb.fn.countAll<number>().as('count')).where('endedAt', 'is not', null).executeTakeFirstOrThrow()
  const more = Number(count) - (seen.get(w) ?? 0)
  seen.set(w, Number(count))
  return more
}

test('batches and their items: whatever comes in whatever order, what is over stays over unless it is tried again', () => {
  const events = Object.keys(batchTransitions) as BatchEvent[]
  fc.assert(fc.property(fc.array(fc.constantFrom(...events), { maxLength: 30 }), (sequence) => {
    let state: BatchState = 'running'
    for (const event of sequence) {
      const to = nextBatchState(state, event)
      assert.equal(to !== undefined, (batchTransitions[event].from as readonly BatchState[]).includes(state))
      if (to !== undefined && !isOpenBatch(state)) assert.deepEqual([state, event], ['done', 'retried'])
      state = to ?? state
    }
  }))
  const itemEvents = Object.keys(itemTransitions) as BatchItemEvent[]
  const over: BatchItemState[] = ['done', 'cancelled']
  for (const state of over) assert.deepEqual(itemEvents.filter((event) => nextItemState(state, event)), [])
  const reached = (start: string, next: (state: never, event: never) => string | undefined, all: readonly string[], names: readonly string[]) => {
    const found = new Set([start])
    for (const _ of all) for (const state of found) for (const event of names) found.add(next(state as never, event as never) ?? state)
    assert.deepEqual([...found].toSorted(), all.toSorted())
  }
  reached('running', nextBatchState, batchStates, events)
  reached('waiting', nextItemState, batchItemStates, itemEvents)
})
