import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { CertloopError, permissions, type Authority, type AuthorityId, type AuthorityInput, type AuthorityType, type AuthorityUse, type TestReport } from '@certloop/contract'
import { freePort, leftOut, selfSignedPair, startPebble, type RunningPebble } from '@certloop/test-kit'
import { pino } from 'pino'
import { composeApp, makeParts } from '../control-plane.ts'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { addUser, asToken, testPassword } from '../http/http-testing.ts'
import { anonymous } from '../http/who.ts'
import { createWayOut } from '../way-out.ts'
import { makeWorld, type World } from '../world-testing.ts'
import { getAuthority, listAuthorities } from './authority-store.ts'
import { showAuthority } from './authority-view.ts'
import { memoryOf } from './memory.ts'

/** Fields of a directory where nobody answers. */
async function nowhere() {
  return { directoryUrl: `https://127.0.0.1:${await freePort()}/dir`, termsAgreed: true }
}
const input = (name: string, fields: Record<string, unknown>, more: Partial<AuthorityInput> = {}): AuthorityInput => ({ name, kind: 'acme', fields, ...more })
const atPebble = ({ directoryUrl, trustPem }: RunningPebble) => ({ directoryUrl, trustPem, termsAgreed: true })
const eventKinds = async ({ database }: World) => (await listEvents(database.db, {}, 50)).map(({ kind }) => kind).filter((kind) => kind.startsWith('authority.')).toReversed()
const refusal = (code: CertloopError['code'], message: RegExp) => (error: unknown) => error instanceof CertloopError && error.code === code && message.test(error.message)

interface Reply<R> { status: number; body: R & { code?: string; fields?: { field: string; problem: string }[] } }
async function api(t: TestContext, w: World) {
  const { app, users } = await composeApp({ webFolder: '/nonexistent', version: '0', logger: pino({ level: 'silent' }), now: w.now, random: () => 0.5, settings: { outboundAllow: ['private', '127.0.0.0/8'] } }, w, () => 'https://certloop.test', new AbortController().signal)
  t.after(() => app.close())
  await app.ready()
  await addUser(w.database, w.clock, 'root', 'administrator')
  const { who } = await users.signIn({ name: 'root', password: testPassword, address: '127.0.0.1', replaced: anonymous })
  const { token } = await users.tokens.create(who, { name: 'all', permissions: [...permissions] })
  return async <R>(method: string, path: string, payload?: object): Promise<Reply<R>> => {
    const { statusCode, body } = await app.inject({ method: method as 'GET', url: `/api/v1${path}`, headers: asToken(token), ...(payload ? { payload } : {}) })
    return { status: statusCode, body: (body === '' ? {} : JSON.parse(body)) as Reply<R>['body'] }
  }
}

interface Scene { w: World; call: Awaited<ReturnType<typeof api>> }

