import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, permissions, roles, type ErrorCode } from '@certloop/contract'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { addUser, asPage, asToken, startHttp, testClock, testPassword } from '../http/http-testing.ts'
import { anonymous } from '../http/who.ts'
import { createUsers } from './users.ts'

const withCode = (code: ErrorCode) => (error: unknown) => error instanceof CertloopError && error.code === code
const signInAs = (name: string, password: string, address = '127.0.0.1') => ({ name, password, address, replaced: anonymous })

testOnDatabases('the first administrator is made once, with a password that has to be replaced', async (_t, database) => {
  const deps = { database, now: testClock().now }
  const both = await Promise.all([createUsers(deps).ensureFirstAdministrator(), createUsers(deps).ensureFirstAdministrator()])
  const made = both.filter((result) => result !== undefined)
  assert.equal(made.length, 1, 'of two replicas, one')
  assert.equal(await createUsers(deps).ensureFirstAdministrator(), undefined)
  const [{ name, password } = { name: '', password: '' }] = made
  assert.match(password, /^[a-z2-9]{4}(-[a-z2-9]{4}){5}$/)
  const { who } = await createUsers(deps).signIn(signInAs(name, password))
  assert.deepEqual([who.text, who.role, who.mustChangePassword, who.permissions.size], ['user:admin', 'administrator', true, permissions.length])
})

testOnDatabases('a one-time password that was lost is replaced at the next start, until somebody chose one', async (_t, database) => {
  const users = createUsers({ database, now: testClock().now })
  const first = await users.ensureFirstAdministrator()
  const second = await users.renewOneTimePassword()
  assert.ok(first && second && first.password !== second.password)
  await assert.rejects(users.signIn(signInAs('admin', first.password)), { code: 'SIGN_IN_FAILED' })
  await users.signIn(signInAs('admin', second.password))
  await database.db.updateTable('user').set({ mustChangePassword: 0 }).execute()
  assert.equal(await users.renewOneTimePassword(), undefined)
})

test('with the one-time password only session operations work', async (t) => {
  const database = await emptyDatabase(t)
  const { call } = await startHttp(t, database)
  await database.db.updateTable('user').set({ mustChangePassword: 1 }).execute()
  const signedIn = await call('POST', '/api/v1/session', {}, { name: 'root', password: testPassword })
  assert.equal(signedIn.json().mustChangePassword, true)
  const as = asPage(signedIn.cookies[0]?.value ?? '')
  for (const url of ['/api/v1/bots', '/api/v1/api-tokens', '/api/v1/events', '/api/v1/system']) assert.equal((await call('GET', url, as)).json().code, 'PASSWORD_CHANGE_REQUIRED', url)
  assert.equal((await call('GET', '/api/v1/session', as)).statusCode, 200)
  const change = (newPassword: string) => call('POST', '/api/v1/session/password', as, { currentPassword: testPassword, newPassword })
  for (const weak of ['short', testPassword, 'aaaaaaaaaaaaaaaa', 'rootrootroot1']) assert.equal((await change(weak)).json().code, 'PASSWORD_TOO_WEAK', weak)
  const changed = await change('another good one')
  assert.equal(changed.json().mustChangePassword, false)
  assert.equal((await call('GET', '/api/v1/system', asPage(changed.cookies[0]?.value ?? ''))).statusCode, 200)
})

testOnDatabases('a session is new at every sign-in and ends at sign-out', async (t, database) => {
  const { call } = await startHttp(t, database)
  const signIn = (headers: Record<string, string> = {}) => call('POST', '/api/v1/session', headers, { name: 'root', password: testPassword })
  const planted = await signIn({ cookie: 'certloop_session=planted-by-somebody', 'sec-fetch-site': 'same-origin' })
  const [cookie] = planted.cookies
  assert.ok(cookie && cookie.value !== 'planted-by-somebody' && cookie.value.length === 43)
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path, cookie.secure], [true, 'Strict', '/', undefined])
  assert.equal((await signIn({ host: 'certloop.test' })).cookies[0]?.secure, true, 'through a proxy that holds the public https address')
  const second = await signIn(asPage(cookie.value))
  assert.notEqual(second.cookies[0]?.value, cookie.value)
  assert.equal((await call('GET', '/api/v1/session', asPage(cookie.value))).statusCode, 401, 'the replaced session has ended')
  const as = asPage(second.cookies[0]?.value ?? '')
  assert.equal((await call('GET', '/api/v1/session', as)).json().who, 'user:root')
  const out = await call('DELETE', '/api/v1/session', as)
  assert.deepEqual([out.statusCode, out.cookies[0]?.maxAge], [204, 0])
  assert.equal((await call('GET', '/api/v1/session', as)).statusCode, 401)
  const stored = JSON.stringify(await database.db.selectFrom('session').selectAll().execute())
  assert.ok(!stored.includes(cookie.value))
})

