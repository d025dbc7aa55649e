import assert from 'node:assert/strict'
import { Resolver } from 'node:dns/promises'
import { test, type TestContext } from 'node:test'
import { query, sendUpdate, tsigKey } from '@certloop/dns'
import { addressGuard, type DnsProviderContext } from '@certloop/plugin-kit'
import { dnsProviderConformance, type HeldRecord } from '@certloop/plugin-kit/dns-conformance'
import { leftOut, startBind, type RunningBind } from '@certloop/test-kit'
import { dnsProviders } from '../index.ts'
import { connector } from './connector.ts'

const entry = dnsProviders.find('rfc2136')
assert.ok(entry)
const skip = leftOut('named')
const key = (name: string, algorithm = 'hmac-sha256') => ({ name, algorithm, secret: Buffer.from(`the secret of the key ${name}`).toString('base64') })
const [ours, theirs] = [key('certloop'), key('others')]
const policy = () => 'check-names ignore; update-policy { grant certloop zonesub TXT; grant others zonesub ANY; };'

async function startServer(t: TestContext, statements: (zone: string) => string = policy): Promise<{ server: RunningBind; fields: Record<string, unknown> }> {
  const server = await startBind(t, { keys: [ours, theirs, key('sha512', 'hmac-sha512')], zones: ['example.test', 'sub.example.test'].map((name) => ({ name, statements: statements(name) })) })
  return { server, fields: { server: server.address, port: server.port, keyName: ours.name, algorithm: ours.algorithm, secret: ours.secret } }
}

/** As anybody sees it over DNS. */
async function heldAt({ address, port }: RunningBind, name: string): Promise<HeldRecord[]> {
  const resolver = new Resolver({ timeout: 3000, tries: 2 })
  resolver.setServers([`${address}:${port}`])
  const none = (error: NodeJS.ErrnoException): never[] => { if (error.code === 'ENODATA' || error.code === 'ENOTFOUND') return []; throw error }
  const texts = await resolver.resolveTxt(name).catch(none)
  const addresses = await resolver.resolve4(name).catch(none)
  return [...texts.map((parts) => ({ type: 'TXT', value: parts.join('') })), ...addresses.map((value) => ({ type: 'A', value }))]
}

dnsProviderConformance(entry, {
  folder: new URL('./', import.meta.url), skip,
  async makeSubject(t) {
    const { server, fields } = await startServer(t)
    return {
      fields, wrongCredentials: { ...fields, secret: Buffer.from('the secret of somebody else').toString('base64') }, zone: 'example.test', zoneBelow: 'sub.example.test',
      held: (name) => heldAt(server, name),
      async put(name, { type, value }) {
        const { rcode } = await sendUpdate(server, { zone: 'example.test', changes: [{ kind: 'add', name, type: type as 'A', ttl: 60, value }] }, { tcp: true, tsig: { key: tsigKey(theirs.name, theirs.algorithm, theirs.secret), now: () => new Date() } })
        assert.equal(rcode, 'NOERROR')
      },
      cut: async () => { await server.stop(); return () => server.start() },
    }
  },
})

type Fields = Parameters<typeof connector>[0]['fields']
const guard = addressGuard(['127.0.0.0/8'])
const connect = (fields: Record<string, unknown>, more: Omit<Partial<DnsProviderContext>, 'fields'> = {}) => connector({
  name: 'test', fields: fields as Fields, guard, outbound: () => { throw new Error('no HTTP here') }, now: () => new Date(), random: () => 0.5, wait: async () => {}, signal: new AbortController().signal, ...more,
})
const challenge = { zone: 'example.test', name: '_acme-challenge.www.example.test', value: 'one', ttl: 60 }

