import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { actionKinds, CertloopError, deploymentTimingDefault, rolloutDefault, type ActionKind, type BotTaskKind, type CertificateId, type TaskId } from '@certloop/contract'
import fc from 'fast-check'
import { emptyDatabase } from '../database/database-testing.ts'
import { isOpenDeployment } from '../deployment/deployment-state.ts'
import { isOpenOrder } from '../order/order-state.ts'
import { cancelOrder } from '../order/cancel-order.ts'
import { nextDue } from '../task/task-store.ts'
import { makeWorld, reportResult, type TestBot, type World } from '../world-testing.ts'
import { cancelAction } from './action-cancel.ts'
import { isOpenAction } from './action-state.ts'
import { openAction } from './action-store.ts'

const botKinds: BotTaskKind[] = ['make-csr', 'plan-deployment', 'deploy', 'inspect-target']
const down = { code: 'FILE_UNWRITABLE' as const, message: 'The disk is read-only.', facts: {} }
const window = { ...deploymentTimingDefault, when: 'window' as const, window: { frequency: 'weekly' as const, weekday: 7, dayOfMonth: 1, time: '02:00', lengthMinutes: 120 } }

type Op =
  | { op: 'start'; kind: ActionKind; on: number; schedule: boolean }
  | { op: 'cancel'; on: number } | { op: 'late'; on: number } | { op: 'plane'; on: number } | { op: 'watch'; on: number } | { op: 'lose-answers'; on: number } | { op: 'never-hear'; on: number }
  | { op: 'bot'; on: number; how: 'well' | 'fails' | 'silent' | 'twice'; kind: BotTaskKind }
  | { op: 'clock'; hours: number }
  | { op: 'crash'; times: number }
const on = fc.nat(1)
const ops = fc.array(fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constant('start' as const), kind: fc.constantFrom(...actionKinds), on, schedule: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('cancel' as const, 'late' as const, 'watch' as const, 'lose-answers' as const, 'never-hear' as const), on }) },
  { weight: 7, arbitrary: fc.record({ op: fc.constant('plane' as const), on }) },
  { weight: 7, arbitrary: fc.record({ op: fc.constant('bot' as const), on, how: fc.constantFrom('well' as const, 'well' as const, 'fails' as const, 'silent' as const, 'twice' as const), kind: fc.constantFrom(...botKinds) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('clock' as const), hours: fc.constantFrom(0.02, 1, 30, 200) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('crash' as const), times: fc.integer({ min: 1, max: 3 }) }) },
), { minLength: 15, maxLength: 45 })

interface Play { w: World; ids: CertificateId[]; held: { bot: TestBot; id: TaskId; fence: number }[]; faults: { crashes: number; lost: number }; ended: Map<string, string> }

async function makePlay(t: TestContext): Promise<Play> {
  const w = await makeWorld(t, await emptyDatabase(t))
  const bots = [await w.addBot('a'), await w.addBot('b')]
  const faults = { crashes: 0, lost: 0 }
  const ids = [await w.configured('window.example', bots, { deployment: window }), await w.configured('order.example', bots, { rollout: { ...rolloutDefault, mode: 'in-order' } })]
  const transaction = w.database.transaction.bind(w.database)
  w.database.transaction = async (work) => transaction(async (tx, wake) => {
    const result = await work(tx, wake)
    if (faults.crashes > 0 && faults.crashes-- > 0) throw new CertloopError('UNAVAILABLE', 'The process died.')
    return result
  })
  const issue = w.localCa.issue.bind(w.localCa)
  w.localCa.issue = async (options) => {
    const issued = await issue(options)
    if (faults.lost > 0 && faults.lost-- > 0) throw new CertloopError('AUTHORITY_UNREACHABLE', 'The answer was lost.')
    return issued
  }
  return { w, ids, held: [], faults, ended: new Map() }
}

/** What may be refused; anything else that is thrown is a fault of ours. */
const refusals = new Set(['ACTION_NOT_POSSIBLE', 'CONFIGURATION_INCOMPLETE', 'UNAVAILABLE', 'LEASE_LOST', 'CONFLICT', 'AUTHORITY_UNREACHABLE'])
const allowRefusal = (error: unknown) => { if (!(error instanceof CertloopError && refusals.has(error.code))) throw error }

