import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { freePort, leftOut } from '@certloop/test-kit'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { healthOf } from '../plugin/health.ts'
import { listEvents } from '../event/event-store.ts'
import { powerdns, providersOn, startServer, textsAt } from './dns-provider-testing.ts'
import { getDnsProvider, zonesOf } from './dns-provider-store.ts'

const skip = leftOut('pdns_server') || leftOut('libgsqlite3backend.so')
const fails = (code: CertloopError['code'], message: RegExp) => (error: unknown) => error instanceof CertloopError && error.code === code && message.test(error.message)
const challenge = (name: string) => `_acme-challenge.${name}`

testOnDatabases('records are written where the zone with the longest suffix is, at the preferred provider before others', async (t, database) => {
  if (skip) return t.skip(skip)
  const p = await providersOn(t, database)
  await assert.rejects(p.records.placeFor(challenge('www.example.test'), null), fails('DNS_ZONE_NOT_FOUND', /looked for as _acme-challenge\.www\.example\.test, www\.example\.test, example\.test\. No DNS provider is configured/))
  const [one, other] = [await startServer(t, ['example.test', 'shared.test']), await startServer(t, ['sub.example.test', 'shared.test'])]
  const first = await p.dnsProviders.create(powerdns('First', one.url), 'user:test')
  const second = await p.dnsProviders.create(powerdns('Second', other.url), 'user:test')
  assert.deepEqual([zonesOf(first), zonesOf(second)], [['example.test', 'shared.test'], ['shared.test', 'sub.example.test']])

  assert.deepEqual(await p.records.placeFor(challenge('www.example.test'), null), { providerId: first.id, zone: 'example.test' })
  assert.deepEqual(await p.records.placeFor(challenge('WWW.sub.example.test.'), null), { providerId: second.id, zone: 'sub.example.test' })
  assert.deepEqual(await p.records.placeFor(challenge('shared.test'), second.id), { providerId: second.id, zone: 'shared.test' })
  assert.deepEqual(await p.records.placeFor(challenge('sub.example.test'), first.id), { providerId: first.id, zone: 'example.test' })
  await assert.rejects(p.records.placeFor(challenge('www.notexample.test'), null), fails('DNS_ZONE_NOT_FOUND', /"First", "Second" hold none of them/))

  const record = { zone: 'example.test', name: challenge('www.example.test'), value: 'one' }
  const receipt = await p.records.add(first.id, record)
  await p.records.add(first.id, { ...record, value: 'two' })
  assert.deepEqual(await textsAt(one, record.name), ['one', 'two'])
  await p.records.remove(first.id, record, receipt)
  await p.records.remove(first.id, { ...record, value: 'two' }, null)
  assert.deepEqual(await textsAt(one, record.name), [])
})

test('zones that are new or gone are found out when a name asks for them', { skip }, async (t) => {
  const database = await emptyDatabase(t)
  const p = await providersOn(t, database)
  const server = await startServer(t, ['example.test', 'late.test'])
  const { id } = await p.dnsProviders.create(powerdns('Only', server.url), 'user:test')
  const know = (zones: string[]) => database.db.updateTable('dnsProvider').set({ zones: JSON.stringify(zones) }).where('id', '=', id).execute()
  await know(['example.test'])
  assert.deepEqual(await p.records.placeFor(challenge('late.test'), null), { providerId: id, zone: 'late.test' })
  assert.deepEqual(zonesOf(await getDnsProvider(database.db, id)), ['example.test', 'late.test'])
  await know(['example.test', 'gone.test'])
  await assert.rejects(p.records.placeFor(challenge('gone.test'), null), fails('DNS_ZONE_NOT_FOUND', /gone\.test/))
  assert.deepEqual(zonesOf(await getDnsProvider(database.db, id)), ['example.test'])
})

