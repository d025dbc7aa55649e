import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { CertloopError, type ErrorCode } from '@certloop/contract'
import fc from 'fast-check'
import { emptyDatabase } from '../database/database-testing.ts'
import { cancelOrder, whyNotCancel } from './cancel-order.ts'
import { lookAgain } from './look-again.ts'
import { isOpenOrder } from './order-state.ts'
import type { OrderRow } from './order-store.ts'
import { pokeOrder } from './order-task.ts'
import { failure, makeOrderWorld, type Mishap, type OrderWorld } from './order-testing.ts'

const mishap = fc.record<Mishap>({
  when: fc.constantFrom('before', 'after'),
  error: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(['AUTHORITY_UNREACHABLE', { sent: 'maybe' }], ['AUTHORITY_ANSWER_INVALID', {}], ['UNAVAILABLE', {}]) },
    { weight: 2, arbitrary: fc.constantFrom(['AUTHORITY_RATE_LIMITED', { retryAt: '2026-03-01T00:05:00.000Z' }], ['AUTHORITY_UNREACHABLE', { sent: 'no' }]) },
    { weight: 1, arbitrary: fc.constantFrom(['AUTHORITY_REJECTED', {}], ['NAME_REFUSED', { names: 'a.example' }], ['ORDER_EXPIRED', {}], ['AUTHORITY_ACCOUNT_REFUSED', {}], ['ORDER_UNCERTAIN', {}]) },
  ).map(([code, facts]) => failure(code as ErrorCode, facts as Record<string, string>)),
})
/** What an honest authority says of a request is true: these are said before anything is done, the others at any time. */
const truthful: ReadonlySet<string> = new Set(['AUTHORITY_REJECTED', 'NAME_REFUSED', 'ORDER_EXPIRED', 'AUTHORITY_ACCOUNT_REFUSED', 'AUTHORITY_RATE_LIMITED'])
const honest = ({ when, error }: Mishap): Mishap => ({ when: truthful.has(error.code) || error.facts['sent'] === 'no' ? 'before' : when, error })
const who = fc.nat(1)
type Plain = 'run' | 'live' | 'poke' | 'cancel' | 'look' | 'watch' | 'expire'
type Op = { [K in Plain]: { op: K } }[Plain] | { op: 'mishap'; on: number; mishap: Mishap } | { op: 'crash'; at: number; after: boolean } | { op: 'proof'; state: 'wanted' | 'asked' | 'valid' | 'invalid' | null } | { op: 'polls'; on: number; polls: number }
const ops = fc.array(fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constantFrom('run' as const, 'run' as const, 'live' as const, 'poke' as const) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('cancel' as const, 'look' as const, 'watch' as const, 'expire' as const) }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant('mishap' as const), on: who, mishap }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('crash' as const), at: fc.integer({ min: 1, max: 8 }), after: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('proof' as const), state: fc.constantFrom('wanted' as const, 'asked' as const, 'valid' as const, 'invalid' as const, null) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('polls' as const), on: who, polls: fc.nat(3) }) },
), { minLength: 8, maxLength: 30 })

interface Play { world: OrderWorld; orders: OrderRow[]; crash: { at: number; after: boolean; dead: boolean }; ended: Map<string, string>; doubted: Set<string> }

/** From the given commit on nothing is written any more, until somebody starts it again. */
function mortal({ w: { database } }: OrderWorld): Play['crash'] {
  const crash = { at: 0, after: false, dead: false }
  const died = () => new CertloopError('LEASE_LOST', 'The process died.')
  const transaction = database.transaction.bind(database)
  database.transaction = async (work) => {
    if (crash.dead) throw died()
    crash.dead = crash.at > 0 && --crash.at === 0
    if (crash.dead && !crash.after) throw died()
    const result = await transaction(work)
    if (crash.dead) throw died()
    return result
  }
  return crash
}

async function makePlay(t: TestContext, kinds: ('keeps' | 'finds')[]): Promise<Play> {
  const world = await makeOrderWorld(t, await emptyDatabase(t), kinds)
  const fallbacks = world.authorities.slice(1)
  const orders = [await world.order({ fallbacks, validation: { method: 'http' } }), await world.order({ names: ['a.example'], fallbacks: [], validation: { method: 'http' } })]
  await world.w.runBot(world.bot)
  return { world, orders, crash: mortal(world), ended: new Map(), doubted: new Set() }
}

