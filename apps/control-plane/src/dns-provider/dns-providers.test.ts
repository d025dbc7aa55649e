import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { newId, permissions, validationDefaults, type DnsProvider, type DnsProviderType, type TestReport } from '@certloop/contract'
import { leftOut, type RunningPowerdns } from '@certloop/test-kit'
import { pino } from 'pino'
import { healthOf } from '../plugin/health.ts'
import { composeApp } from '../control-plane.ts'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { addUser, asToken, testPassword } from '../http/http-testing.ts'
import { anonymous } from '../http/who.ts'
import { insertValidation } from '../validation/validation-store.ts'
import { makeWorld, type World } from '../world-testing.ts'
import { apiKey, powerdns, providersOn, startServer, textsAt, viewOf } from './dns-provider-testing.ts'
import { getDnsProvider, listDnsProviders } from './dns-provider-store.ts'
import { checkTask } from './health-worker.ts'
import { removeTestRecordKind } from './test-record.ts'

const skip = leftOut('pdns_server') || leftOut('libgsqlite3backend.so')

interface Reply<R> { status: number; text: string; body: R & { code?: string; detail?: string; fields?: { field: string; problem: string }[] } }
async function api(t: TestContext, w: World) {
  const { app, users } = await composeApp({ webFolder: '/nonexistent', version: '0', logger: pino({ level: 'silent' }), now: w.now, random: () => 0.5, settings: { outboundAllow: ['private', '127.0.0.0/8'] } }, w, () => 'https://certloop.test', new AbortController().signal)
  t.after(() => app.close())
  await app.ready()
  await addUser(w.database, w.clock, 'root', 'administrator')
  const { who } = await users.signIn({ name: 'root', password: testPassword, address: '127.0.0.1', replaced: anonymous })
  const { token } = await users.tokens.create(who, { name: 'all', permissions: [...permissions] })
  return async <R>(method: string, path: string, payload?: object): Promise<Reply<R>> => {
    const { statusCode, body } = await app.inject({ method: method as 'GET', url: `/api/v1${path}`, headers: asToken(token), ...(payload ? { payload } : {}) })
    return { status: statusCode, text: body, body: (body === '' ? {} : JSON.parse(body)) as Reply<R>['body'] }
  }
}
const fieldsOf = ({ body }: Reply<unknown>) => body.fields?.map(({ field }) => field)

