import assert from 'node:assert/strict'
import { CertloopError, type CertificateId, type ConfigurationInput } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { wideReads } from '../database/plan-testing.ts'
import { openInPairs } from '../deployment/deployment-store.ts'
import { undoDeployment } from '../deployment/undo.ts'
import { makeWorld, type TestBot } from '../world-testing.ts'

testOnDatabases('of a pair one host is worked on at a time, also when its targets belong to different certificates', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const renewal: ConfigurationInput['renewal'] = { enabled: false, daysBefore: 30, time: '03:00', zone: 'UTC' }
  const paired = async (name: string, bot: TestBot) => {
    const id = await w.addCertificate([name])
    await w.save(id, await w.configurationWith([{ ...w.target(bot, name), placement: { labels: [], pair: 'db' } }], { renewal }))
    await w.act(id, 'rotate')
    return id
  }
  const [first, second] = [await paired('one.example', a), await paired('two.example', b)]
  const newest = (id: CertificateId) => database.db.selectFrom('deployment').select(['id', 'state']).where('certificateId', '=', id).orderBy('id', 'desc').executeTakeFirstOrThrow()
  const before = await newest(second)
  assert.equal(before.state, 'deployed')
  a.silent.add('deploy')
  await w.act(first, 'deploy')
  const waiting = await w.act(second, 'deploy')
  assert.deepEqual([waiting.state, (await newest(second)).id], ['deploying', before.id], 'its partner is being worked on')
  assert.match((await w.detail(second)).statusReason, /others of their pairs; their turn comes once that has ended/)
  const undo = () => database.transaction((tx, wake) => undoDeployment(tx, wake, before.id, { requester: 'user:anna' }, w.secrets, w.now()))
  await assert.rejects(undo(), (error: unknown) => error instanceof CertloopError && /pair "db" is being worked on/.test(error.message))
  a.silent.clear()
  for (let i = 0; i < 4; i++) {
    w.clock.pass(60)
    await w.settle()
  }
  assert.deepEqual([(await newest(first)).state, (await newest(second)).state, (await w.detail(second)).lastAction?.state], ['deployed', 'deployed', 'done'])
  assert.notEqual((await newest(second)).id, before.id)
  if (database.kind === 'sqlite') assert.deepEqual(await wideReads(database, async ({ db }) => openInPairs(db as never, ['db'])), [])
})