async function addedAndRemoved({ w, call }: Scene): Promise<void> {
  const { body: { items: types } } = await call<{ items: AuthorityType[] }>('GET', '/authority-types')
  assert.deepEqual(types.map(({ kind, single }) => [kind, single]), [['acme', false], ['local-ca', true]])
  const fields = { ...await nowhere(), eabKeyId: 'kid-1' }
  const made = await call<Authority>('POST', '/authorities', input('Shop CA', fields, { secrets: { eabHmacKey: 'c2VjcmV0LWhtYWM' }, limits: [{ kind: 'order', count: 5, seconds: 60, renewalsCount: true }], concurrency: 3 }))
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const { id, health, secretsSet, limits, concurrency, title, isPublic, chainPem } = made.body
  assert.deepEqual([secretsSet, limits.length, concurrency, title, isPublic, chainPem], [['eabHmacKey'], 1, 3, 'ACME', false, []])
  assert.deepEqual([health.state, health.lastReport?.ok, health.lastReport?.error?.code], ['failing', false, 'AUTHORITY_UNREACHABLE'], 'kept whatever the test says')
  assert.match(health.lastReport?.steps[0]?.seen ?? '', /can not be reached/)
  assert.doesNotMatch(JSON.stringify(await call('GET', '/authorities')), /c2VjcmV0LWhtYWM/)

  const renamed = await call<Authority>('PUT', `/authorities/${id}`, input('Other', fields))
  assert.deepEqual([renamed.status, renamed.body.name, renamed.body.secretsSet, renamed.body.limits.length, renamed.body.concurrency], [200, 'Other', ['eabHmacKey'], 1, 3])
  const elsewhere = await call('PUT', `/authorities/${id}`, input('Other', { ...fields, directoryUrl: 'https://127.0.0.1:1/dir' }))
  assert.deepEqual([elsewhere.status, elsewhere.body.fields?.map(({ field }) => field)], [400, ['secrets/eabHmacKey']])
  assert.deepEqual((await call<Authority>('PUT', `/authorities/${id}`, input('Other', fields, { secrets: { eabHmacKey: null } }))).body.secretsSet, [])

  const report = await call<TestReport>('POST', `/authorities/${id}/actions/test`)
  assert.deepEqual([report.status, report.body.ok, report.body.steps.length], [200, false, 1])
  assert.deepEqual((await call<AuthorityUse>('GET', `/authorities/${id}/use`)).body.items.map(({ used, limit }) => [used, limit.count]), [[0, 5]])
  assert.equal((await call('POST', `/authorities/${id}/actions/roll-account-key`)).status >= 400, true)
  assert.equal((await call('DELETE', `/authorities/${id}`)).status, 204)
  assert.equal((await call('GET', `/authorities/${id}`)).status, 404)
  const row = await w.database.db.selectFrom('authority').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  assert.deepEqual([row.sealedSecrets, row.sealedMemory, row.name], [null, null, 'Other'], 'the row stays for the orders that name it')
  assert.equal((await call<Authority>('POST', '/authorities', input('Other', fields))).status, 201, 'its name is free')
  assert.deepEqual((await eventKinds(w)).slice(0, 5), ['authority.created', 'authority.failing', 'authority.changed', 'authority.changed', 'authority.deleted'], 'told once that it fails')
  const said = JSON.stringify([await w.database.db.selectFrom('event').selectAll().execute(), await w.database.db.selectFrom('auditEntry').selectAll().execute(), await w.database.db.selectFrom('authority').selectAll().execute()])
  assert.doesNotMatch(said, /c2VjcmV0LWhtYWM/)
}

async function refusedAtTheField({ w, call }: Scene): Promise<void> {
  const fieldsOf = async (payload: object, path = '/authorities', method = 'POST') => {
    const { status, body } = await call(method, path, payload)
    return [status, ...(body.fields ?? []).map(({ field }) => field)]
  }
  assert.deepEqual(await fieldsOf(input(' ', { directory: 'x', termsAgreed: 'yes', directoryUrl: 7 }, { secrets: { password: 'p' } })), [400, 'name', 'secrets/password', 'fields/directory', 'fields/directoryUrl', 'fields/termsAgreed'])
  assert.deepEqual(await fieldsOf(input('a', { directoryUrl: 'http://ca.example/dir' })), [400, 'fields/directoryUrl'])
  assert.deepEqual(await fieldsOf({ name: 'a', kind: 'nonsense', fields: {} }), [400, 'kind'])
  assert.deepEqual(await fieldsOf({ name: 'a', kind: 'local-ca', fields: {} }), [400, 'kind'])
  assert.deepEqual(await fieldsOf(input('a', {}, { preset: 'nonsense' })), [400, 'preset', 'fields/directoryUrl'])
  const [builtIn] = await listAuthorities(w.database.db)
  assert.ok(builtIn)
  assert.deepEqual(await fieldsOf({ name: 'Built-in CA', kind: 'local-ca', fields: { profile: 'nonsense' } }, `/authorities/${builtIn.id}`, 'PUT'), [400, 'fields/profile'])
  assert.deepEqual(await fieldsOf(input('Built-in CA', {}), `/authorities/${builtIn.id}`, 'PUT'), [400, 'kind'])
  assert.deepEqual([(await call('POST', '/authorities', input('Built-in CA', await nowhere()))).body.code, (await listAuthorities(w.database.db)).filter(({ name }) => name === 'Built-in CA').length], ['CONFLICT', 1])
}