test('each way to be refused has words of its own', { skip }, async (t) => {
  const { fields } = await startServer(t, (zone) => `update-policy { grant certloop name _acme-challenge.www.${zone}. TXT; };`)
  const add = (changes: Record<string, unknown>, record = challenge, more: Partial<DnsProviderContext> = {}) => connect({ ...fields, ...changes }, more).addTxt(record)
  await add({})
  await assert.rejects(add({ keyName: 'nobody' }), { code: 'DNS_PROVIDER_REFUSED', message: /knows no key "nobody".*BADKEY/ })
  await assert.rejects(add({ secret: theirs.secret }), { code: 'DNS_PROVIDER_REFUSED', message: /secret of the key "certloop" is another one.*BADSIG/ })
  await assert.rejects(add({ algorithm: 'hmac-sha512' }), { code: 'DNS_PROVIDER_REFUSED', message: /BADKEY/ })
  await assert.rejects(add({}, challenge, { now: () => new Date(Date.now() + 3_600_000) }), { code: 'DNS_PROVIDER_REFUSED', message: /clock.*BADTIME/ })
  await assert.rejects(add({}, { ...challenge, name: '_acme-challenge.shop.example.test' }), { code: 'DNS_PROVIDER_REFUSED', message: /not allowed.*_acme-challenge\.shop.*REFUSED/ })
  await assert.rejects(add({ keyName: theirs.name, secret: theirs.secret }), { code: 'DNS_PROVIDER_REFUSED', message: /key "others" is not allowed/ })
  await assert.rejects(add({}, { ...challenge, zone: 'elsewhere.test', name: '_acme-challenge.elsewhere.test' }), { code: 'DNS_RECORD_FAILED', message: /elsewhere\.test.*NOTAUTH/ })
  await assert.rejects(add({}, { ...challenge, name: '_acme-challenge.example.org' }), { code: 'DNS_RECORD_FAILED', message: /NOTZONE/ })
})

test('another algorithm, zones given by name, and a CNAME record at the name itself', { skip }, async (t) => {
  const { fields, server } = await startServer(t, () => 'update-policy { grant sha512 zonesub ANY; };')
  const longer = { ...fields, keyName: 'sha512', algorithm: 'hmac-sha512', secret: key('sha512').secret }
  await connect(longer).addTxt(challenge)
  assert.deepEqual(await heldAt(server, challenge.name), [{ type: 'TXT', value: 'one' }])
  const chosen = connect({ ...longer, zones: ['Example.test.', 'missing.test'] })
  assert.deepEqual(await chosen.listZones?.(), ['example.test', 'missing.test'])
  assert.equal(await chosen.findZone('_acme-challenge.www.sub.example.test'), 'example.test')
  const seen: string[] = []
  const steps = { step: async <T>(title: string, run: () => Promise<T>, said: (result: T) => string) => { const result = await run(); seen.push(`${title}: ${said(result)}`); return result } }
  await assert.rejects(chosen.test(steps), { code: 'DNS_RECORD_FAILED', message: /does not hold the zone missing\.test/ })
  assert.match(seen.join('\n'), /key, secret and clocks fit[^]*Look for the zone example\.test: It is there with serial number \d+/)
  await sendUpdate(server, { zone: 'example.test', changes: [{ kind: 'add', name: '_acme-challenge.led.example.test', type: 'CNAME', ttl: 60, value: 'x.sub.example.test' }] }, { tcp: true, tsig: { key: tsigKey('sha512', 'hmac-sha512', longer.secret), now: () => new Date() } })
  assert.equal(await connect(longer).findZone('_acme-challenge.led.example.test'), 'example.test')
})

test('the time to live of values that are there stays', { skip }, async (t) => {
  const { fields, server } = await startServer(t)
  const admin = { key: tsigKey(theirs.name, theirs.algorithm, theirs.secret), now: () => new Date() }
  await sendUpdate(server, { zone: 'example.test', changes: [{ kind: 'add', name: challenge.name, type: 'TXT', ttl: 900, value: 'theirs' }] }, { tcp: true, tsig: admin })
  await connect(fields).addTxt(challenge)
  const { answers } = await query(server, { name: challenge.name, type: 'TXT' })
  assert.deepEqual(answers.map(({ ttl }) => ttl), [900, 900])
})

test('an address that may not be reached is not connected to', async () => {
  const nowhere = { server: '169.254.169.254', keyName: 'k', algorithm: 'hmac-sha256', secret: ours.secret }
  await assert.rejects(connect(nowhere).addTxt(challenge), { code: 'ADDRESS_NOT_ALLOWED' })
  await assert.rejects(connect({ ...nowhere, server: 'no-such-host.invalid' }).addTxt(challenge), { code: 'DNS_PROVIDER_UNREACHABLE' })
})
