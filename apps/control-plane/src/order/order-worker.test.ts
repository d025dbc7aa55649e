import assert from 'node:assert/strict'
import { CertloopError, newId, type ErrorCode, type OrderId } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { cancelOrder } from './cancel-order.ts'
import { lookAgain } from './look-again.ts'
import { failure, makeOrderWorld, type Mishap, type OrderWorld } from './order-testing.ts'
import { pokeOrder } from './order-task.ts'
import { leaseTasks } from '../task/task-store.ts'
import { runTask } from '../task/task-worker.ts'

const before = (code: ErrorCode, facts = {}): Mishap => ({ when: 'before', error: failure(code, facts) })
const after = (code: ErrorCode, facts = {}): Mishap => ({ when: 'after', error: failure(code, facts) })
const codeOf = (order: { error: string | null }) => (order.error === null ? null : (JSON.parse(order.error) as { code: string }).code)
const refused = (error: unknown) => error instanceof CertloopError && error.code === 'ACTION_NOT_POSSIBLE'
const cancel = ({ w }: OrderWorld, id: OrderId) => w.database.transaction((tx, wake) => cancelOrder(tx, wake, id, 'user:test', w.now()))
const look = ({ w }: OrderWorld, id: OrderId) => w.database.transaction((tx, wake) => lookAgain(tx, wake, id, 'user:test', w.now()))

testOnDatabases('each kind of failure: what becomes of the order, with and without another authority', async (t, database) => {
  const rows: [what: string, mishaps: (Mishap | undefined)[], alone: string, withSecond: string][] = [
    ['refused', [before('AUTHORITY_REJECTED')], 'failed AUTHORITY_REJECTED; 1 failed', 'complete; 1 failed, 2 issued'],
    ['a name refused', [before('NAME_REFUSED', { names: 'a.example' })], 'failed NAME_REFUSED; 1 failed', 'complete; 1 failed, 2 issued'],
    ['its account refused', [before('AUTHORITY_ACCOUNT_REFUSED')], 'failed AUTHORITY_ACCOUNT_REFUSED; 1 failed', 'complete; 1 failed, 2 issued'],
    ['a proof refused', [before('VALIDATION_REFUSED', { names: 'a.example' })], 'failed VALIDATION_REFUSED; 1 failed', 'failed VALIDATION_REFUSED; 1 failed'],
    ['a bad request', [before('CSR_INVALID')], 'failed CSR_INVALID; 1 failed', 'failed CSR_INVALID; 1 failed'],
    ['not reached, once', [before('AUTHORITY_UNREACHABLE', { sent: 'no' })], 'complete; 1 issued', 'complete; 1 issued'],
    ['an answer lost', [after('AUTHORITY_UNREACHABLE', { sent: 'maybe' })], 'complete; 1 issued', 'complete; 1 issued'],
    ['no sense in the answer', [after('AUTHORITY_ANSWER_INVALID')], 'complete; 1 issued', 'complete; 1 issued'],
    ['the certificate lost on its way', [undefined, after('AUTHORITY_UNREACHABLE', { sent: 'maybe' })], 'complete; 1 issued', 'complete; 1 issued'],
    ['nobody can know', [before('ORDER_UNCERTAIN')], 'uncertain ORDER_UNCERTAIN; 1 uncertain', 'uncertain ORDER_UNCERTAIN; 1 uncertain'],
  ]
  const world = await makeOrderWorld(t, database, ['keeps', 'keeps'])
  const { authorities: [first, second], order, read, attempts, live } = world
  assert.ok(first && second)
  for (const [what, mishaps, alone, withSecond] of rows) {
    for (const [fallbacks, expected] of [[[], alone], [[second], withSecond]] as const) {
      first.mishaps.push(...mishaps)
      const made = await order({ fallbacks })
      await live(2)
      const ended = await read(made)
      assert.equal(`${ended.state}${codeOf(ended) ? ` ${codeOf(ended)}` : ''}; ${(await attempts(made)).join(', ')}`, expected, `${what}, ${fallbacks.length} more`)
      assert.ok([first, second].flatMap(({ issued }) => issued).filter(({ reference }) => reference === made.id).length <= 1, what)
      first.mishaps.length = 0
    }
  }
})

