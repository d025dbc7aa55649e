import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { emptyDatabase } from '../database/database-testing.ts'
import { runTask, type WorkerDeps } from '../task/task-worker.ts'
import { leaseTasks } from '../task/task-store.ts'
import { caWorld } from './ca-testing.ts'
import { publishCrlKind } from './crl-schedule.ts'
import { findCrl } from './crl-store.ts'
import { issuerInSlot } from './issue.ts'
import { maintenanceKind, maintenanceTaskKind } from './maintenance.ts'

const hour = 3_600_000

/** The due tasks of one kind, each tried once. */
async function tryDue(deps: WorkerDeps, kind: string): Promise<number> {
  const tasks = (await leaseTasks(deps.database, 'control-plane', { owner: 'here', max: 50, seconds: 20 }, deps.now())).filter((task) => task.kind === kind)
  for (const task of tasks) await runTask(deps, task)
  return tasks.length
}

test('lists that could not be made for good, as with a wrong PIN, are tried again by themselves, and at each start', async (t) => {
  const database = await emptyDatabase(t)
  const { ca, clock } = await caWorld(t, database)
  const { id } = issuerInSlot(await ca.issuers(), 'intermediate')
  let isRefused = false
  const publishing = { ...ca.crls.taskKind, run: async (...[task, signal]: Parameters<typeof ca.crls.taskKind.run>) => {
    if (isRefused) throw new CertloopError('PKCS11_PIN_WRONG', 'wrong')
    return ca.crls.taskKind.run(task, signal)
  } }
  const deps: WorkerDeps = { database, kinds: { [publishCrlKind]: publishing }, now: () => clock.now, random: () => 0, log: () => {} }
  await tryDue(deps, publishCrlKind)
  const first = await findCrl(database.db, id, 'full')
  assert.ok(first)
  isRefused = true
  clock.now = new Date(new Date(first.nextUpdate).getTime() - 80 * hour)
  assert.ok(await tryDue(deps, publishCrlKind) > 0)
  isRefused = false
  clock.now = new Date(clock.now.getTime() + hour)
  assert.ok(await tryDue(deps, publishCrlKind) > 0, 'an hour later')
  assert.ok(((await findCrl(database.db, id, 'full'))?.number ?? 0) > first.number)
})

test('a start makes lists again whose task is gone, and those that the clock was wrong for', async (t) => {
  const database = await emptyDatabase(t)
  const { ca, clock } = await caWorld(t, database)
  const { id } = issuerInSlot(await ca.issuers(), 'intermediate')
  const due = async () => (await database.db.selectFrom('task').select('id').where('kind', '=', publishCrlKind).where('subject', '=', id).where('state', '=', 'ready').where('notBefore', '<=', clock.now.toISOString()).execute()).length
  const deps: WorkerDeps = { database, kinds: { [publishCrlKind]: ca.crls.taskKind }, now: () => clock.now, random: () => 0, log: () => {} }
  await tryDue(deps, publishCrlKind)
  await ca.crls.ensurePublished()
  assert.equal(await due(), 0, 'nothing is due')
  await database.db.deleteFrom('task').execute()
  clock.now = new Date(clock.now.getTime() + 90 * hour)
  await ca.crls.ensurePublished()
  assert.equal(await due(), 1)
  // A clock a year ahead: its lists are of no use now, and the next would come a year later.
  const right = clock.now
  clock.now = new Date(right.getTime() + 8760 * hour)
  await tryDue(deps, publishCrlKind)
  clock.now = right
  assert.equal(await due(), 0)
  await ca.crls.ensurePublished()
  assert.equal(await due(), 1)
  await tryDue(deps, publishCrlKind)
  assert.equal((await findCrl(database.db, id, 'full'))?.thisUpdate.slice(0, 16), right.toISOString().slice(0, 16))
})

test('maintenance that failed comes again', async (t) => {
  const database = await emptyDatabase(t)
  const { ca, clock } = await caWorld(t, database)
  await ca.maintenance.schedule()
  const failing = maintenanceTaskKind({ run: () => Promise.reject(new CertloopError('PKCS11_PIN_WRONG', 'wrong')) }, () => clock.now)
  const deps: WorkerDeps = { database, kinds: { [maintenanceKind]: failing }, now: () => clock.now, random: () => 0, log: () => {} }
  assert.equal(await tryDue(deps, maintenanceKind), 1)
  clock.now = new Date(clock.now.getTime() + 25 * hour)
  assert.equal(await tryDue(deps, maintenanceKind), 1)
})
