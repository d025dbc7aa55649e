import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { freePort, leftOut, startBind, type RunningBind } from '@certloop/test-kit'
import { authorityOfName, zoneOf } from './authoritative.ts'
import { findCaa } from './caa.ts'
import { createResolver } from './resolver.ts'
import { readDnsServers } from './servers.ts'

const bind = { skip: leftOut('named') }
const records = `www IN A 192.0.2.7
www IN A 192.0.2.8
www IN AAAA 2001:db8::7
only4 IN A 192.0.2.9
alias IN CNAME www
far IN CNAME app.delegated.test.
nowhere IN CNAME gone.example.test.
loop1 IN CNAME loop2
loop2 IN CNAME loop1
old IN DNAME www.delegated.test.
@ IN CAA 0 issue "ca.test"
sub IN CAA 0 issue ";"
caa IN CNAME sub
empty.below IN TXT "x"
${Array.from({ length: 12 }, (_, index) => `c${index} IN CNAME c${index + 1}`).join('\n')}
c10 IN A 192.0.2.10
`.replace('c10 IN CNAME c11\n', '').replace('c11 IN CNAME c12\n', '')

const twoZones = async (t: TestContext): Promise<RunningBind> => startBind(t, { zones: [{ name: 'example.test', records }, { name: 'delegated.test', records: 'app IN TXT "there"\napp IN A 192.0.2.20\na.www IN A 192.0.2.21' }, { name: 'broken.test', file: '' }] })
const failure = (facts: Record<string, string>, code = 'DNS_LOOKUP_FAILED') => (error: unknown) => {
  assert.ok(error instanceof CertloopError)
  assert.deepEqual([error.code, Object.fromEntries(Object.keys(facts).map((each) => [each, error.facts[each]]))], [code, facts], error.message)
  return true
}

test('records, no such record, no such name, refused, SERVFAIL, silence and nobody there are told apart', bind, async (t) => {
  const server = await twoZones(t)
  const { look, addresses } = createResolver({ servers: [server] })
  assert.deepEqual((await look({ name: 'www.example.test', type: 'A' })).records.map(({ data }) => data).length, 2)
  assert.equal((await look({ name: 'www.example.test', type: 'TXT' })).outcome, 'nodata')
  assert.equal((await look({ name: 'below.example.test', type: 'TXT' })).outcome, 'nodata', 'a name with others below it is there')
  assert.equal((await look({ name: 'nothing.example.test', type: 'TXT' })).outcome, 'nxdomain')
  await assert.rejects(look({ name: 'elsewhere.net', type: 'A' }), failure({ problem: 'rcode', rcode: 'REFUSED' }))
  await assert.rejects(look({ name: 'www.broken.test', type: 'A' }), failure({ problem: 'rcode', rcode: 'SERVFAIL' }))
  const { addresses: all } = await addresses('www.example.test')
  assert.deepEqual([all.toSorted(), all.at(-1)], [['192.0.2.7', '192.0.2.8', '2001:db8::7'], '2001:db8::7'])
  assert.deepEqual((await addresses('only4.example.test')).addresses, ['192.0.2.9'])
  assert.deepEqual([(await addresses('sub.example.test')).outcome, (await addresses('nothing.example.test')).outcome], ['nodata', 'nxdomain'])
  await assert.rejects(createResolver({ servers: [] }).look({ name: 'a.test', type: 'A' }), failure({ problem: 'unreachable' }))
})

test('a server that is not there is passed over, and asked last from then on', bind, async (t) => {
  const server = await twoZones(t)
  const dead = { address: '127.0.0.1', port: await freePort() }
  const { look } = createResolver({ servers: [dead, server] })
  assert.equal((await look({ name: 'www.example.test', type: 'A' })).outcome, 'found')
  await assert.rejects(createResolver({ servers: [dead] }).look({ name: 'www.example.test', type: 'A' }), failure({ problem: 'unreachable', server: `127.0.0.1 port ${dead.port}` }))
})

test('CNAME and DNAME records are followed, over zones, and their faults named', bind, async (t) => {
  const server = await twoZones(t)
  const { look } = createResolver({ servers: [server] })
  const alias = await look({ name: 'Alias.example.test', type: 'A' })
  assert.deepEqual([alias.outcome, alias.name, alias.chain], ['found', 'www.example.test', ['alias.example.test', 'www.example.test']])
  const far = await look({ name: 'far.example.test', type: 'TXT' })
  assert.deepEqual([far.records.map(({ data }) => data), far.chain], [['there'], ['far.example.test', 'app.delegated.test']])
  const named = await look({ name: 'a.old.example.test', type: 'A' })
  assert.deepEqual([named.name, named.records.map(({ data }) => data)], ['a.www.delegated.test', ['192.0.2.21']])
  const nowhere = await look({ name: 'nowhere.example.test', type: 'CNAME' })
  assert.deepEqual([nowhere.outcome, nowhere.chain], ['nxdomain', ['nowhere.example.test', 'gone.example.test']])
  for (const type of ['A', 'CNAME'] as const) await assert.rejects(look({ name: 'loop1.example.test', type }), (error) => failure({ name: 'loop1.example.test' }, 'DNS_DELEGATION_BROKEN')(error) && /circle/.test((error as Error).message))
  const ten = await look({ name: 'c0.example.test', type: 'A' })
  assert.deepEqual([ten.name, ten.chain.length], ['c10.example.test', 11], 'ten steps are followed')
})