testOnDatabases('a new password ends every other session', async (t, database) => {
  const { call, root, signIn } = await startHttp(t, database)
  const other = await signIn('root')
  const wrong = await call('POST', '/api/v1/session/password', asPage(root.cookie), { currentPassword: 'wrong', newPassword: 'another good one' })
  assert.equal(wrong.json().code, 'SIGN_IN_FAILED')
  const changed = await call('POST', '/api/v1/session/password', asPage(root.cookie), { currentPassword: testPassword, newPassword: 'another good one' })
  for (const cookie of [root.cookie, other.cookie]) assert.equal((await call('GET', '/api/v1/session', asPage(cookie))).statusCode, 401)
  assert.equal((await call('GET', '/api/v1/session', asPage(changed.cookies[0]?.value ?? ''))).statusCode, 200)
  assert.equal((await call('POST', '/api/v1/session', {}, { name: 'root', password: testPassword })).json().code, 'SIGN_IN_FAILED')
})

testOnDatabases('sessions end when idle and at their longest life', async (t, database) => {
  const { users, clock, root, signIn } = await startHttp(t, database)
  clock.pass(12 * 3600 - 1)
  assert.ok(await users.bySession(root.cookie), 'used in time')
  clock.pass(12 * 3600 - 1)
  assert.equal(await users.goesOn(root.who), true)
  clock.pass(1)
  assert.equal(await users.goesOn(root.who), false, 'asking whether it goes on is no use of it')
  assert.equal(await users.bySession(root.cookie), undefined)
  const { cookie } = await signIn('root')
  for (let hours = 0; hours < 7 * 24 - 6; hours += 6) {
    clock.pass(6 * 3600)
    assert.ok(await users.bySession(cookie))
  }
  clock.pass(6 * 3600)
  assert.equal(await users.bySession(cookie), undefined)
})

testOnDatabases('guessing is slowed by name and address, and not for ever', async (_t, database) => {
  const clock = testClock()
  const users = createUsers({ database, now: clock.now })
  await addUser(database, clock, 'root', 'administrator')
  for (let i = 0; i < 10; i++) await assert.rejects(users.signIn(signInAs('root', 'wrong', '10.0.0.1')), withCode('SIGN_IN_FAILED'))
  await assert.rejects(users.signIn(signInAs('ROOT', testPassword, '10.0.0.1')), (error) => withCode('TOO_MANY_REQUESTS')(error) && Number((error as CertloopError).facts['retryAfterSeconds']) > 0)
  assert.ok(await users.signIn(signInAs('root', testPassword, '10.0.0.2')), 'from elsewhere the right password works')
  clock.pass(15 * 60)
  assert.ok(await users.signIn(signInAs('root', testPassword, '10.0.0.1')), 'and here, a quarter of an hour later')
  const stored = JSON.stringify(await database.db.selectFrom('signInLimit').selectAll().execute())
  assert.ok(!stored.includes('root'))
})

test('an unknown name takes as long as a wrong password', async (t) => {
  const database = await emptyDatabase(t)
  const clock = testClock()
  const users = createUsers({ database, now: clock.now })
  await addUser(database, clock, 'root', 'administrator')
  const time = async (name: string) => {
    const begun = performance.now()
    await assert.rejects(users.signIn(signInAs(name, 'wrong', name)), withCode('SIGN_IN_FAILED'))
    return performance.now() - begun
  }
  await time('root')
  const known: number[] = []
  const unknown: number[] = []
  for (let i = 0; i < 7; i++) {
    known.push(await time('root'))
    unknown.push(await time(`nobody${i}`))
  }
  // The least of several is what the work takes; skipping the hash would make it a small fraction.
  const ratio = Math.min(...unknown) / Math.min(...known)
  assert.ok(ratio > 0.5 && ratio < 2, `ratio ${ratio}`)
})

