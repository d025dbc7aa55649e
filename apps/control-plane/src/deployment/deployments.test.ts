import assert from 'node:assert/strict'
import { CertloopError, type CertificateId, type DeployResult, type DeploymentDetail, type DeploymentId } from '@certloop/contract'
import { updateBot } from '../bot/bot-store.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { inspectionOf, makeWorld, place, reportProgress, reportResult, type TestBot, type World } from '../world-testing.ts'
import { cancelDeployment } from './cancel.ts'
import { approveDeployment } from './deployment-worker.ts'
import { readDeployment } from './deployment-store.ts'
import { retryDeployment } from './retry.ts'
import { stopsOf } from './stops.ts'
import { undoDeployment } from './undo.ts'

const refused = (message: RegExp) => (error: unknown) => error instanceof CertloopError && error.code === 'ACTION_NOT_POSSIBLE' && message.test(error.message)
const second = 1
const minute = 60 * second

async function newest(w: World, id: CertificateId): Promise<DeploymentDetail> {
  const { id: last } = await w.database.db.selectFrom('deployment').select('id').where('certificateId', '=', id).orderBy('id', 'desc').limit(1).executeTakeFirstOrThrow()
  return readDeployment(w.database.db, last)
}
const heldTask = (w: World, subject: DeploymentId) => w.database.db.selectFrom('task').selectAll().where('subject', '=', subject).where('executor', '!=', 'control-plane').orderBy('id', 'desc').limit(1).executeTakeFirstOrThrow()

/** What a bot says of the deployment it holds. */
async function progress(w: World, bot: TestBot, id: DeploymentId) {
  const task = await heldTask(w, id)
  return reportProgress(w.leaseDeps, bot.id, task.id, { fence: task.fence, log: [] })
}
async function tell(w: World, bot: TestBot, id: DeploymentId, result: Partial<DeployResult>, fence?: number): Promise<void> {
  const task = await heldTask(w, id)
  const data: DeployResult = { outcome: 'rolled-back', touched: true, error: { code: 'DEPLOYMENT_CANCELLED', message: 'Cancelled by hand in step 4.', facts: {} }, differences: [], inspection: null, log: [], ...result }
  await reportResult(w.leaseDeps, bot.id, task.id, { fence: fence ?? task.fence, result: { ok: true, data } })
}
const cancel = (w: World, id: DeploymentId) => w.database.transaction((tx, wake) => cancelDeployment(tx, wake, id, 'user:anna', w.now()))
const undo = (w: World, id: DeploymentId) => w.database.transaction((tx, wake) => undoDeployment(tx, wake, id, { requester: 'user:anna' }, w.secrets, w.now()))
const heard = (w: World, bot: TestBot) => updateBot(w.database.db, bot.id, { lastContactAt: w.now().toISOString() })

/** One certificate on one host, deployed once; then the bot begins with the next and goes on without end. */
async function hanging(w: World): Promise<{ bot: TestBot; id: CertificateId; d: DeploymentDetail; before: string }> {
  const bot = await w.addBot('web')
  const id = await w.configured('shop.example', [bot])
  assert.equal((await w.act(id, 'rotate')).state, 'done')
  const before = bot.installed.get(place('shop.example').certificatePath) ?? ''
  bot.silent.add('deploy')
  w.clock.pass(minute)
  await heard(w, bot)
  await w.start(id, 'rotate')
  await w.settle()
  const { id: last } = await newest(w, id)
  await progress(w, bot, last)
  return { bot, id, d: await readDeployment(w.database.db, last), before }
}

