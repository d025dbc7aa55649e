import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { CertloopError, decodeJoinToken, type ErrorCode } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { testClock } from '../http/http-testing.ts'
import { getBot, updateBot } from './bot-store.ts'
import { announceBot, join, type JoinDeps } from './join.ts'

const refused = (code: ErrorCode) => (error: unknown) => error instanceof CertloopError && error.code === code
const newKey = () => generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString()

async function announced(database: Database) {
  const clock = testClock()
  let issued = 0
  const deps: JoinDeps = { database, now: clock.now, publicUrl: () => 'https://certloop.test', trustPin: async () => 'a'.repeat(64), issueIdentity: async () => `identity ${++issued}` }
  const { joinToken, botId } = await announceBot(deps, { name: 'n', requester: 'user:test' })
  const { id, secret } = decodeJoinToken(joinToken)
  const ask = (publicKeyPem: string, changes = {}) => join(deps, { tokenId: id, secret, publicKeyPem, name: 'n', version: '1', host: { hostName: 'h', os: 'linux', osVersion: '6', arch: 'x64', addresses: [] }, ...changes })
  const traces = async () => [(await database.db.selectFrom('event').select('id').where('kind', '=', 'bot.joined').execute()).length, (await database.db.selectFrom('task').select('id').execute()).length]
  return { clock, botId, ask, traces }
}

testOnDatabases('an answer that was lost can be had again with the same key, while the token lives', async (_t, database) => {
  const { clock, botId, ask, traces } = await announced(database)
  const key = newKey()
  const first = await ask(key)
  assert.deepEqual(first, { botId, name: 'n', purpose: 'both', identityPem: 'identity 1' })
  clock.pass(60)
  assert.deepEqual(await ask(key), first)
  assert.deepEqual(await traces(), [1, 1], 'it joined once')
  await assert.rejects(ask(newKey()), refused('JOIN_TOKEN_USED'))
  await assert.rejects(ask('no key'), refused('JOIN_TOKEN_USED'))
  await assert.rejects(ask(key, { secret: 'x'.repeat(43) }), refused('JOIN_TOKEN_UNKNOWN'))
  assert.equal((await getBot(database.db, botId)).publicKeyPem, key)
  clock.pass(24 * 3600)
  await assert.rejects(ask(key), refused('JOIN_TOKEN_USED'))
})

testOnDatabases('the same key asks several times at one moment: one joining, one identity', async (_t, database) => {
  const { botId, ask, traces } = await announced(database)
  const key = newKey()
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask(key)))
  const { identityPem } = await getBot(database.db, botId)
  assert.deepEqual([...new Set(answers.map((answer) => answer.identityPem))], [identityPem])
  assert.deepEqual(await traces(), [1, 1])
})

testOnDatabases('a revoked bot does not get its identity again', async (_t, database) => {
  const { clock, botId, ask } = await announced(database)
  const key = newKey()
  await ask(key)
  await updateBot(database.db, botId, { revokedAt: clock.now().toISOString() })
  await assert.rejects(ask(key), refused('BOT_REVOKED'))
})