async function readyMade({ w, call }: Scene): Promise<void> {
  const { authorities } = w.deps
  const { body: { items: [type] } } = await call<{ items: AuthorityType[] }>('GET', '/authority-types')
  const preset = type?.presets.find(({ id }) => id === 'lets-encrypt')
  const ended = type?.presets.find((each) => each.ended !== null)
  assert.ok(preset && ended)
  // The address is another one, so that nobody is called.
  const fields = await nowhere()
  const row = await authorities.create(input('LE', fields, { preset: preset.id }), 'user:test')
  assert.deepEqual([JSON.parse(row.limits), row.preset], [preset.limits, preset.id])
  assert.equal(JSON.parse(row.settings).directoryUrl, fields.directoryUrl)
  await assert.rejects(authorities.create(input('B', fields, { preset: ended.id }), 'user:test'), refusal('INPUT_INVALID', /preset: it can no longer be chosen/))
  const changed = await authorities.update(row.id, input('LE', fields, { limits: [] }), 'user:test')
  assert.deepEqual([changed.limits, changed.preset], ['[]', preset.id], 'what is left out stays')
}

async function builtInOne({ call }: Scene): Promise<void> {
  const [{ id, fields, abilities, issuerSubject, chainPem, validationMethods } = assert.fail()] = (await call<{ items: Authority[] }>('GET', '/authorities')).body.items
  assert.deepEqual([fields, abilities, validationMethods, chainPem.length], [{}, ['revoke', 'suspend', 'resume', 'templates', 'find'], ['none'], 2])
  assert.ok(issuerSubject)
  const changed = await call<Authority>('PUT', `/authorities/${id}`, { name: 'House CA', kind: 'local-ca', fields: {} })
  assert.deepEqual([changed.body.name, changed.body.fields, changed.body.health.state], ['House CA', { profile: 'server' }, 'ok'])
  const { steps } = (await call<TestReport>('POST', `/authorities/${id}/actions/test`)).body
  assert.match(steps.map(({ title, seen }) => `${title}: ${seen}`).join('\n'), /^Issuing certificate: ".*" signs, until \d{4}-\d\d-\d\d\.\nProfile: Requests that name no profile go by "server"/)
  assert.deepEqual([(await call('DELETE', `/authorities/${id}`)).body.code, (await call('POST', `/authorities/${id}/actions/roll-account-key`)).body.code], ['CONFLICT', 'ACTION_NOT_POSSIBLE'])
}

async function realDirectory({ w, call }: Scene, t: TestContext): Promise<void> {
  const pebble = await startPebble(t)
  const { body: { id, health, facts, abilities } } = await call<Authority>('POST', '/authorities', input('Pebble', atPebble(pebble)))
  assert.equal(health.state, 'ok', JSON.stringify(health.lastReport))
  assert.deepEqual(health.lastReport?.steps.map(({ ok }) => ok), [true, true, true, true])
  assert.ok(Date.parse(health.nextCheckAt ?? '') > w.now().getTime())
  assert.ok(abilities.includes('revoke') && abilities.includes('account-key-rollover') && !abilities.includes('suspend'))
  const of = async () => (await w.deps.authorityOf(w.database.db, id)).test
  assert.equal(await of(), await of(), 'one connector, with its nonces')
  const memory = (await getAuthority(w.database.db, id)).sealedMemory
  const rolled = await call<Authority>('POST', `/authorities/${id}/actions/roll-account-key`)
  assert.equal(rolled.status, 200, JSON.stringify(rolled.body))
  assert.notEqual((await getAuthority(w.database.db, id)).sealedMemory, memory)
  assert.deepEqual((await call<Authority>('GET', `/authorities/${id}`)).body.facts, facts, 'it is the same account')
  assert.equal((await call<TestReport>('POST', `/authorities/${id}/actions/test`)).body.ok, true)
  const before = await of()
  await call('PUT', `/authorities/${id}`, input('Pebble', { ...atPebble(pebble), contact: 'a@b.example' }))
  assert.notEqual(await of(), before)

  await call('PUT', `/authorities/${id}`, input('Pebble', { ...atPebble(pebble), trustPem: (await selfSignedPair(['localhost'])).certPem }))
  const distrusted = (await call<Authority>('GET', `/authorities/${id}`)).body.health
  assert.deepEqual([distrusted.state, distrusted.lastReport?.error?.code], ['failing', 'AUTHORITY_NOT_TRUSTED'])
  await assert.rejects(w.database.transaction(async (tx) => (await w.deps.authorityOf(tx, id)).caa?.()), refusal('AUTHORITY_UNREACHABLE', /not asked while something is being saved/), 'nobody waits for the network in a transaction')
  assert.equal((await w.database.transaction(async (tx) => (await w.deps.authorityOf(tx, id)).review?.({ names: ['a.example'], commonName: null, keyAlgorithm: 'ec-256', validityDays: null, profile: 'nonsense' })))?.refused[0]?.field, 'csr/profile')
}