testOnDatabases('stopped while the bot is at it: the bot learns it, and what it tells ends the deployment', async (t, database) => {
  const w = await makeWorld(t, database)
  const { bot, id, d, before } = await hanging(w)
  assert.deepEqual([d.state, d.can, d.cancelRequestedAt], ['deploying', ['cancel'], null])
  assert.equal((await progress(w, bot, d.id)).cancel, undefined)
  assert.deepEqual(await stopsOf(database.db, bot.id, [d.id]), { cancel: [], again: [] })
  await cancel(w, d.id)
  assert.deepEqual(await stopsOf(database.db, bot.id, [d.id]), { cancel: [d.id], again: [] })
  const asked = await readDeployment(database.db, d.id)
  assert.deepEqual([asked.state, asked.cancelRequestedAt, asked.can], ['deploying', w.now().toISOString(), ['cancel']])
  assert.match(asked.reason, /being stopped: the bot ends what runs/)
  assert.ok(asked.deadline && asked.nextAction)
  await cancel(w, d.id)
  const twice = await readDeployment(database.db, d.id)
  assert.equal(twice.state, 'deploying')
  assert.match(twice.reason, /at once: the bot puts the files back and does not wait/)
  await cancel(w, d.id)
  assert.deepEqual(await stopsOf(database.db, bot.id, [d.id]), { cancel: [d.id], again: [d.id] })
  assert.deepEqual(await stopsOf(database.db, (await w.addBot('other')).id, [d.id]), { cancel: [], again: [] }, 'another bot learns nothing')
  assert.equal((await progress(w, bot, d.id)).cancel, true)

  const { fence } = await heldTask(w, d.id)
  await tell(w, bot, d.id, { inspection: inspectionOf(before, w.now()) })
  await tell(w, bot, d.id, {}, fence)
  await w.settle()
  const ended = await readDeployment(database.db, d.id)
  assert.deepEqual([ended.state, ended.error?.code, ended.can], ['rolled-back', 'DEPLOYMENT_CANCELLED', ['retry']])
  assert.match(ended.reason, /The previous certificate is served again/)
  assert.equal((await w.detail(id)).status, 'rolled-back')
  const kinds = (await listEvents(database.db, { deploymentId: d.id }, 20)).map((e) => e.kind)
  assert.deepEqual(kinds, ['deployment.undone', 'deployment.cancel-asked-again', 'deployment.cancel-asked', 'deployment.begun', 'deployment.approved', 'deployment.created'])

  bot.silent.clear()
  const action = await database.transaction((tx, wake) => retryDeployment(tx, wake, d.id, 'user:anna', w.secrets, w.now()))
  await w.settle()
  const again = await newest(w, id)
  assert.deepEqual([again.state, again.versionId, again.targetId], ['deployed', d.versionId, d.targetId])
  assert.equal(action.kind, 'deploy')
  assert.equal((await w.detail(id)).status, 'deployed')
  await assert.rejects(database.transaction((tx, wake) => retryDeployment(tx, wake, d.id, 'user:anna', w.secrets, w.now())), refused(/A later deployment has changed this target/))
  await assert.rejects(cancel(w, d.id), refused(/rolled-back; there is nothing to be cancelled/))
})

testOnDatabases('stopped before the bot began, before it changed anything, and too late', async (t, database) => {
  const w = await makeWorld(t, database)
  const { bot, id, d } = await hanging(w)
  await cancel(w, d.id)
  await tell(w, bot, d.id, { outcome: 'failed', touched: false })
  const untouched = await readDeployment(database.db, d.id)
  assert.deepEqual([untouched.state, untouched.error, untouched.reason], ['cancelled', null, 'Cancelled by hand. Nothing was touched.'])

  await w.settle()
  await w.start(id, 'deploy')
  await w.settle()
  const late = await newest(w, id)
  await progress(w, bot, late.id)
  await cancel(w, late.id)
  await tell(w, bot, late.id, { outcome: 'deployed', error: null })
  const stands = await readDeployment(database.db, late.id)
  assert.equal(stands.state, 'deployed')
  assert.match(stands.reason, /^The request to cancel came too late\. Installed/)

  await w.settle()
  await w.start(id, 'deploy')
  await w.runPlane()
  const early = await newest(w, id)
  assert.equal(early.state, 'planning')
  await cancel(w, early.id)
  assert.equal((await readDeployment(database.db, early.id)).state, 'cancelled')
})

testOnDatabases('stopped while the bot is away: it waits, a person may give up, and what the bot tells later is evidence', async (t, database) => {
  const w = await makeWorld(t, database)
  const { bot, id, d } = await hanging(w)
  w.clock.pass(10 * minute)
  await cancel(w, d.id)
  const waits = await readDeployment(database.db, d.id)
  assert.match(waits.reason, /waits for the bot\. The bot "web" was last heard of at/)
  assert.match(waits.nextAction ?? '', /^Start the bot\. From \S+Z on, .* cancelling once more gives up waiting/)
  await cancel(w, d.id)
  assert.equal((await readDeployment(database.db, d.id)).state, 'deploying', 'ten minutes are not long enough to give up')
  w.clock.pass(6 * minute)
  await w.settle()
  assert.match((await readDeployment(database.db, d.id)).nextAction ?? '', /^Start the bot\. Cancelling once more gives up waiting/, 'worked out anew')
  const { fence } = await heldTask(w, d.id)
  await cancel(w, d.id)
  const given = await readDeployment(database.db, d.id)
  assert.deepEqual([given.state, given.error?.code], ['failed', 'DEPLOYMENT_CANCELLED'])
  assert.match(given.reason, /Given up by user:anna while the bot "web" was away\..*What is on the host is unknown/)

  const pem = bot.installed.get(place('shop.example').certificatePath) ?? ''
  for (const _ of [1, 2]) await tell(w, bot, d.id, { outcome: 'deployed', error: null, inspection: inspectionOf(pem, w.now()) }, fence)
  assert.deepEqual((await readDeployment(database.db, d.id)).state, 'failed', 'what ended stays ended')
  assert.equal((await w.detail(id)).installations[0]?.lastSeenAt, w.now().toISOString())
  assert.equal((await listEvents(database.db, { deploymentId: d.id }, 1))[0]?.kind, 'deployment.told-late')
})

