import assert from 'node:assert/strict'
import { CertloopError, deploymentTimingDefault, type ConfigurationInput } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { makeWorld } from '../world-testing.ts'
import { getAction } from './action-store.ts'

const deployment: ConfigurationInput['deployment'] = { ...deploymentTimingDefault, when: 'at', at: '2026-06-01T02:00' }
const renewal: ConfigurationInput['renewal'] = { enabled: false, daysBefore: 30, time: '03:00', zone: 'UTC' }

testOnDatabases('nothing that waits for its time is in the way of a revocation, of whichever version; what runs is, and says how to end it', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured('late.example', [await w.addBot('a')], { deployment, renewal })
  await w.act(id, 'rotate')
  const [old] = (await w.detail(id)).versions
  const waiting = await w.act(id, 'renew')
  assert.equal(waiting.state, 'waiting')
  assert.equal((await w.act(id, 'revoke', { versionId: old?.id, reason: 'keyCompromise' })).state, 'done')
  const ended = await getAction(database.db, waiting.id)
  assert.equal(ended.state, 'cancelled')
  assert.match(ended.reason ?? '', /"revoke" was started by user:test instead\. What was issued is kept: deploy it now/)
  assert.equal((await w.act(id, 'deploy')).state, 'done', 'nothing is lost')
  assert.equal((await w.detail(id)).status, 'deployed')

  const again = await w.act(id, 'renew')
  assert.deepEqual([again.state, (await w.act(id, 'suspend')).state, (await getAction(database.db, again.id)).state], ['waiting', 'done', 'cancelled'], 'of the version that waits as well')
  await w.act(id, 'resume')
  await w.start(id, 'rotate')
  await assert.rejects(w.start(id, 'revoke'), (error: unknown) => error instanceof CertloopError && error.message.includes('"rotate" is running. Cancel it, which stops and takes back what runs, or wait for its end; then revoke.'))
})
