import { addressGuard, createOutbound } from '@certloop/plugin-kit'
import { dnsProviderConformance, type HeldRecord } from '@certloop/plugin-kit/dns-conformance'
import { leftOut, startPowerdns } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { Resolver } from 'node:dns/promises'
import { test } from 'node:test'
import { dnsProviders } from '../index.ts'
import { quoted } from '../shared/text.ts'
import { manifest } from './manifest.ts'

const entry = dnsProviders.find('powerdns')
assert.ok(entry)
const skip = leftOut('pdns_server') || leftOut('libgsqlite3backend.so')
const apiKey = 'a "key" of 20+ letters'

/** As anybody sees it over DNS. */
async function heldAt(resolver: Resolver, name: string): Promise<HeldRecord[]> {
  const none = (error: NodeJS.ErrnoException): never[] => { if (error.code === 'ENODATA' || error.code === 'ENOTFOUND') return []; throw error }
  const texts = await resolver.resolveTxt(name).catch(none)
  const addresses = await resolver.resolve4(name).catch(none)
  return [...texts.map((parts) => ({ type: 'TXT', value: parts.join('') })), ...addresses.map((value) => ({ type: 'A', value }))]
}

dnsProviderConformance(entry, {
  folder: new URL('./', import.meta.url), skip,
  async makeSubject(t) {
    const server = await startPowerdns(t, { zones: { 'example.test': 'Native', 'sub.example.test': 'Primary' }, apiKey })
    const resolver = new Resolver({ timeout: 2000, tries: 2 })
    resolver.setServers([`127.0.0.1:${server.port}`])
    const fields = { url: server.url, apiKey, serverId: 'localhost', plainHttp: false }
    return {
      fields, wrongCredentials: { ...fields, apiKey: 'another key of 20 letters' }, zone: 'example.test', zoneBelow: 'sub.example.test',
      held: (name) => heldAt(resolver, name),
      put: async (name, { type, value }) => server.put('example.test', name, type, type === 'TXT' ? quoted(value) : value),
    }
  },
})

test('the secondaries of a primary are told, and only of a primary', { skip }, async (t) => {
  const server = await startPowerdns(t, { zones: { 'example.test': 'Native', 'primary.test': 'Primary' }, apiKey })
  const calls: string[] = []
  const guard = addressGuard(['127.0.0.0/8'])
  const real = createOutbound({ guard, unreachable: 'DNS_PROVIDER_UNREACHABLE', userAgent: 'test' })
  const make = await entry.connector()
  const provider = make({
    name: 'test', fields: { url: server.url, apiKey, serverId: 'localhost', plainHttp: false }, guard, now: () => new Date(), random: () => 0.5, wait: async () => {}, signal: new AbortController().signal,
    outbound: () => ({ request: (request) => { calls.push(`${request.method} ${new URL(request.url).pathname.split('/').slice(5).join('/')}`); return real.request(request) } }),
  })
  await provider.addTxt({ zone: 'example.test', name: '_acme-challenge.example.test', value: 'one', ttl: 60 })
  assert.ok(!calls.some((call) => call.endsWith('notify')), calls.join())
  await provider.addTxt({ zone: 'primary.test', name: '_acme-challenge.primary.test', value: 'one', ttl: 60 })
  assert.deepEqual(calls.filter((call) => call.endsWith('notify')), ['PUT zones/primary.test./notify'])
  await provider.addTxt({ zone: 'primary.test', name: '_acme-challenge.primary.test', value: 'one', ttl: 60 })
  assert.equal(calls.filter((call) => call.endsWith('notify')).length, 1, 'nothing changed, and yet it was told')
})

test('an address without TLS needs to be wanted', () => {
  const check = (fields: object) => manifest.check({ url: 'http://dns.example.net:8081', apiKey: 'x', serverId: 'localhost', plainHttp: false, ...fields }).map(({ field }) => field)
  assert.deepEqual(check({}), ['url'])
  assert.deepEqual(check({ plainHttp: true }), [])
  assert.deepEqual(check({ url: 'https://dns.example.net' }), [])
  assert.deepEqual(check({ url: 'ftp://dns.example.net', plainHttp: true }), ['url'])
})