test('a chain of more than ten names is refused', bind, async (t) => {
  const chain = Array.from({ length: 11 }, (_, index) => `c${index} IN CNAME c${index + 1}`).join('\n')
  const server = await startBind(t, { zones: [{ name: 'example.test', records: `${chain}\nc11 IN A 192.0.2.1` }] })
  await assert.rejects(createResolver({ servers: [server] }).look({ name: 'c0.example.test', type: 'A' }), { code: 'DNS_DELEGATION_BROKEN', message: /more than 10 names/ })
})

test('what only DNSSEC stands against is told from a server that fails', bind, async (t) => {
  const zone = await startBind(t, { zones: [{ name: 'example.test', records: 'www IN A 192.0.2.7' }] })
  const anchor = Buffer.alloc(64, 9).toString('base64')
  const validating = await startBind(t, { zones: [], blocks: `view all { recursion yes; allow-query { any; }; dnssec-validation yes; trust-anchors { example.test. static-key 257 3 13 "${anchor}"; }; zone "example.test" { type forward; forward only; forwarders { 127.0.0.1 port ${zone.port}; }; }; };` })
  await assert.rejects(createResolver({ servers: [validating, zone] }).look({ name: 'www.example.test', type: 'A' }), failure({ problem: 'DNSSEC', rcode: 'SERVFAIL' }))
})

test('a zone is found from any name in it, and its servers at the port where they were reached', bind, async (t) => {
  const server = await startBind(t, { zones: [{ name: 'example.test', records: `${records}\nns2 IN A 127.0.0.9\n@ IN NS ns2\n@ IN NS ns3.elsewhere.net.` }, { name: 'sub2.example.test', records: 'x IN A 192.0.2.1' }] })
  const resolver = createResolver({ servers: [server] })
  assert.deepEqual(await Promise.all(['example.test', 'a.b.c.example.test', 'alias.example.test', 'x.sub2.example.test'].map((name) => zoneOf(resolver, name))), ['example.test', 'example.test', 'example.test', 'sub2.example.test'])
  assert.equal(await zoneOf(resolver, 'www.elsewhere.net'), null)
  const { zone, nameServers } = await authorityOfName(resolver, '_acme-challenge.www.example.test')
  assert.equal(zone, 'example.test')
  assert.deepEqual(nameServers.map(({ name, servers, problem }) => [name, servers.map(({ address, port }) => [address, port]), problem && /REFUSED/.test(problem)]), [
    ['ns1.example.test', [['127.0.0.1', server.port]], null],
    ['ns2.example.test', [['127.0.0.9', 53]], null],
    ['ns3.elsewhere.net', [], true],
  ])
})

test('behind an alias, the zone is that of the alias and not that of what it leads to', bind, async (t) => {
  const server = await startBind(t, { zones: [{ name: 'test', records: 'target IN TXT "x"' }, { name: 'example.test', records: 'alias IN CNAME target.test.' }] })
  // A recursive server gives the SOA of the other zone with it.
  const recursive = await startBind(t, { zones: [], options: 'recursion yes;', blocks: `zone "test" { type forward; forward only; forwarders { 127.0.0.1 port ${server.port}; }; };` })
  assert.equal(await zoneOf(createResolver({ servers: [recursive] }), 'alias.example.test'), 'example.test')
})

test('CAA records are looked for upwards, through CNAME records', bind, async (t) => {
  const server = await startBind(t, { zones: [{ name: 'test', records: 'example IN CAA 0 issue "ca.test"\nsub.example IN CAA 0 issue ";"\ncaa.example IN CNAME sub.example\na.b.www.example IN A 192.0.2.1' }] })
  const resolver = createResolver({ servers: [server] })
  const found = async (name: string) => { const { at, records: all } = await findCaa(resolver, name); return [at, all.map(({ value }) => value)] }
  assert.deepEqual(await found('a.b.www.example.test'), ['example.test', ['ca.test']])
  assert.deepEqual(await found('deep.sub.example.test'), ['sub.example.test', [';']])
  assert.deepEqual(await found('x.caa.example.test'), ['caa.example.test', [';']])
  assert.deepEqual(await found('other.test'), [null, []])
  await assert.rejects(findCaa(resolver, 'www.example.net'), { code: 'DNS_LOOKUP_FAILED' })
})

test('servers are read with and without a port', () => {
  assert.deepEqual(readDnsServers('192.0.2.1,[::1]:5353, ::1'), [{ address: '192.0.2.1', port: 53 }, { address: '::1', port: 5353 }, { address: '::1', port: 53 }])
  for (const text of ['', 'a.test', '192.0.2.1:0', '::1:99999:x', '[192.0.2.1]:53']) assert.equal(readDnsServers(text), undefined, text)
})
