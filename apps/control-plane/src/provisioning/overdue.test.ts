import assert from 'node:assert/strict'
import { testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { makeWorld } from '../world-testing.ts'

testOnDatabases('a plan that nobody approves, and an action past its deadline, are told once each; the end that comes near is told beside', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('wait.example', [bot], { approval: 'manual' })
  await w.start(id, 'rotate')
  await w.settle()
  const deadline = async () => (await database.db.selectFrom('deployment').select('deadline').executeTakeFirstOrThrow()).deadline
  assert.equal(Date.parse(await deadline() ?? ''), w.now().getTime() + 7 * 86_400_000)
  const told = async (kind: string) => (await listEvents(database.db, { certificateId: id }, 200)).filter((event) => event.kind === kind).length
  w.clock.pass(6 * 86_400)
  await w.settle()
  assert.deepEqual([await told('deployment.overdue'), (await w.detail(id)).status], [0, 'deployment-pending'])
  w.clock.pass(2 * 86_400)
  await w.settle()
  assert.equal(await told('deployment.overdue'), 1)
  assert.match((await w.detail(id)).statusReason, /waited for its approval for more than 7 days\. Approve/)
  w.clock.pass(60 * 86_400)
  await w.settle()
  const near = await w.detail(id)
  assert.deepEqual([near.status, /more than 7 days.*ends on \d{4}-/.test(near.statusReason)], ['expiring', true], near.statusReason)
  w.clock.pass(30 * 86_400)
  await w.settle()
  w.clock.pass(86_400)
  await w.settle()
  assert.deepEqual([await told('deployment.overdue'), await told('action.overdue')], [1, 1])
  assert.match((await w.detail(id)).lastAction?.nextAction ?? '', /was to be over by/)
})
