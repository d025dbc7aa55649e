import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { OutsideLook, ProofExpected } from '@certloop/contract'
import { query, sendUpdate, type DnsServer } from '@certloop/dns'
import { eventually, freePort, leftOut, startBind, startChallengeServer } from '@certloop/test-kit'
import { isRegistry } from './delegation.ts'
import { verdicts, viewOf, words } from './outside-testing.ts'

const bind = { skip: leftOut('named') }
const challenge = (value: string, name = 'www.example.test'): ProofExpected => ({ kind: 'dns', recordName: `_acme-challenge.${name}`, recordType: 'TXT', value })
const writable = 'allow-update { any; }; allow-transfer { any; };'
const add = (server: DnsServer, name: string, value: string) => sendUpdate(server, { zone: 'example.test', changes: [{ kind: 'add', name, type: 'TXT', ttl: 60, value }] })

/** A primary, and a secondary that takes changes over only when it is started again. */
async function twoServers(t: TestContext) {
  const nameServers = ['ns1.example.test', 'ns2.example.test']
  const records = 'ns1 IN A 127.0.0.1\nns2 IN A 127.0.0.2\nwww IN A 192.0.2.7\n_acme-challenge.far IN CNAME x.example.test.\n_acme-challenge.loop IN CNAME _acme-challenge.loop2\n_acme-challenge.loop2 IN CNAME _acme-challenge.loop\n_cname IN CNAME Some.Where.test.'
  const first = await startBind(t, { zones: [{ name: 'example.test', records, nameServers, statements: writable }] })
  const second = await startBind(t, { address: '127.0.0.2', zones: [{ name: 'example.test', secondaryOf: first }] })
  await eventually(async () => (await query(second, { name: 'example.test', type: 'SOA' })).rcode === 'NOERROR', { what: 'the zone at the secondary' })
  return { first, second, view: viewOf([first, second]) }
}

test('a record counts once every authoritative server has it, and not while one lags behind', bind, async (t) => {
  const { first, second, view } = await twoServers(t)
  const none = await view.look(challenge('wanted'))
  assert.deepEqual([none.visible, verdicts(none)], [false, { 'ns1.example.test': [false, 'VALIDATION_NOT_VISIBLE'], 'ns2.example.test': [false, 'VALIDATION_NOT_VISIBLE'] }])
  assert.match(words(none), /ns1.example.test: 127.0.0.1 port \d+ says that the name does not exist/)

  await add(first, '_acme-challenge.www.example.test', 'other')
  await add(first, '_acme-challenge.www.example.test', 'wanted')
  const lagging = await view.look(challenge('wanted'))
  assert.deepEqual([lagging.visible, verdicts(lagging)], [false, { 'ns1.example.test': [true, null], 'ns2.example.test': [false, 'DNS_SERVERS_DIFFER'] }])

  await second.stop()
  await second.start()
  const all = await eventually(async () => { const look = await view.look(challenge('wanted')); return look.visible && look }, { what: 'the record at both' })
  assert.deepEqual(verdicts(all), { 'ns1.example.test': [true, null], 'ns2.example.test': [true, null] })
  assert.match(words(all), /has the value among 2/)
  const wrong = await view.look(challenge('third'))
  assert.equal(wrong.visible, false)
  assert.match(words(wrong), /has "(other|wanted)", "(other|wanted)", not the value/)

  await second.stop()
  const oneDead = await view.look(challenge('wanted'))
  assert.deepEqual([oneDead.visible, verdicts(oneDead)['ns2.example.test']], [true, [true, 'DNS_LOOKUP_FAILED']], 'a dead server is told of, and authorities ask the other')
})

test('delegation is followed, its faults are named, and a CNAME record that is the proof itself is not followed', bind, async (t) => {
  const { first, view } = await twoServers(t)
  await add(first, 'x.example.test', 'wanted')
  const only = viewOf([first])
  assert.deepEqual(await view.delegatedName('_acme-challenge.far.example.test'), { name: 'x.example.test', chain: ['_acme-challenge.far.example.test', 'x.example.test'] })
  assert.deepEqual(await view.delegatedName('_acme-challenge.none.example.test'), { name: '_acme-challenge.none.example.test', chain: [] })
  const far = await only.look(challenge('wanted', 'far.example.test'))
  assert.deepEqual(verdicts(far)['CNAME of _acme-challenge.far.example.test'], [true, null])
  assert.deepEqual(verdicts(far)['ns1.example.test'], [true, null])
  const loop = await view.look(challenge('wanted', 'loop.example.test'))
  assert.deepEqual([loop.visible, Object.values(verdicts(loop))], [false, [[false, 'DNS_DELEGATION_BROKEN']]])
  await assert.rejects(view.delegatedName('_acme-challenge.loop.example.test'), { code: 'DNS_DELEGATION_BROKEN' })
  const cname = (value: string) => view.look({ kind: 'dns', recordName: '_cname.example.test', recordType: 'CNAME', value })
  assert.deepEqual([(await cname('some.where.TEST.')).visible, (await cname('else.where.test')).visible], [true, false])
})

