import assert from 'node:assert/strict'
import { testOnDatabases } from '../database/database-testing.ts'
import { failure, makeOrderWorld, type Mishap } from './order-testing.ts'

const blip: Mishap = { when: 'before', error: failure('AUTHORITY_UNREACHABLE', { sent: 'no' }) }

testOnDatabases('an authority that is away for a moment, hours after it was so before, is not given up for that', async (t, database) => {
  const { w, authorities: [first, second], order, read, attempts } = await makeOrderWorld(t, database, ['keeps', 'keeps'])
  assert.ok(first && second)
  first.proofs.set('a.example', 'asked')
  const made = await order({ fallbacks: [second], validation: { method: 'manual', place: 'file' } })
  for (let hour = 0; hour < 3; hour++) {
    first.mishaps.push(blip)
    for (let i = 0; i < 12; i++) {
      await w.settle()
      w.clock.pass(300)
    }
    assert.deepEqual([first.mishaps.length, await attempts(made)], [0, ['1 submitted']], `hour ${hour}`)
  }
  first.proofs.clear()
  w.clock.pass(600)
  await w.settle()
  assert.deepEqual([(await read(made)).state, first.issued.length, second.issued.length], ['complete', 1, 0])
})

testOnDatabases('many that wait for the same limit are told of once, with the time as it is now', async (t, database) => {
  const { w, first, order, read, events } = await makeOrderWorld(t, database)
  await database.db.updateTable('authority').set({ limits: JSON.stringify([{ kind: 'order', count: 1, seconds: 600, renewalsCount: true }]) }).where('id', '=', first.id).execute()
  const orders = []
  for (let i = 0; i < 4; i++) orders.push(await order({ names: [`n${i}.example`] }))
  await w.settle()
  for (let i = 0; i < 2; i++) {
    w.clock.pass(601)
    await w.settle()
  }
  const waiting = (await Promise.all(orders.map(read))).filter(({ state }) => state === 'processing')
  assert.deepEqual([waiting.length, first.issued.length], [1, 3])
  assert.match(waiting[0]?.nextAction ?? '', /on 2026-03-01 00:30 UTC/)
  assert.deepEqual((await events(waiting[0] ?? assert.fail())).filter(({ kind }) => kind === 'order.waits').length, 1)
})

testOnDatabases('an authority that never says what it saw is asked ever more rarely', async (t, database) => {
  const { w, first, order } = await makeOrderWorld(t, database)
  first.proofs.set('a.example', 'asked')
  await order({ validation: { method: 'manual', place: 'file' } })
  const counts = []
  for (const minutes of [1, 29, 30]) {
    const before = first.asked.length
    for (let i = 0; i < minutes * 6; i++) {
      await w.settle()
      w.clock.pass(10)
    }
    counts.push(first.asked.length - before)
  }
  const [atFirst = 0, later = 0, last = 0] = counts
  assert.ok(atFirst >= 6, `${atFirst} in the first minute`)
  assert.ok(later < 100 && last < 20 && last > 5, `${later} in the next half hour, ${last} in the one after`)
})