test('over the API', { timeout: 120_000 }, async (t) => {
  const w = await makeWorld(t, await emptyDatabase(t))
  const scene = { w, call: await api(t, w) }
  await t.test('an authority is added by the fields of its kind, shown without secrets, changed, tested and removed', () => addedAndRemoved(scene))
  await t.test('what does not fit is refused with each problem at its field', () => refusedAtTheField(scene))
  await t.test('a ready-made entry gives address and limits; one that has ended is not chosen any more', () => readyMade(scene))
  await t.test('the built-in CA is one of them: it is renamed, tested and kept', () => builtInOne(scene))
  await t.test('a real directory: the test says what it saw, the connector is kept as long as its row, the account key is replaced', { skip: leftOut('pebble'), timeout: 60_000 }, () => realDirectory(scene, t))
})

testOnDatabases('an authority is not removed while configurations or open orders name it', async (t, database) => {
  const w = await makeWorld(t, database)
  const { authorities } = w.deps
  const { id } = await authorities.create(input('Elsewhere', await nowhere()), 'user:test')
  const bot = await w.addBot('a')
  const certificate = await w.configured('a.example', [bot])
  await w.database.db.updateTable('configuration').set({ fallbacks: JSON.stringify([id]) }).where('certificateId', '=', certificate).execute()
  await assert.rejects(authorities.remove(id, 'user:test'), refusal('CONFLICT', /"Elsewhere" is named by the configurations of a\.example\. Choose another/))
  await w.database.db.updateTable('configuration').set({ fallbacks: '[]' }).execute()
  bot.silent.add('make-csr')
  await w.start(certificate, 'rotate')
  await w.settle()
  await w.database.db.updateTable('certificateOrder').set({ authorityId: id }).execute()
  await assert.rejects(authorities.remove(id, 'user:test'), refusal('CONFLICT', /named by open orders of a\.example/))
  await w.database.db.updateTable('certificateOrder').set({ state: 'failed' }).execute()
  await authorities.remove(id, 'user:test')
  await assert.rejects(getAuthority(w.database.db, id), refusal('NOT_FOUND', /no authority/))
})

testOnDatabases('what a connector keeps is sealed for its row, and of two that change it at once none is lost', async (t, database) => {
  const w = await makeWorld(t, database)
  const { id } = await w.deps.authorities.create(input('Elsewhere', await nowhere()), 'user:test')
  const [one, other] = [memoryOf({ db: database.db, secrets: w.secrets }, id), memoryOf({ db: database.db, secrets: w.secrets }, id)]
  const before = (await getAuthority(database.db, id)).memoryVersion
  await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 ? one : other).change((present) => ({ ...present, [`k${i}`]: 'hidden-key' }))))
  assert.deepEqual(Object.keys(await one.read()).filter((key) => /^k\d$/.test(key)).toSorted(), Array.from({ length: 10 }, (_, i) => `k${i}`))
  const row = await getAuthority(database.db, id)
  assert.deepEqual([row.memoryVersion - before, row.sealedMemory?.includes('hidden-key')], [10, false])
  const { id: second } = await w.deps.authorities.create(input('Second', await nowhere()), 'user:test')
  await database.db.updateTable('authority').set({ sealedMemory: row.sealedMemory, sealedSecrets: row.sealedMemory }).where('id', '=', second).execute()
  await assert.rejects(memoryOf({ db: database.db, secrets: w.secrets }, second).read(), refusal('SECRET_UNREADABLE', /belongs to another row/))
  const shown = await showAuthority({ ...w.deps, database }, await getAuthority(database.db, second))
  assert.match(shown.facts['problem'] ?? '', /can not be opened/, 'one that is broken does not hide the others')
})

test('without leave no internal address is called', async (t) => {
  const w = await makeWorld(t, await emptyDatabase(t))
  const parts = makeParts(w.now, w, { wayOut: createWayOut({ allow: ['private'], version: '0' }), random: () => 0 })
  const { id } = await parts.deps.authorities.create(input('Inside', { directoryUrl: 'https://169.254.169.254/dir', termsAgreed: true }), 'user:test')
  assert.equal((await healthIn(w, id)).lastReport?.error?.code, 'ADDRESS_NOT_ALLOWED')
})
const healthIn = async (w: World, id: AuthorityId) => JSON.parse((await getAuthority(w.database.db, id)).health) as Authority['health']