test('a provider that can not be asked may be the one; that is told, and its health says so', { skip }, async (t) => {
  const database = await emptyDatabase(t)
  const p = await providersOn(t, database)
  const server = await startServer(t, ['example.test'])
  const up = await p.dnsProviders.create(powerdns('Up', server.url), 'user:test')
  const down = await p.dnsProviders.create(powerdns('Down', `http://127.0.0.1:${await freePort()}`), 'user:test')
  assert.equal(healthOf(down).state, 'failing')
  await assert.rejects(p.records.placeFor(challenge('elsewhere.test'), null), fails('DNS_PROVIDER_UNREACHABLE', /can not be reached/))
  assert.deepEqual(await p.records.placeFor(challenge('example.test'), down.id), { providerId: up.id, zone: 'example.test' })

  await server.stop()
  const record = { zone: 'example.test', name: challenge('example.test'), value: 'one' }
  await assert.rejects(p.records.add(up.id, record), fails('DNS_PROVIDER_UNREACHABLE', /can not be reached/))
  assert.equal(healthOf(await getDnsProvider(database.db, up.id)).state, 'failing')
  await server.start()
  await p.records.add(up.id, record)
  assert.equal(healthOf(await getDnsProvider(database.db, up.id)).state, 'ok')
  const told = (await listEvents(database.db, {}, 50)).map(({ kind, message }) => `${kind} ${message}`).filter((line) => line.includes('"Up"')).toReversed()
  assert.deepEqual(told.map((line) => line.split(' ')[0]), ['dns-provider.created', 'dns-provider.failing', 'dns-provider.recovered'])
})

test('records are written at names for validations and below delegation targets, and nowhere else', { skip }, async (t) => {
  const database = await emptyDatabase(t)
  const p = await providersOn(t, database)
  const server = await startServer(t, ['example.test', 'acme.test'])
  const { id } = await p.dnsProviders.create(powerdns('Guarded', server.url, { delegationTargets: ['App.acme.test.'] }), 'user:test')
  const add = (name: string, zone = 'example.test') => p.records.add(id, { zone, name, value: 'x' })
  for (const name of ['www.example.test', 'example.test', 'x_acme-challenge.example.test', 'acme-challenge.example.test', '_dmarc.example.test']) {
    await assert.rejects(add(name), fails('DNS_NAME_NOT_ALLOWED', /"Guarded"/), name)
    await assert.rejects(p.records.placeFor(name, null), fails('DNS_NAME_NOT_ALLOWED', /delegation targets/), name)
    assert.deepEqual(await textsAt(server, name), [], name)
  }
  await assert.rejects(add('notapp.acme.test', 'acme.test'), fails('DNS_NAME_NOT_ALLOWED', /notapp/))
  for (const [name, zone] of [[challenge('www.example.test'), 'example.test'], ['_validation-persist.example.test', 'example.test'], [`_abc.${challenge('www.example.test')}`, 'example.test'], ['app.acme.test', 'acme.test'], ['www.app.acme.test', 'acme.test']] as const) {
    await add(name, zone)
    assert.deepEqual(await textsAt(server, name), ['x'], name)
  }
  assert.deepEqual(await p.records.placeFor('www.app.acme.test', null), { providerId: id, zone: 'acme.test' })
})

test('values added to one name by many at a time are all there', { skip }, async (t) => {
  const p = await providersOn(t, await emptyDatabase(t))
  const server = await startServer(t, ['example.test'])
  const { id } = await p.dnsProviders.create(powerdns('Only', server.url), 'user:test')
  const values = Array.from({ length: 8 }, (_, i) => `value ${i}`)
  await Promise.all(values.map((value) => p.records.add(id, { zone: 'example.test', name: challenge('example.test'), value })))
  assert.deepEqual(await textsAt(server, challenge('example.test')), values)
  await Promise.all(values.slice(1).map((value) => p.records.remove(id, { zone: 'example.test', name: challenge('example.test'), value }, null)))
  assert.deepEqual(await textsAt(server, challenge('example.test')), values.slice(0, 1))
})