testOnDatabases('the first authority is dead: after a while the second is asked, and the timeline says why', async (t, database) => {
  const { w, authorities: [first, second], order, read, attempts, events, live } = await makeOrderWorld(t, database)
  assert.ok(first && second)
  for (let i = 0; i < 100; i++) first.mishaps.push(before('AUTHORITY_UNREACHABLE', { sent: 'no' }))
  const made = await order({ fallbacks: [second] })
  for (let i = 0; i < 4; i++) {
    await w.settle()
    w.clock.pass(10)
  }
  assert.equal((await read(made)).state, 'processing')
  assert.match((await read(made)).reason, /"authority 1" can not go on/)
  await live(3)
  assert.deepEqual([(await read(made)).state, await attempts(made), first.issued.length, second.issued.length], ['complete', ['1 failed', '2 issued'], 0, 1])
  assert.equal((await read(made)).authorityId, second.id, 'who issued it is asked to revoke it')
  const told = await events(made)
  assert.match(told.find(({ kind }) => kind === 'order.moved-on')?.message ?? '', /"authority 1" could not issue; "authority 2" is asked instead\. It said AUTHORITY_UNREACHABLE/)
  assert.equal(told.filter(({ kind }) => kind === 'order.waits').length, 1, 'once, not at each try')
  assert.equal((await w.detail(made.certificateId)).versions.length, 1)
})

testOnDatabases('a limit with its time: waited for to the second, moved on from when it takes long, failed when it is too late', async (t, database) => {
  const { w, authorities: [first, second], order, read, attempts } = await makeOrderWorld(t, database)
  assert.ok(first && second)
  const inSeconds = (seconds: number) => ({ retryAt: new Date(w.now().getTime() + seconds * 1000).toISOString() })
  first.mishaps.push(before('AUTHORITY_RATE_LIMITED', inSeconds(600)))
  const waits = await order({ fallbacks: [second] })
  await w.settle()
  assert.match((await read(waits)).nextAction ?? '', /asked again by itself on 2026-03-01 00:10 UTC/)
  await database.transaction((tx, wake) => pokeOrder(tx, wake, waits.id, w.now()))
  w.clock.pass(599)
  await database.transaction((tx, wake) => pokeOrder(tx, wake, waits.id, w.now()))
  await w.settle()
  assert.deepEqual([first.asked.length, (await read(waits)).state], [1, 'processing'], 'not a second early, whoever asks')
  w.clock.pass(1)
  await w.settle()
  assert.deepEqual([(await read(waits)).state, await attempts(waits)], ['complete', ['1 issued']])
  first.mishaps.push(before('AUTHORITY_RATE_LIMITED', inSeconds(1000)))
  const moves = await order({ fallbacks: [second] })
  await w.settle()
  assert.deepEqual([(await read(moves)).state, await attempts(moves)], ['complete', ['1 failed', '2 issued']])
  first.mishaps.push(before('AUTHORITY_RATE_LIMITED', inSeconds(2 * 86_400)))
  const late = await order()
  await w.settle()
  assert.deepEqual([(await read(late)).state, codeOf(await read(late))], ['failed', 'AUTHORITY_RATE_LIMITED'])
})

testOnDatabases('a limit of ours is kept before anything is sent', async (t, database) => {
  const { w, first, order, read } = await makeOrderWorld(t, database)
  await database.db.updateTable('authority').set({ limits: JSON.stringify([{ kind: 'order', count: 1, seconds: 600, renewalsCount: true }]) }).where('id', '=', first.id).execute()
  const [one, two] = [await order(), await order({ names: ['c.example'] })]
  await w.settle()
  const [done, waits] = [await read(one), await read(two)].toSorted((a, b) => (a.state < b.state ? -1 : 1))
  assert.deepEqual([done?.state, waits?.state, first.issued.length], ['complete', 'processing', 1])
  assert.match(waits?.reason ?? '', /can not go on: "authority 1" takes 1 order per 10 minutes/)
  w.clock.pass(601)
  await w.settle()
  assert.deepEqual([(await read(two)).state, (await read(one)).state, first.issued.length], ['complete', 'complete', 2])
})