test('a delegation into a domain that nobody has registered is broken', bind, async (t) => {
  // Stands in for the registry of "com": it answers for the whole of it.
  const server = await startBind(t, { zones: [{ name: 'com', records: '_acme-challenge.shop.example IN CNAME shop.gone.com.\n_acme-challenge.ok.example IN CNAME ok.example.com.\nokexample IN A 192.0.2.1' }, { name: 'example.com', records: '_acme-challenge.shop IN CNAME shop.gone.com.\n_acme-challenge.ok IN CNAME later.example.com.' }] })
  const view = viewOf([server])
  await assert.rejects(view.delegatedName('_acme-challenge.shop.example.com'), { code: 'DNS_DELEGATION_BROKEN', message: /nobody has registered/ })
  assert.equal((await view.delegatedName('_acme-challenge.ok.example.com')).name, 'later.example.com', 'the record itself need not be there yet')
  assert.deepEqual(['com', 'co.uk', '', 'example.com', 'github.io', 'corp', 'example.test'].map(isRegistry), [true, true, true, false, false, false, false])
})

test('SERVFAIL, servers that are not there and addresses that may not be asked are told apart from a missing record', bind, async (t) => {
  const server = await startBind(t, { zones: [{ name: 'example.test', records: '@ IN NS ns2\nns2 IN A 127.0.0.9\n_acme-challenge.www IN TXT "wanted"' }, { name: 'broken.test', file: '' }] })
  const [code, seen] = await viewOf([server]).look(challenge('wanted', 'broken.test')).then((look) => [look.findings[0]?.error?.code, words(look)])
  assert.deepEqual([code, /SERVFAIL/.test(seen ?? '')], ['DNS_LOOKUP_FAILED', true])
  const guarded = await viewOf([server], { allow: [] }).look(challenge('wanted'))
  assert.deepEqual([guarded.visible, verdicts(guarded)], [true, { 'ns1.example.test': [true, null], 'ns2.example.test': [true, 'DNS_LOOKUP_FAILED'] }])
  assert.match(words(guarded), /ns2.example.test: 127.0.0.9 is an address that outgoing calls may not reach/)
  const nobody = await viewOf([{ address: '127.0.0.1', port: await freePort() }]).look(challenge('wanted'))
  assert.deepEqual([nobody.visible, nobody.findings[0]?.error?.code], [false, 'DNS_LOOKUP_FAILED'])
})

test('where only the recursive server can be asked, its answer counts, and that is told', bind, async (t) => {
  // The zone's own servers have addresses where nothing answers, as behind a firewall that lets no DNS out.
  const zone = await startBind(t, { zones: [{ name: 'example.test', nameServers: ['ns.example.test'], records: 'ns IN A 127.0.0.9\n_acme-challenge.www IN TXT "wanted"' }] })
  const forwarder = await startBind(t, { zones: [], options: 'recursion yes;', blocks: `zone "example.test" { type forward; forward only; forwarders { 127.0.0.1 port ${zone.port}; }; };` })
  const look = await viewOf([forwarder], { timeoutMs: 300 }).look(challenge('wanted'))
  assert.equal(look.visible, true, words(look))
  assert.deepEqual(verdicts(look), { 'ns.example.test': [true, 'DNS_LOOKUP_FAILED'], 'DNS servers of example.test': [true, 'DNS_LOOKUP_FAILED'], [`127.0.0.1 port ${forwarder.port}`]: [true, null] })
  assert.equal((await viewOf([forwarder], { timeoutMs: 300 }).look(challenge('other'))).visible, false)
})

test('a look ends in time when servers are silent', async (t: TestContext) => {
  const silent = createSocket('udp4')
  silent.bind(0, '127.0.0.1')
  await once(silent, 'listening')
  t.after(() => { silent.close() })
  const server = { address: '127.0.0.1', port: silent.address().port }
  const begun = performance.now()
  const look: OutsideLook = await viewOf([server], { timeoutMs: 5000, totalMs: 200 }).look(challenge('wanted'))
  assert.deepEqual([look.visible, look.findings[0]?.error?.code, performance.now() - begun < 4000], [false, 'DNS_LOOKUP_FAILED', true])
})

test('the DNS server of a test directory, which tells of no zones, is asked itself', { skip: leftOut('pebble-challtestsrv') }, async (t) => {
  const server = await startChallengeServer(t, { http: false, tlsAlpn: false })
  const view = viewOf([{ address: '127.0.0.1', port: server.dnsPort }])
  assert.equal((await view.look(challenge('wanted'))).visible, false)
  await server.setTxt('_acme-challenge.www.example.test', 'wanted')
  const look = await view.look(challenge('wanted'))
  assert.equal(look.visible, true, words(look))
  await server.setServfail('_acme-challenge.www.example.test')
  assert.deepEqual((await view.look(challenge('wanted'))).visible, false)
})
