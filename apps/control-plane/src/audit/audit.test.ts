import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { asPage, asToken, startHttp, testClock } from '../http/http-testing.ts'
import { createAudit, linkHash } from './audit.ts'
import type { AuditRow } from './audit-store.ts'

const note = (what: string) => ({ who: 'user:a', what, subject: null, outcome: 'ok' })

testOnDatabases('entries keep one order however many write at once', async (_t, database) => {
  const deps = { database, now: testClock().now }
  const [one, two] = [createAudit(deps), createAudit(deps)]
  await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? one : two).record(undefined, note(`n${i}`))))
  assert.deepEqual(await one.verify(), { intact: true, entries: 40, problem: null })
  const rows = await one.list(undefined, 100)
  assert.deepEqual(rows.map(({ sequence }) => sequence), Array.from({ length: 40 }, (_, i) => 40 - i))
})

testOnDatabases('an entry in a transaction that fails is not kept, and the chain holds', async (_t, database) => {
  const audit = createAudit({ database, now: testClock().now })
  await audit.record(undefined, note('one'))
  await assert.rejects(database.transaction(async (tx) => { await audit.record(tx, note('two')); throw new Error('undo') }), /undo/)
  await database.transaction((tx) => audit.record(tx, note('three')))
  assert.deepEqual((await audit.list(undefined, 9)).map(({ what }) => what), ['three', 'one'])
  assert.equal((await audit.verify()).intact, true)
})

testOnDatabases('every kind of tampering is found', async (_t, database) => {
  const audit = createAudit({ database, now: testClock().now })
  for (let i = 1; i <= 5; i++) await audit.record(undefined, { ...note(`n${i}`), subject: `s${i}` })
  const { db } = database
  const original = await db.selectFrom('auditEntry').selectAll().orderBy('sequence').execute()
  const head = await db.selectFrom('auditHead').selectAll().executeTakeFirstOrThrow()
  const restore = async () => {
    await db.deleteFrom('auditEntry').execute()
    await db.insertInto('auditEntry').values(original).execute()
    await db.updateTable('auditHead').set(head).execute()
    assert.equal((await audit.verify()).intact, true)
  }
  const changes: Partial<AuditRow>[] = [{ at: '2020-01-01T00:00:00.000Z' }, { who: 'user:b' }, { what: 'x' }, { subject: null }, { outcome: 'DENIED' }, { hash: '0'.repeat(64) }, { id: 'aud_00000000000000000000000000' }]
  for (const change of changes) {
    for (const sequence of [1, 3, 5]) {
      await db.updateTable('auditEntry').set(change).where('sequence', '=', sequence).execute()
      const { intact, problem } = await audit.verify()
      assert.equal(intact, false, JSON.stringify(change))
      assert.match(problem ?? '', new RegExp(`Entry ${sequence} `))
      await restore()
    }
  }
  const [, second, third] = original
  assert.ok(second && third)
  const forged = { ...third, who: 'user:b' }
  await db.updateTable('auditEntry').set({ ...forged, hash: linkHash(second.hash, forged) }).where('sequence', '=', 3).execute()
  assert.match((await audit.verify()).problem ?? '', /Entry 4 /, 'a forged entry with a fitting hash breaks the one after')
  await restore()
  for (const sequence of [1, 3, 5]) {
    await db.deleteFrom('auditEntry').where('sequence', '=', sequence).execute()
    assert.equal((await audit.verify()).intact, false, `removed ${sequence}`)
    await restore()
  }
  await db.updateTable('auditHead').set({ hash: original[3]?.hash ?? '' }).execute()
  assert.equal((await audit.verify()).intact, false, 'head changed')
  await restore()
  await db.updateTable('auditHead').set({ sequence: 4, hash: original[3]?.hash ?? '' }).execute()
  assert.equal((await audit.verify()).intact, false, 'head moved back')
})