testOnDatabases('tokens: never more than the maker, shown once, stored as hash', async (t, database) => {
  const { users, root, clock, call, signIn } = await startHttp(t, database)
  await addUser(database, clock, 'olga', 'operator')
  const { token, apiToken } = await users.tokens.create(root.who, { name: 'laptop' })
  assert.match(token, /^clt_[\w-]{43}$/)
  assert.deepEqual(apiToken.permissions, [...permissions])
  assert.ok(!JSON.stringify(await database.db.selectFrom('apiToken').selectAll().execute()).includes(token))
  const olga = await signIn('olga')
  await assert.rejects(users.tokens.create(olga.who, { name: 'more', permissions: ['audit:read'] }), withCode('PERMISSION_DENIED'))
  const own = await users.tokens.create(olga.who, { name: 'hers' })
  assert.deepEqual(own.apiToken.permissions.toSorted(), [...roles.operator].toSorted())
  await assert.rejects(users.tokens.create(root.who, { name: 'laptop' }), withCode('CONFLICT'))
  await database.db.updateTable('user').set({ role: 'viewer' }).where('name', '=', 'olga').execute()
  const weaker = await users.byToken(own.token)
  assert.deepEqual([...weaker?.permissions ?? []].toSorted(), roles.viewer.filter((permission) => (roles.operator as readonly string[]).includes(permission)).toSorted(), 'it shrinks with its maker')
  for (const operation of [['DELETE', '/api/v1/session', undefined], ['POST', '/api/v1/session/password', { currentPassword: testPassword, newPassword: 'another good one' }]] as const) {
    assert.equal((await call(operation[0], operation[1], asToken(token), operation[2])).json().code, 'ACTION_NOT_POSSIBLE')
  }
})

testOnDatabases('tokens end: deleted, expired, and with the one that made them', async (t, database) => {
  const { users, root, clock } = await startHttp(t, database)
  const in1h = new Date(clock.now().getTime() + 3_600_000).toISOString()
  await assert.rejects(users.tokens.create(root.who, { name: 'past', expiresAt: '2020-01-01T00:00:00Z' }), withCode('INPUT_INVALID'))
  const short = await users.tokens.create(root.who, { name: 'short', expiresAt: in1h })
  const maker = await users.byToken(short.token)
  assert.ok(maker)
  await assert.rejects(users.tokens.create(maker, { name: 'longer', expiresAt: '2030-01-01T00:00:00Z' }), withCode('PERMISSION_DENIED'))
  assert.equal((await users.tokens.create(maker, { name: 'child' })).apiToken.expiresAt, in1h)
  const lasting = await users.tokens.create(root.who, { name: 'lasting' })
  clock.pass(3600)
  assert.equal(await users.byToken(short.token), undefined)
  assert.equal(await users.goesOn(maker), false)
  assert.ok(await users.byToken(lasting.token))
  await users.tokens.remove(lasting.apiToken.id)
  assert.equal(await users.byToken(lasting.token), undefined)
  await assert.rejects(users.tokens.remove(lasting.apiToken.id), withCode('NOT_FOUND'))
})

testOnDatabases('the last use of a token is noted at most once a minute', async (t, database) => {
  const { users, root, clock } = await startHttp(t, database)
  const { token } = await users.tokens.create(root.who, { name: 'laptop' })
  const lastUsed = async () => (await users.tokens.list())[0]?.lastUsedAt
  assert.equal(await lastUsed(), null)
  await users.byToken(token)
  const first = await lastUsed()
  assert.equal(first, clock.now().toISOString())
  clock.pass(59)
  await users.byToken(token)
  assert.equal(await lastUsed(), first)
  clock.pass(2)
  await users.byToken(token)
  assert.equal(await lastUsed(), clock.now().toISOString())
})