testOnDatabases('taken back: the previous one is served, the status says why, and nothing but a person puts it there again', async (t, database) => {
  const w = await makeWorld(t, database)
  const [bot, other] = [await w.addBot('web'), await w.addBot('other')]
  const id = await w.configured('shop.example', [bot, other])
  await w.act(id, 'rotate')
  const path = place('shop.example').certificatePath
  const before = bot.installed.get(path)
  w.clock.pass(minute)
  await w.act(id, 'rotate')
  const rows = await database.db.selectFrom('deployment').selectAll().where('botId', '=', bot.id).orderBy('id').execute()
  const [first, last] = [rows[0]?.id ?? assert.fail(), rows[1]?.id ?? assert.fail()]
  assert.deepEqual((await readDeployment(database.db, last)).can, ['undo'])
  assert.deepEqual((await readDeployment(database.db, first)).can, [])
  await assert.rejects(undo(w, first), refused(/A later deployment has changed this target/))

  const row = await undo(w, last)
  assert.deepEqual([row.state, row.undoes, row.versionId], ['pending', last, rows[1]?.versionId])
  await assert.rejects(undo(w, last), refused(/Another deployment is working on this target/))
  await w.settle()
  const done = await readDeployment(database.db, row.id)
  assert.deepEqual([done.state, done.can], ['deployed', []])
  assert.match(done.reason, /Taken back: what was there before is in place again, and proven/)
  assert.equal(bot.installed.get(path), before)
  for (const one of [last, row.id]) await assert.rejects(undo(w, one), refused(/taken back already|took a deployment back itself/))

  const detail = await w.detail(id)
  assert.equal(detail.status, 'renewed-not-deployed')
  assert.match(detail.statusReason, /The newest version was taken back: .* by user:anna\. It is not deployed there again by itself\..* Deploy it by hand/)
  const deployed = bot.done.filter(({ kind }) => kind === 'deploy').length
  for (let day = 0; day < 3; day++) {
    w.clock.pass(24 * 60 * minute)
    await w.settle()
  }
  assert.equal(bot.done.filter(({ kind }) => kind === 'deploy').length, deployed, 'the schedule left it alone')
  assert.equal((await w.act(id, 'deploy')).state, 'done')
  assert.equal((await w.detail(id)).status, 'deployed')
})

testOnDatabases('an undo that does not succeed is told as failed, and can be asked for again', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('web')
  const id = await w.configured('shop.example', [bot])
  await w.act(id, 'rotate')
  const d = await newest(w, id)
  const error = { code: 'UNDO_NOT_POSSIBLE' as const, message: 'What the deployment left has been changed since. Nothing was touched.', facts: {} }
  bot.answers.set('undo-deployment', { outcome: 'failed', touched: false, error, differences: ['/etc/ssl/a.crt: the file is gone.'], inspection: null, log: [] } satisfies DeployResult)
  const row = await undo(w, d.id)
  await w.settle()
  const failed = await readDeployment(database.db, row.id)
  assert.deepEqual([failed.state, failed.error?.code, failed.differences, failed.can], ['failed', 'UNDO_NOT_POSSIBLE', ['/etc/ssl/a.crt: the file is gone.'], []])
  assert.equal((await w.detail(id)).status, 'deployed', 'what was deployed is served as before')
  await assert.rejects(database.transaction((tx, wake) => retryDeployment(tx, wake, row.id, 'user:anna', w.secrets, w.now())), refused(/Ask for the undo of that one again/))
  bot.answers.set('undo-deployment', { outcome: 'rolled-back', touched: true, error: { ...error, code: 'RELOAD_FAILED', message: 'The reload failed.' }, differences: [], inspection: null, log: [] } satisfies DeployResult)
  const again = await undo(w, d.id)
  await w.settle()
  assert.match((await readDeployment(database.db, again.id)).reason, /The reload failed\. Nothing was taken back: what the deployment installed is served again\./)
})