testOnDatabases('the HTTP layer records changes and refusals, with who, what and outcome', async (t, database) => {
  const { call, root, audit, signIn, tokenFor } = await startHttp(t, database)
  const nobody = await signIn('nobody')
  const made = await call('POST', '/api/v1/api-tokens', asPage(root.cookie), { name: 'laptop' })
  const { id } = made.json<{ apiToken: { id: string } }>().apiToken
  await call('GET', '/api/v1/api-tokens', asPage(root.cookie)) // reading is not recorded
  await call('POST', '/api/v1/api-tokens', asPage(nobody.cookie), { name: 'x' })
  await call('POST', '/api/v1/api-tokens', { cookie: `certloop_session=${root.cookie}`, 'sec-fetch-site': 'cross-site' }, { name: 'x' })
  await call('POST', '/api/v1/api-tokens', asPage(root.cookie), { nam: 'x' })
  await call('POST', '/api/v1/session', {}, { name: 'ROOT ', password: 'hunter2' })
  await call('POST', '/api/v1/session', {}, { name: 'hunter2', password: 'x' })
  await call('POST', '/api/v1/session', {}, { name: 'root', password: 'correct horse battery' })
  await call('DELETE', `/api/v1/api-tokens/${id}`, asPage(root.cookie))
  await call('POST', '/api/v1/bots', asToken(await tokenFor(['bot:write'])), { name: 'b' })
  await call('POST', '/api/v1/bots', {}, { name: 'b' }) // a stranger: refused, not kept
  const rows = (await audit.list(undefined, 50)).toReversed().map(({ who, what, subject, outcome }) => [who.replace(/^token:.*/, 'token'), what, subject, outcome])
  assert.deepEqual(rows, [
    ['user:root', 'createApiToken', id, 'ok'],
    ['user:nobody', 'createApiToken', null, 'PERMISSION_DENIED'],
    ['user:root', 'createApiToken', null, 'ORIGIN_REFUSED'],
    ['user:root', 'createApiToken', null, 'INPUT_INVALID'],
    ['anonymous', 'signIn', 'user:root from 127.0.0.1', 'SIGN_IN_FAILED'],
    ['anonymous', 'signIn', 'unknown user from 127.0.0.1', 'SIGN_IN_FAILED'],
    ['user:root', 'signIn', 'user:root from 127.0.0.1', 'ok'],
    ['user:root', 'deleteApiToken', id, 'ok'],
    ['token', 'createBot', null, 'ACTION_NOT_POSSIBLE'],
  ])
  assert.ok(!JSON.stringify(rows).includes('hunter2'))
  assert.equal((await audit.verify()).intact, true)
})

test('when the audit log can not be written, the caller learns so', async (t) => {
  const database = await emptyDatabase(t)
  const { call, root } = await startHttp(t, database)
  await database.db.deleteFrom('auditHead').execute()
  const answer = await call('POST', '/api/v1/api-tokens', asPage(root.cookie), { name: 'laptop' })
  assert.deepEqual([answer.statusCode, answer.json().code], [500, 'INTERNAL'])
  assert.ok(!answer.body.includes('clt_'))
})

test('the list is read page by page', async (t) => {
  const { call, root, audit } = await startHttp(t, await emptyDatabase(t))
  for (let i = 1; i <= 5; i++) await audit.record(undefined, note(`n${i}`))
  interface Page { items: { what: string }[]; nextCursor: string | null }
  const seen: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: Page = (await call('GET', `/api/v1/audit?limit=2${cursor ? `&cursor=${cursor}` : ''}`, asPage(root.cookie))).json<Page>()
    seen.push(...page.items.map(({ what }) => what))
    cursor = page.nextCursor
  }
  assert.deepEqual(seen, ['n5', 'n4', 'n3', 'n2', 'n1'])
  assert.equal((await call('GET', '/api/v1/audit?cursor=x', asPage(root.cookie))).json().code, 'INPUT_INVALID')
})
