import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, deploymentStates, newId, orderStates, type AuthorityId, type CertificateId } from '@certloop/contract'
import fc from 'fast-check'
import { testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { deploymentTransitions, isOpenDeployment, nextDeploymentState, type DeploymentEvent } from '../deployment/deployment-state.ts'
import { changeDeployment, getDeployment, insertDeployment } from '../deployment/deployment-store.ts'
import { isOpenOrder, nextOrderState, orderTransitions, type OrderEvent } from './order-state.ts'
import { changeOrder, getOrder, insertOrder } from './order-store.ts'

const now = new Date('2026-03-01T00:00:00Z')
const orderEvents = Object.keys(orderTransitions) as OrderEvent[]
const deploymentEvents = Object.keys(deploymentTransitions) as DeploymentEvent[]

/** Any order of events: what is over stays over, and only what the table lists happens. */
function checkMachine<S extends string, E extends string>(states: readonly S[], start: S, events: readonly E[], next: (state: S, event: E) => S | undefined, isOpen: (state: S) => boolean, table: Record<E, { from: readonly S[]; to: S }>) {
  fc.assert(fc.property(fc.array(fc.constantFrom(...events), { maxLength: 30 }), (sequence) => {
    let state = start
    for (const event of sequence) {
      const to = next(state, event)
      assert.equal(to !== undefined, table[event].from.includes(state))
      if (to === undefined) continue
      assert.ok(isOpen(state), `${state} is over, and ${event} still led to ${to}`)
      assert.equal(to, table[event].to)
      assert.notEqual(to, state)
      state = to
    }
  }))
  for (const state of states) assert.equal(isOpen(state), events.some((event) => next(state, event) !== undefined), `${state} is open when something can happen in it`)
  const reached = new Set<S>([start])
  for (let size = 0; size !== reached.size;) {
    size = reached.size
    for (const state of reached) for (const event of events) reached.add(next(state, event) ?? state)
  }
  assert.deepEqual([...reached].toSorted(), states.toSorted(), 'every state can be reached')
}

test('orders: whatever comes in whatever order', () => checkMachine(orderStates, 'pending', orderEvents, nextOrderState, isOpenOrder, orderTransitions))
test('deployments: whatever comes in whatever order', () => checkMachine(deploymentStates, 'planning', deploymentEvents, nextDeploymentState, isOpenDeployment, deploymentTransitions))

const conflict = (error: unknown) => error instanceof CertloopError && error.code === 'CONFLICT'
const makeOrder = (database: Database) => database.transaction((tx, wake) => insertOrder(tx, wake, {
  certificateId: newId('crt', now), actionId: null, authorityId: 'ath_00000000000000000000000000' satisfies AuthorityId, commonName: null, keyAlgorithm: 'ec-256', validityDays: null, custody: 'endpoint', botId: newId('bot', now), reuseKeyId: null, csrPem: null,
  requester: 'user:test', reason: 'Ordered.', nextAction: null, names: ['a.example'], deadline: now,
}, now))
const makeDeployment = (database: Database) => database.transaction((tx, wake) => insertDeployment(tx, wake, {
  certificateId: newId('crt', now), actionId: null, versionId: newId('ver', now), targetId: newId('tgt', now), botId: newId('bot', now), approval: 'automatic', requester: 'user:test', reason: 'Deployed.', nextAction: null, rollback: true, deadline: now,
}, now))
const events = async (database: Database, column: 'orderId' | 'deploymentId', id: string) =>
  (await database.db.selectFrom('event').select('kind').where(column, '=', id as never).orderBy('id').execute()).map((e) => e.kind)

testOnDatabases('random events on a stored order and deployment: each transition is one event, each refusal none', async (_t, database) => {
  await fc.assert(fc.asyncProperty(fc.array(fc.constantFrom(...orderEvents), { maxLength: 8 }), fc.array(fc.constantFrom(...deploymentEvents), { maxLength: 8 }), async (forOrder, forDeployment) => {
    const order = await makeOrder(database)
    const taken: string[] = ['order.created']
    for (const event of forOrder) {
      const before = await getOrder(database.db, order.id)
      const to = nextOrderState(before.state, event)
      const change = database.transaction((tx, wake) => changeOrder(tx, wake, before, { event, message: event }, now))
      if (to === undefined) await assert.rejects(change, conflict)
      else taken.push((await change).state === to ? `order.${event}` : 'wrong')
      assert.equal((await getOrder(database.db, order.id)).state, to ?? before.state)
    }
    assert.deepEqual(await events(database, 'orderId', order.id), taken)
    const deployment = await makeDeployment(database)
    const done: string[] = ['deployment.created']
    for (const event of forDeployment) {
      const before = await getDeployment(database.db, deployment.id)
      const to = nextDeploymentState(before.state, event)
      const change = database.transaction((tx, wake) => changeDeployment(tx, wake, before, { event, message: event }, now))
      if (to === undefined) await assert.rejects(change, conflict)
      else done.push((await change).state === to ? `deployment.${event}` : 'wrong')
    }
    assert.deepEqual(await events(database, 'deploymentId', deployment.id), done)
  }), { numRuns: 15 })
})

testOnDatabases('racing for one transition: exactly one wins, the others write nothing', async (_t, database) => {
  for (let round = 0; round < 5; round++) {
    const order = await makeOrder(database)
    const deployment = await makeDeployment(database)
    const results = await Promise.allSettled([
      ...Array.from({ length: 4 }, (_, i) => database.transaction((tx, wake) => changeOrder(tx, wake, order, { event: i % 2 ? 'cancelled' : 'csrReady', message: 'x' }, now))),
      ...Array.from({ length: 4 }, (_, i) => database.transaction((tx, wake) => changeDeployment(tx, wake, deployment, { event: i % 2 ? 'failed' : 'approved', message: 'x' }, now))),
    ])
    assert.deepEqual([results.slice(0, 4), results.slice(4)].map((of) => of.filter((r) => r.status === 'fulfilled').length), [1, 1])
    for (const r of results) if (r.status === 'rejected') assert.ok(conflict(r.reason), String(r.reason))
    assert.equal((await events(database, 'orderId', order.id)).length, 2)
    assert.equal((await events(database, 'deploymentId', deployment.id)).length, 2)
  }
})

testOnDatabases('two deployments never work on one target', async (_t, database) => {
  const first = await makeDeployment(database)
  const again = () => database.transaction((tx, wake) => insertDeployment(tx, wake, { certificateId: newId('crt', now) satisfies CertificateId, actionId: null, versionId: newId('ver', now), targetId: first.targetId, botId: first.botId, approval: 'manual', requester: 'x', reason: 'x', nextAction: null, rollback: true, deadline: now }, now))
  const refused = (error: unknown) => error instanceof CertloopError && error.code === 'ACTION_NOT_POSSIBLE'
  await assert.rejects(again(), refused)
  await database.transaction((tx, wake) => changeDeployment(tx, wake, first, { event: 'failed', message: 'x' }, now))
  const results = await Promise.allSettled([again(), again(), again()])
  assert.equal(results.filter((r) => r.status === 'fulfilled').length, 1)
})