testOnDatabases('polling for days uses up no attempts, tells the timeline once, and ends at the deadline with its reason', async (t, database) => {
  const world = await makeOrderWorld(t, database)
  const { w, first, order, read, events } = world
  first.proofs.set('a.example', 'asked')
  const made = await order({ validation: { method: 'manual', place: 'file' }, hours: 30 })
  for (let i = 0; i < 120; i++) {
    await w.settle()
    w.clock.pass(600)
  }
  assert.ok(first.asked.length > 100, `asked ${first.asked.length} times`)
  assert.equal((await w.detail(made.certificateId)).status, 'validation-pending')
  assert.ok((await events(made)).length < 8, JSON.stringify((await events(made)).map(({ kind }) => kind)))
  w.clock.pass(10 * 3600 + 1)
  await w.settle()
  const ended = await read(made)
  assert.deepEqual([ended.state, codeOf(ended)], ['failed', 'VALIDATION_EXPIRED'])
  assert.match(ended.reason, /Not proven by 2026-03-02 06:00 UTC: a\.example/)
  assert.deepEqual(first.abandoned.length, 1, 'given up at the authority too')
  assert.deepEqual((await database.db.selectFrom('validation').select('state').execute()).map(({ state }) => state), ['cancelled'])
})

testOnDatabases('what the authority took and never finished is uncertain at the deadline; looked at again, it is kept', async (t, database) => {
  const world = await makeOrderWorld(t, database)
  const { w, first, order, read } = world
  first.polls = 1_000_000
  const made = await order({ hours: 2 })
  await world.live(125)
  assert.equal((await read(made)).state, 'uncertain')
  for (const one of first.filed.values()) one.polls = 0
  await look(world, made.id)
  await w.settle()
  assert.deepEqual([(await read(made)).state, first.issued.length], ['complete', 1])
  await assert.rejects(look(world, made.id), refused)
})

testOnDatabases('an answer that was lost is looked up by its reference, never asked for twice; in vain, a person decides', async (t, database) => {
  const world = await makeOrderWorld(t, database, ['finds', 'keeps'])
  const { w, authorities: [first, second], order, read, attempts, live } = world
  assert.ok(first && second)
  first.mishaps.push(after('AUTHORITY_UNREACHABLE', { sent: 'maybe' }))
  const found = await order({ fallbacks: [second] })
  await live(1)
  assert.deepEqual([(await read(found)).state, first.issued.length, first.asked], ['complete', 1, ['submit', 'find']])
  first.mishaps.push(after('AUTHORITY_UNREACHABLE', { sent: 'maybe' }), ...Array.from({ length: 400 }, () => before('AUTHORITY_UNREACHABLE')))
  const doubted = await order({ fallbacks: [second], hours: 3 })
  await live(190)
  assert.deepEqual([(await read(doubted)).state, await attempts(doubted), second.issued.length], ['uncertain', ['1 uncertain'], 0], 'while the first may have issued, no other is asked')
  first.mishaps.length = 0
  await look(world, doubted.id)
  await w.settle()
  assert.deepEqual([(await read(doubted)).state, first.issued.length], ['complete', 2])
  first.mishaps.push(before('ORDER_UNCERTAIN'))
  const never = await order()
  await w.settle()
  await look(world, never.id)
  await w.settle()
  assert.deepEqual([(await read(never)).state, first.asked.at(-2), first.issued.length], ['complete', 'find', 3], 'the authority says that it has none: now it is submitted')
})

testOnDatabases('an order that ran out there is submitted again, three times at most', async (t, database) => {
  const { w, first, order, read, attempts, live } = await makeOrderWorld(t, database)
  first.proofs.set('a.example', 'asked')
  const made = await order({ validation: { method: 'manual', place: 'file' } })
  await w.settle()
  for (const one of first.filed.values()) one.gone = true
  first.proofs.clear()
  await live(3)
  assert.deepEqual([(await read(made)).state, first.filed.size, first.issued.length, await attempts(made)], ['complete', 2, 1, ['1 issued']])
  first.proofs.set('a.example', 'asked')
  const again = await order({ validation: { method: 'manual', place: 'file' } })
  for (let i = 0; i < 4; i++) {
    await live(3)
    for (const one of first.filed.values()) one.gone = true
  }
  await live(12)
  assert.deepEqual([(await read(again)).state, codeOf(await read(again)), first.filed.size], ['failed', 'ORDER_EXPIRED', 5])
})