testOnDatabases('slow against the usual time of its like: flagged once, with what to do; not before', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('web')
  const id = await w.configured('shop.example', [bot])
  bot.silent.add('deploy')
  for (let i = 0; i < 6; i++) {
    await w.start(id, i === 0 ? 'rotate' : 'deploy')
    await w.settle()
    const { id: one } = await newest(w, id)
    await progress(w, bot, one)
    if (i === 5) break
    w.clock.pass(20 * second)
    await tell(w, bot, one, { outcome: 'deployed', error: null, inspection: null })
    await w.settle()
    w.clock.pass(minute)
    await w.settle()
  }
  const { id: hung } = await newest(w, id)
  const events = async () => (await listEvents(database.db, { deploymentId: hung }, 20)).filter((e) => e.kind === 'deployment.slow')
  w.clock.pass(59 * second)
  await w.settle()
  assert.equal((await readDeployment(database.db, hung)).slow, null, 'three times the usual twenty seconds are not over')
  w.clock.pass(2 * second)
  await heard(w, bot)
  await w.settle()
  const slow = await readDeployment(database.db, hung)
  assert.equal(slow.slow?.usualSeconds, 20)
  assert.match(slow.reason, /It has been going on for 61 s, and its like usually take 20 s\./)
  assert.equal(slow.nextAction, 'Look at the host, or cancel it.')
  assert.match((await w.detail(id)).statusReason, /its like usually take 20 s\. Look at the host, or cancel it/)
  w.clock.pass(30 * minute)
  await w.settle()
  assert.equal((await events()).length, 1)
  await tell(w, bot, hung, { outcome: 'deployed', error: null })
  assert.equal((await readDeployment(database.db, hung)).state, 'deployed')
  assert.deepEqual(await database.db.selectFrom('task').select('id').where('kind', '=', 'watch-deployment').where('subject', '=', hung).where('state', '=', 'ready').execute(), [])
})

testOnDatabases('a plan that nobody makes says which bot was last heard of when', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('web')
  const id = await w.configured('shop.example', [bot])
  bot.silent.add('plan-deployment')
  await w.start(id, 'rotate')
  await w.settle()
  const since = w.now().toISOString().slice(0, 19)
  w.clock.pass(3 * minute)
  await w.settle()
  const d = await newest(w, id)
  assert.equal(d.state, 'planning')
  assert.equal(d.reason, `The plan is not there yet. The bot "web" was last heard of at ${since}Z.`)
  assert.match(d.nextAction ?? '', /Start the bot/)
  await heard(w, bot)
  w.clock.pass(10 * minute)
  await heard(w, bot)
  await w.settle()
  assert.match((await readDeployment(database.db, d.id)).nextAction ?? '', /busy with something else/)
})

testOnDatabases('after a deployment the bot looks at its host again: one look for many, and the inventory follows what it saw', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('web')
  const scans = () => bot.done.filter(({ kind }) => kind === 'scan-host').length
  const [a, b] = [await w.configured('a.example', [bot]), await w.configured('b.example', [bot])]
  await w.act(a, 'rotate')
  w.clock.pass(15 * second)
  await w.act(b, 'rotate')
  assert.equal(scans(), 0)
  // Behind our back, between the proof and the look.
  bot.installed.set(place('a.example').certificatePath, bot.installed.get(place('b.example').certificatePath) ?? '')
  w.clock.pass(6 * second)
  await w.settle()
  assert.equal(scans(), 1, 'the earliest look was not pushed away by the second deployment')
  assert.notEqual((await w.detail(a)).installations[0]?.state, 'in-sync')
  assert.notEqual((await w.detail(a)).status, 'deployed')
  w.clock.pass(minute)
  await w.settle()
  assert.equal(scans(), 1)
})

testOnDatabases('a plan that waited is not approved once its version was revoked', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('web')
  const id = await w.configured('shop.example', [bot], { approval: 'manual' })
  await w.act(id, 'rotate')
  const d = await newest(w, id)
  assert.equal(d.state, 'planned')
  const issued = await database.db.selectFrom('ca_certificate').select('id').where('fingerprint', '=', d.fingerprint).executeTakeFirstOrThrow()
  const approve = () => database.transaction((tx, wake) => approveDeployment(tx, wake, d.id, { digest: d.plan?.digest ?? '', requester: 'user:anna' }, w.secrets, w.now()))
  await w.localCa.revocation.suspend(issued.id)
  await assert.rejects(approve(), refused(/was suspended since it was planned/))
  await w.localCa.revocation.revoke(issued.id, { reason: 'keyCompromise' })
  await assert.rejects(approve(), refused(/was revoked \(keyCompromise\) since it was planned. Cancel the deployment and rekey/))
  await w.settle()
  assert.deepEqual([(await newest(w, id)).state, bot.installed.size], ['planned', 0])
})