testOnDatabases('DNS providers are added, changed and removed over the API, and nobody gets their secrets back', async (t, database) => {
  if (skip) return t.skip(skip)
  const w = await makeWorld(t, database)
  const [call, server] = [await api(t, w), await startServer(t, ['example.test'])]
  const types = (await call<{ items: DnsProviderType[] }>('GET', '/dns-provider-types')).body.items
  const shown = types.find(({ kind }) => kind === 'powerdns')?.fields as { properties: Record<string, unknown> }
  assert.ok('apiKey' in shown.properties && 'delegationTargets' in shown.properties)
  assert.ok(!('delegationTargets' in ((types.find(({ kind }) => kind === 'acme-dns')?.fields ?? {}) as { properties: object }).properties), 'of one that is made for delegation all names may be written')

  assert.deepEqual(fieldsOf(await call('POST', '/dns-providers', { name: ' ', kind: 'powerdns', fields: { url: 'http://dns.example.net', more: 1, delegationTargets: ['net'] }, secrets: { other: 'x' } })), ['name', 'secrets/other', 'secrets/apiKey', 'fields/more'])
  assert.deepEqual(fieldsOf(await call('POST', '/dns-providers', powerdns('Zones', 'http://dns.example.net', { delegationTargets: ['net'] }))), ['fields/url', 'fields/delegationTargets'])
  assert.deepEqual(fieldsOf(await call('POST', '/dns-providers', { name: 'Zones', kind: 'none-of-them', fields: {} })), ['kind'])

  const made = await call<DnsProvider>('POST', '/dns-providers', powerdns('Zones', server.url))
  assert.equal(made.status, 201, made.text)
  const { id, zones, health, secretsSet, fields, title } = made.body
  assert.deepEqual([zones, health.state, health.lastReport?.ok, secretsSet, fields, title], [['example.test'], 'ok', true, ['apiKey'], { url: server.url, serverId: 'localhost', plainHttp: false }, 'PowerDNS'])
  assert.match(health.lastReport?.steps.map(({ seen }) => seen).join(' ') ?? '', /took the API key\. 1 zone can be written: example\.test/)
  assert.equal((await call('POST', '/dns-providers', powerdns('Zones', server.url))).body.code, 'CONFLICT')

  const change = (more: object) => call<DnsProvider>('PUT', `/dns-providers/${id}`, { name: 'Zones', kind: 'powerdns', fields: { url: server.url }, ...more })
  assert.deepEqual((await change({ name: 'Other' })).body.secretsSet, ['apiKey'], 'a secret that is left out stays')
  assert.deepEqual(fieldsOf(await change({ fields: { url: 'https://elsewhere.example.net' } })), ['secrets/apiKey'])
  assert.match((await change({ fields: { url: 'https://elsewhere.example.net' } })).text, /has to be entered again/)
  assert.deepEqual(fieldsOf(await change({ kind: 'rfc2136' })), ['kind'])
  const wrong = await change({ name: 'Other', secrets: { apiKey: 'not the key of the server' } })
  assert.deepEqual([wrong.status, wrong.body.health.state, wrong.body.health.lastReport?.error?.code, wrong.body.zones], [200, 'failing', 'DNS_PROVIDER_REFUSED', []], 'kept whatever the test says')
  const report = (await call<TestReport>('POST', `/dns-providers/${id}/actions/test`, {})).body
  assert.deepEqual([report.ok, report.steps.map(({ ok }) => ok)], [false, [false]])

  const everything = [await call('GET', '/dns-providers'), await call('GET', `/dns-providers/${id}`), await call('GET', '/audit-entries')].map(({ text }) => text).join() + JSON.stringify(await listEvents(database.db, {}, 50)) + JSON.stringify(await listDnsProviders(database.db))
  for (const secret of [apiKey, 'not the key of the server']) assert.ok(!everything.includes(secret), 'a secret is told or kept in the clear')
  assert.equal((await call('DELETE', `/dns-providers/${id}`)).status, 204)
  assert.equal((await call('GET', `/dns-providers/${id}`)).status, 404)
  const kinds = (await listEvents(database.db, {}, 50)).filter(({ kind }) => kind.startsWith('dns-provider.')).map(({ kind }) => kind.slice('dns-provider.'.length)).toReversed()
  assert.deepEqual(kinds, ['created', 'changed', 'changed', 'failing', 'deleted'])
})

testOnDatabases('one that is needed stays: configurations that name it and records of ours are told', async (t, database) => {
  const w = await makeWorld(t, database)
  const input = { name: 'Zones', kind: 'powerdns', fields: { url: 'https://127.0.0.1:1' }, secrets: { apiKey } }
  const { id } = await w.deps.dnsProviders.create(input, 'user:test')
  const bot = await w.addBot('b1')
  const certificateId = await w.configured('www.example.test', [bot])
  await database.db.updateTable('configuration').set({ validation: JSON.stringify({ ...validationDefaults, method: 'dns', dnsProviderId: id }) }).where('certificateId', '=', certificateId).execute()
  await assert.rejects(w.deps.dnsProviders.remove(id, 'user:test'), { code: 'CONFLICT', message: /www\.example\.test name it/ })
  await database.db.updateTable('configuration').set({ validation: '{}' }).where('certificateId', '=', certificateId).execute()

  const validation = await database.transaction((tx, wake) => insertValidation(tx, wake, {
    submission: 1, orderId: newId('ord', w.now()), attemptId: newId('att', w.now()), certificateId, authorityId: newId('ath', w.now()), proofId: 'p', wayId: null, name: 'www.example.test', nameType: 'dns', wildcard: 0, method: 'dns', way: null, botId: null,
    dnsProviderId: id, recordName: '_acme-challenge.www.example.test', zone: 'example.test', reason: 'test', nextAction: null, deadline: null,
  }, w.now()))
  await database.db.updateTable('validation').set({ cleanup: 'stuck' }).where('id', '=', validation.id).execute()
  await assert.rejects(w.deps.dnsProviders.remove(id, 'user:test'), { code: 'CONFLICT', message: /_acme-challenge\.www\.example\.test/ })
  await database.db.updateTable('validation').set({ cleanup: 'removed' }).where('id', '=', validation.id).execute()
  await w.deps.dnsProviders.remove(id, 'user:test')
  assert.deepEqual(await listDnsProviders(database.db), [])
  assert.equal(await database.db.selectFrom('task').select('id').where('kind', '=', checkTask).executeTakeFirst(), undefined, 'nobody looks at it any more')
})