testOnDatabases('cancelled while names are to be proven, and not while the authority issues', async (t, database) => {
  const world = await makeOrderWorld(t, database)
  const { w, first, order, read, attempts } = world
  first.proofs.set('a.example', 'wanted')
  const made = await order({ validation: { method: 'manual', place: 'file' } })
  await w.settle()
  await cancel(world, made.id)
  await w.settle()
  assert.deepEqual([(await read(made)).state, await attempts(made), first.abandoned.length, first.issued.length], ['cancelled', ['1 cancelled'], 1, 0])
  assert.deepEqual((await database.db.selectFrom('validation').select('state').execute()).map(({ state }) => state), ['cancelled'])
  first.proofs.clear()
  first.polls = 3
  const issuing = await order()
  await w.settle()
  await assert.rejects(cancel(world, issuing.id), refused)
  await world.live(5)
  assert.equal((await read(issuing)).state, 'complete')
})

const renewal = (changes = {}) => ({ names: ['a.example', 'b.example', 'c.example'], validation: { method: 'manual' as const, place: 'file' as const, leaveOut: true, ...changes } })
testOnDatabases('one bad name among others: the renewal goes on without it, says so at once, and the next one asks for it again', async (t, database) => {
  const { w, first, order, read, attempts, events, live, bot } = await makeOrderWorld(t, database)
  const replaces = newId('ver', w.now())
  for (const name of ['a.example', 'b.example', 'c.example']) first.proofs.set(name, name === 'b.example' ? 'invalid' : 'valid')
  const made = await order({ ...renewal(), replaces })
  await live(3)
  const ended = await read(made)
  assert.deepEqual([ended.state, await attempts(made), first.issued.map(({ names }) => names), first.filed.size], ['complete', ['1 issued'], [['a.example', 'c.example']], 2])
  assert.deepEqual([JSON.parse(ended.leftOut).map((each: { name: string }) => each.name), bot.keys.size], [['b.example'], 1], 'with the key that was made')
  const news = (await events(made)).find(({ kind }) => kind === 'order.name-left-out')
  assert.deepEqual([news?.message, news?.error?.code], ['Goes on without b.example: b.example answered 404.', 'VALIDATION_REFUSED'])
  const { problem, statusReason, versions } = await w.detail(made.certificateId)
  assert.deepEqual([problem?.code, versions[0]?.names], ['VALIDATION_REFUSED', ['a.example', 'c.example']])
  assert.match(statusReason, /Renewed without b\.example/)
})

testOnDatabases('never without the common name, never a first order, never without any name', async (t, database) => {
  const { w, first, order, read, live } = await makeOrderWorld(t, database)
  for (const name of ['a.example', 'b.example', 'c.example']) first.proofs.set(name, name === 'a.example' ? 'invalid' : 'valid')
  const replaces = newId('ver', w.now())
  const orders = [await order({ ...renewal(), replaces, commonName: 'a.example' }), await order(renewal()), await order({ ...renewal({ leaveOut: false }), replaces }), await order({ ...renewal(), names: ['a.example'], replaces })]
  await live(3)
  for (const made of orders) assert.deepEqual([(await read(made)).state, codeOf(await read(made)), (await read(made)).leftOut], ['failed', 'VALIDATION_REFUSED', '[]'])
  assert.equal(first.issued.length, 0)
})

testOnDatabases('so many calls to one authority at a time; the others wait without using up anything', async (t, database) => {
  const { w, first, order, read } = await makeOrderWorld(t, database)
  await database.db.updateTable('authority').set({ concurrency: 2 }).where('id', '=', first.id).execute()
  let [inside, most] = [0, 0]
  const submit = first.connector.submit.bind(first.connector)
  first.connector.submit = async (...call) => {
    most = Math.max(most, ++inside)
    await new Promise((resolve) => setTimeout(resolve, 5))
    return submit(...call).finally(() => { inside-- })
  }
  const orders = []
  for (let i = 0; i < 12; i++) orders.push(await order({ names: [`n${i}.example`] }))
  while ((await w.runBot(w.bots[0] ?? assert.fail())) > 0);
  for (let round = 0; round < 60; round++) {
    const tasks = await leaseTasks(database, 'control-plane', { owner: 'w', max: 8, seconds: 60 }, w.now())
    await Promise.all(tasks.map((task) => runTask(w.workerDeps, task)))
    w.clock.pass(1)
  }
  for (const made of orders) assert.equal((await read(made)).state, 'complete')
  assert.ok(most === 2, `${most} at a time`)
})
