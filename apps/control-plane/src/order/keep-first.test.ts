import assert from 'node:assert/strict'
import { CertloopError, type OrderId } from '@certloop/contract'
import type { Progress } from '@certloop/plugin-kit'
import { testOnDatabases } from '../database/database-testing.ts'
import { openAttemptOf } from './attempt-store.ts'
import { cancelOrder } from './cancel-order.ts'
import { failure, makeOrderWorld, type OrderWorld } from './order-testing.ts'

const dead = () => failure('AUTHORITY_UNREACHABLE', { sent: 'maybe' })
const refused = (error: unknown) => error instanceof CertloopError && error.code === 'ACTION_NOT_POSSIBLE'
const cancel = ({ w }: OrderWorld, id: OrderId) => w.database.transaction((tx, wake) => cancelOrder(tx, wake, id, 'user:test', w.now()))
const mayIssue = async ({ w }: OrderWorld, id: OrderId) => w.database.transaction(async (tx) => (await openAttemptOf(tx, id))?.mayIssue)

testOnDatabases('an authority that dies right after it took the order has issued nothing: the order can be cancelled, and the next authority is asked', async (t, database) => {
  const world = await makeOrderWorld(t, database, ['keeps', 'keeps'])
  const { w, authorities: [first, second], order, read, attempts, live } = world
  assert.ok(first && second)
  first.connector.submit = async (_request, call) => {
    await call.keep({ id: 'taken' }, { issues: false })
    throw dead()
  }
  first.connector.proceed = async () => { throw dead() }
  const [made, unwanted] = [await order({ fallbacks: [second] }), await order({ fallbacks: [second], names: ['c.example'] })]
  await w.settle()
  assert.equal(await mayIssue(world, unwanted.id), 0)
  await cancel(world, unwanted.id)
  await live(3)
  assert.deepEqual([(await read(made)).state, await attempts(made), first.issued.length, second.issued.length], ['complete', ['1 failed', '2 issued'], 0, 1])
})

testOnDatabases('a call that issues although a name here still waited for its proof counts as one that may have issued', async (t, database) => {
  const world = await makeOrderWorld(t, database, ['keeps', 'keeps'])
  const { w, authorities: [first, second], order, read, attempts, live } = world
  assert.ok(first && second)
  first.proofs.set('a.example', 'wanted')
  const made = await order({ fallbacks: [second], validation: { method: 'manual', place: 'file' }, hours: 3 })
  await w.settle()
  // Somebody else proved the name to it meanwhile.
  let calls = 0
  first.connector.proceed = async (_request, handle, call): Promise<Progress> => {
    if (calls++ === 0) await call.keep(handle)
    throw dead()
  }
  await live(12)
  assert.deepEqual([calls > 1, await mayIssue(world, made.id)], [true, 1])
  await assert.rejects(cancel(world, made.id), refused)
  await live(200)
  assert.deepEqual([(await read(made)).state, await attempts(made), second.issued.length], ['uncertain', ['1 uncertain'], 0])
})

testOnDatabases('what is cancelled while the authority is asked is not issued any more', async (t, database) => {
  const world = await makeOrderWorld(t, database, ['keeps'])
  const { w, first, order, read, live } = world
  first.proofs.set('a.example', 'wanted')
  const made = await order({ validation: { method: 'manual', place: 'file' } })
  await w.settle()
  let issued = 0
  first.connector.proceed = async (_request, handle, call): Promise<Progress> => {
    await cancel(world, made.id)
    await call.keep(handle)
    issued++
    throw dead()
  }
  await live(12)
  assert.deepEqual([issued, (await read(made)).state, first.abandoned.length], [0, 'cancelled', 1])
})