async function runBot({ w, held }: Play, bot: TestBot, how: string, kind: BotTaskKind): Promise<void> {
  if (how === 'fails') bot.fails.set(kind, down)
  if (how === 'silent') for (const each of botKinds) bot.silent.add(each)
  const before = bot.done.length
  await w.runBot(bot).catch(allowRefusal)
  if (how === 'silent') {
    for (const task of await w.database.db.selectFrom('task').select(['id', 'fence']).where('executor', '=', bot.id).where('state', '=', 'leased').execute()) held.push({ bot, ...task })
  }
  if (how === 'twice') for (const task of bot.done.slice(before)) await reportResult(w.leaseDeps, bot.id, task.id, { fence: task.fence, result: { ok: false, error: down } }).catch(allowRefusal)
  bot.fails.clear()
  bot.silent.clear()
}

const performers: { [K in Op['op']]: (play: Play, step: Extract<Op, { op: K }>) => unknown } = {
  clock: ({ w }, { hours }) => w.clock.pass(hours * 3600),
  crash: ({ faults }, { times }) => { faults.crashes = times },
  'lose-answers': ({ faults }, step) => { faults.lost = 1 + step.on },
  /** What was submitted now is not heard of until its deadline has passed. */
  async 'never-hear'({ w, faults }) {
    for (const bot of w.bots) await w.runBot(bot).catch(allowRefusal)
    faults.lost = 2
    await w.runPlane()
    w.clock.pass(30 * 3600)
    await w.watch()
  },
  start: ({ w, ids }, { kind, schedule, on: of }) => w.start(ids[of] ?? 'crt_', kind, schedule ? { requester: 'schedule' } : {}).catch(allowRefusal),
  bot: (play, { how, kind, on: of }) => runBot(play, play.w.bots[of] as TestBot, how, kind),
  plane: ({ w }) => w.runPlane(),
  watch: ({ w }) => w.watch(),
  async late({ w, held }) {
    for (const { bot, id, fence } of held.splice(0)) await reportResult(w.leaseDeps, bot.id, id, { fence, result: { ok: false, error: down } }).catch(allowRefusal)
  },
  async cancel({ w, ids }, { on: of }) {
    const open = await openAction(w.database.db, ids[of] ?? 'crt_')
    if (open) await w.database.transaction((tx, wake) => cancelAction(tx, wake, open.id, 'user:test', w.now())).catch(allowRefusal)
  },
}

async function read({ db }: World['database']) {
  const [actions, orders, deployments, rollouts] = [await db.selectFrom('action').selectAll().execute(), await db.selectFrom('certificateOrder').selectAll().execute(), await db.selectFrom('deployment').selectAll().execute(), await db.selectFrom('rollout').selectAll().execute()]
  const tasks = new Set((await db.selectFrom('task').select('subject').where('state', 'in', ['ready', 'leased']).execute()).map((task) => task.subject))
  return { actions, orders, deployments, rollouts, tasks, versions: await db.selectFrom('certificateVersion').select(['id', 'certificateId', 'orderId']).execute() }
}
type Rows = Awaited<ReturnType<typeof read>>

const noneTwice = (rows: readonly string[], what: string) => assert.equal(new Set(rows).size, rows.length, `${what}: ${rows.join(', ')}`)

/** Somebody will carry it on: a task, a bot, or a person where only one can know. */
function isCarried(action: Rows['actions'][0], r: Rows): boolean {
  const orders = r.orders.filter((o) => o.actionId === action.id && isOpenOrder(o.state))
  const deployments = r.deployments.filter((d) => d.actionId === action.id && isOpenDeployment(d.state))
  const rollout = r.rollouts.find((each) => each.actionId === action.id && each.endedAt === null)
  const child = r.actions.some((each) => each.certificateId === action.childId && each.endedAt === null)
  return r.tasks.has(action.id) || child || orders.some((o) => o.state === 'uncertain' || r.tasks.has(o.id)) || deployments.some((d) => r.tasks.has(d.id)) || (rollout !== undefined && r.tasks.has(rollout.id))
}