const allowed = (error: unknown) => { if (!(error instanceof CertloopError && ['ACTION_NOT_POSSIBLE', 'LEASE_LOST', 'CONFLICT'].includes(error.code))) throw error }
const each = async ({ orders }: Play, work: (order: OrderRow) => Promise<unknown>) => { for (const order of orders) await work(order).catch(allowed) }
async function run({ world: { w }, crash }: Play): Promise<void> {
  await w.runPlane().catch(allowed)
  if (!crash.dead) return
  // It starts again, once the leases of the dead one have run out.
  Object.assign(crash, { dead: false, at: 0 })
  w.clock.pass(90)
}
const performers: { [K in Op['op']]: (play: Play, step: Extract<Op, { op: K }>) => unknown } = {
  run: (play) => run(play),
  async live(play) {
    play.world.w.clock.pass(90)
    await play.world.w.runBot(play.world.bot).catch(allowed)
    await run(play)
  },
  poke: (play) => each(play, ({ id }) => play.world.w.database.transaction((tx, wake) => pokeOrder(tx, wake, id, play.world.w.now()))),
  cancel: (play) => each(play, ({ id }) => play.world.w.database.transaction((tx, wake) => cancelOrder(tx, wake, id, 'user:test', play.world.w.now()))),
  look: (play) => each(play, ({ id }) => play.world.w.database.transaction((tx, wake) => lookAgain(tx, wake, id, 'user:test', play.world.w.now()))),
  watch: ({ world }) => world.w.watch(),
  expire({ world }) { for (const { filed } of world.authorities) for (const one of filed.values()) one.gone = one.chainPem === undefined },
  mishap: ({ world }, { on, mishap: next }) => world.authorities[on]?.mishaps.push(honest(next)),
  crash: ({ crash }, { at, after }) => Object.assign(crash, { at, after }),
  proof({ world }, { state }) {
    for (const { proofs } of world.authorities) {
      if (state === null) proofs.clear()
      else proofs.set('a.example', state)
    }
  },
  polls({ world }, { on, polls }) { for (const one of world.authorities[on]?.filed.values() ?? []) one.polls = polls },
}
async function perform(play: Play, step: Op): Promise<void> {
  await (performers[step.op] as (play: Play, step: Op) => unknown)(play, step)
  if (play.crash.dead) Object.assign(play.crash, { dead: false, at: 0 })
}

async function check({ world: { w, authorities, read }, orders, ended, doubted }: Play): Promise<void> {
  const issued = authorities.flatMap((authority) => authority.issued)
  const attempts = await w.database.db.selectFrom('orderAttempt').selectAll().execute()
  const tasks = new Set((await w.database.db.selectFrom('task').select('subject').where('state', 'in', ['ready', 'leased']).execute()).map(({ subject }) => subject))
  for (const { id } of orders) {
    const order = await read({ id })
    const own = attempts.filter(({ orderId }) => orderId === id)
    const certificates = issued.filter(({ reference }) => reference === id).length
    if (order.state === 'uncertain') doubted.add(id)
    assert.ok(certificates <= 1, `${certificates} certificates for one order`)
    assert.equal(new Set(own.map(({ authorityId }) => authorityId)).size, own.length, 'one authority was asked in two attempts')
    assert.ok(own.filter(({ state }) => ['intended', 'submitted', 'uncertain'].includes(state)).length <= (isOpenOrder(order.state) ? 1 : 0), 'attempts that are open')
    checkEnd(order, certificates, doubted.has(id))
    if (order.state === 'processing' || order.state === 'pending') assert.ok(tasks.has(id) && order.reason && order.nextAction && order.deadline, `${order.state} and nobody carries it on`)
    assert.equal(ended.get(id) ?? order.state, order.state, 'it had ended')
    if (!isOpenOrder(order.state)) ended.set(id, order.state)
  }
}

function checkEnd({ state }: OrderRow, certificates: number, wasDoubted: boolean): void {
  if (state === 'complete') assert.equal(certificates, 1)
  else if (!isOpenOrder(state) && certificates > 0) assert.ok(wasDoubted, `issued, and the order is ${state} without anybody's having been asked`)
}

/** The faults stop, and a person has looked up what only a person can. */
async function comeToRest(play: Play): Promise<void> {
  const { world, orders, crash } = play
  const { w, authorities, read } = world
  Object.assign(crash, { at: 0, dead: false })
  for (const { mishaps, proofs, filed } of authorities) {
    mishaps.length = 0
    proofs.clear()
    for (const one of filed.values()) one.polls = 0
  }
  for (let round = 0; round < 60; round++) {
    // Where the authority can't be asked, the person looks there and cancels.
    const settle = round < 20 ? lookAgain : cancelOrder
    for (const { id } of orders) if ((await read({ id })).state === 'uncertain') await w.database.transaction(async (tx, wake) => { await settle(tx, wake, id, 'user:test', w.now()) })
    await w.settle()
    await w.watch()
    await check(play)
    w.clock.pass(60)
  }
  for (const { id } of orders) {
    const order = await read({ id })
    assert.ok(!isOpenOrder(order.state), `${order.state}: ${order.reason}`)
    assert.equal(await w.database.transaction((tx) => whyNotCancel(tx, order)) === null, false)
  }
  for (const order of orders) if (authorities.some(({ issued }) => issued.some(({ reference }) => reference === order.id)) && !play.doubted.has(order.id)) assert.equal((await read(order)).state, 'complete', 'what was issued is kept')
}

for (const kinds of [['keeps', 'finds'], ['finds', 'keeps']] as ('keeps' | 'finds')[][]) {
  test(`whatever an authority does and wherever the process dies: one certificate at most, one attempt at each, an end (${kinds.join(', ')})`, async (t) => {
    await fc.assert(fc.asyncProperty(ops, async (steps) => {
      const play = await makePlay(t, kinds)
      for (const step of steps) {
        await perform(play, step)
        await check(play)
      }
      await comeToRest(play)
    }), { numRuns: 25, interruptAfterTimeLimit: 7_000, endOnFailure: true })
  })
}