test('health is looked at each hour, and its changes are told once', { skip }, async (t) => {
  const w = await makeWorld(t, await emptyDatabase(t))
  const server = await startServer(t, ['example.test'])
  const { id } = await w.deps.dnsProviders.create(powerdns('Zones', server.url), 'user:test')
  const state = async () => healthOf(await getDnsProvider(w.database.db, id)).state
  const hours = async (count: number) => { for (let i = 0; i < count * 4; i++) { w.clock.pass(1000); await w.runPlane() } }
  await hours(2)
  assert.equal(await state(), 'ok')
  await server.stop()
  await hours(2)
  assert.equal(await state(), 'failing')
  await server.start()
  await hours(3)
  assert.equal(await state(), 'ok')
  const kinds = (await listEvents(w.database.db, {}, 50)).filter(({ kind }) => kind.startsWith('dns-provider.')).map(({ kind }) => kind.slice('dns-provider.'.length)).toReversed()
  assert.deepEqual(kinds, ['created', 'failing', 'recovered'])
})

async function withServers(t: TestContext): Promise<{ p: Awaited<ReturnType<typeof providersOn>>; server: RunningPowerdns; id: DnsProvider['id']; database: Awaited<ReturnType<typeof emptyDatabase>> }> {
  const [database, server] = [await emptyDatabase(t), await startServer(t, ['example.test', 'acme.test'])]
  const p = await providersOn(t, database, viewOf([server], { '_acme-challenge.app.example.test': 'app.acme.test' }))
  const { id } = await p.dnsProviders.create(powerdns('Zones', server.url, { delegationTargets: ['acme.test'] }), 'user:test')
  return { p, server, id, database }
}
const waitingRemovals = async (database: Awaited<ReturnType<typeof emptyDatabase>>) => database.db.selectFrom('task').selectAll().where('kind', '=', 'remove-dns-test-record').where('state', '=', 'ready').execute()

test('a test with a name writes a record, sees it and removes it, also where the name is handed on', { skip }, async (t) => {
  const { p, server, id, database } = await withServers(t)
  await p.records.add(id, { zone: 'example.test', name: '_acme-challenge.www.example.test', value: 'of a validation' })
  for (const [name, where] of [['*.www.example.test.', /written at itself/], ['app.example.test', /leads to app\.acme\.test/]] as const) {
    const { ok, steps } = await p.dnsProviders.test(id, name)
    assert.ok(ok, JSON.stringify(steps))
    assert.deepEqual(steps.map(({ title }) => title).slice(-5), ['Follow CNAME records', 'Find the zone', 'Write a record', 'Look for it from outside', 'Remove the record'])
    assert.match(steps.map(({ seen }) => seen).join(' '), where)
  }
  assert.deepEqual([await textsAt(server, '_acme-challenge.www.example.test'), await textsAt(server, 'app.acme.test')], [['of a validation'], []])
  assert.deepEqual(await waitingRemovals(database), [])
  await assert.rejects(p.dnsProviders.test(id, 'not a name'), { code: 'INPUT_INVALID' })
  const elsewhere = await p.dnsProviders.test(id, 'www.elsewhere.test')
  assert.deepEqual([elsewhere.ok, elsewhere.error?.code], [false, 'DNS_ZONE_NOT_FOUND'])
  assert.equal(healthOf(await getDnsProvider(database.db, id)).state, 'ok', 'a name says nothing of the provider')
})

test('the record of a test that was cut off is removed by a task', { skip }, async (t) => {
  const { p, server, id, database } = await withServers(t)
  const dying = { ...p.records, remove: () => Promise.reject(new Error('killed')) }
  const { createDnsProviders } = await import('./dns-provider-service.ts')
  const { ok } = await createDnsProviders({ ...p.deps, records: dying }).test(id, 'www.example.test')
  assert.equal(ok, false)
  assert.equal((await textsAt(server, '_acme-challenge.www.example.test')).length, 1)
  const [task] = await waitingRemovals(database)
  assert.ok(task)
  const kind = removeTestRecordKind(p)
  await kind.run(task, new AbortController().signal)
  await kind.run(task, new AbortController().signal)
  assert.deepEqual(await textsAt(server, '_acme-challenge.www.example.test'), [])
})