async function check({ w, ended }: Play): Promise<void> {
  const r = await read(w.database)
  const open = r.actions.filter((a) => isOpenAction(a.state))
  noneTwice(open.map((a) => a.certificateId), 'two open actions on one certificate')
  noneTwice(r.deployments.filter((d) => isOpenDeployment(d.state)).map((d) => d.targetId), 'two open deployments on one target')
  noneTwice(r.orders.map((o) => `${o.actionId} ${o.botId}`), 'two orders of one action for one host')
  for (const a of open) {
    assert.ok(a.reason && a.nextAction && (a.deadline || a.waitsUntil), `${a.kind} is ${a.state} and says neither why, what comes next nor until when: ${JSON.stringify(a)}`)
    assert.ok(isCarried(a, r), `${a.kind} is ${a.state} and nobody carries it on`)
  }
  checkParts(r)
  for (const row of [...r.actions, ...r.orders, ...r.deployments].filter((each) => ['done', 'failed', 'cancelled', 'complete', 'deployed', 'rolled-back'].includes(each.state))) {
    assert.equal(ended.get(row.id) ?? row.state, row.state, `${row.id} had ended`)
    ended.set(row.id, row.state)
  }
  await checkIssued(w, r)
}

function checkParts(r: Rows): void {
  for (const o of r.orders.filter((each) => isOpenOrder(each.state))) assert.ok(o.reason && (o.nextAction || o.error) && (o.state === 'uncertain' || r.tasks.has(o.id)), `an order is ${o.state} and nobody carries it on`)
  for (const d of r.deployments) {
    const version = r.versions.find((v) => v.id === d.versionId)
    const order = r.orders.find((o) => o.id === version?.orderId)
    assert.ok(version?.certificateId === d.certificateId && order?.state === 'complete', `deployed what was not issued: order ${order?.state}`)
  }
}

/** One certificate at the authority for one intent: those that are complete, or of which nobody knows. */
async function checkIssued({ database }: World, r: Rows): Promise<void> {
  const issued = new Set((await database.db.selectFrom('ca_certificate').select('reference').where('reference', 'like', 'ord%').execute()).map((row) => row.reference))
  const doubted = new Set((await database.db.selectFrom('event').select('orderId').where('kind', '=', 'order.outcomeUnknown').execute()).map((row) => row.orderId))
  for (const o of r.orders) {
    if (o.state === 'complete') assert.ok(issued.has(o.id), 'complete, and the authority knows nothing of it')
    else if (issued.has(o.id)) assert.ok(['processing', 'uncertain'].includes(o.state) || doubted.has(o.id), `issued, and the order is ${o.state}`)
  }
}

/** The faults stop, time goes by, and a person settles what only a person can. */
async function comeToRest(play: Play): Promise<void> {
  const { w, faults } = play
  Object.assign(faults, { crashes: 0, lost: 0 })
  const before = (await read(w.database)).actions.map((a) => a.id)
  for (let round = 0; round < 150; round++) {
    await w.settle()
    await w.watch()
    const r = await read(w.database)
    for (const { id } of r.orders.filter((o) => o.state === 'uncertain')) await w.database.transaction((tx, wake) => cancelOrder(tx, wake, id, 'user:test', w.now()))
    if (r.actions.every((a) => !before.includes(a.id) || a.endedAt !== null)) return
    // Not past the next thing that falls due: a window is missed by who looks away for six hours.
    const due = await nextDue(w.database.db, 'control-plane', w.now())
    w.clock.pass(Math.min(6 * 3600, due ? (due.getTime() - w.now().getTime()) / 1000 : Infinity))
  }
  const left = (await read(w.database)).actions.filter((a) => before.includes(a.id) && a.endedAt === null)
  assert.deepEqual(left.map((a) => `${a.kind} ${a.state}: ${a.reason}`), [], 'everything ends once the faults stop')
}

test('whatever happens in whatever order: nothing doubled, lost, stuck or deployed that was not issued', async (t) => {
  await fc.assert(fc.asyncProperty(ops, async (steps) => {
    const play = await makePlay(t)
    await play.w.start(play.ids[0] ?? 'crt_', 'rotate')
    for (const step of steps) {
      await (performers[step.op] as (play: Play, step: Op) => unknown)(play, step)
      await check(play)
    }
    await comeToRest(play)
    await check(play)
  }), { numRuns: 40, interruptAfterTimeLimit: 10_000, endOnFailure: true })
})
