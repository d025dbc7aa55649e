import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { dnsProviderConformance } from '@certloop/plugin-kit/dns-conformance'
import { dnsProviders } from '../index.ts'
import { connectorOf } from '../shared/vendor-testing.ts'
import { readAccounts } from './accounts.ts'
import { startAcmeDns } from './acme-dns-testing.ts'

const entry = dnsProviders.find('acme-dns')
assert.ok(entry)
const value = (number: number) => createHash('sha256').update(String(number)).digest('base64url')

dnsProviderConformance(entry, {
  folder: new URL('./', import.meta.url),
  async makeSubject(t) {
    const server = await startAcmeDns(t)
    const account = server.register()
    const fields = { url: server.url, dnsServer: server.dnsServer, plainHttp: false, accounts: JSON.stringify(account) }
    const wrong = { ...account, password: 'x'.repeat(40) }
    return {
      fields, wrongCredentials: { ...fields, accounts: JSON.stringify(wrong) }, secrets: [account.password, wrong.password],
      zone: account.fulldomain, recordName: account.fulldomain,
      held: async (name) => server.values(name).map((text) => ({ type: 'TXT', value: text })),
    }
  },
})

test('several accounts, each for its own name', async (t) => {
  const server = await startAcmeDns(t)
  const [one, other] = [server.register(), server.register()]
  const provider = await connectorOf(entry, { url: server.url, dnsServer: server.dnsServer, plainHttp: false, accounts: JSON.stringify({ 'www.example.com': one, 'shop.example.com': other }) })
  assert.deepEqual(await provider.listZones?.(), [one.fulldomain, other.fulldomain])
  for (const { fulldomain } of [one, other]) await provider.addTxt({ zone: fulldomain, name: fulldomain, value: value(1), ttl: 1 })
  assert.deepEqual([server.values(one.fulldomain), server.values(other.fulldomain)], [[value(1)], [value(1)]])
  assert.equal(await provider.findZone(`below.${one.fulldomain}`), undefined)
})

test('a value that is there is not written again; where DNS can not be asked, it is', async (t) => {
  const server = await startAcmeDns(t)
  const account = server.register()
  const fields = { url: server.url, plainHttp: false, accounts: JSON.stringify([account]) }
  const record = { zone: account.fulldomain, name: account.fulldomain, value: value(1), ttl: 1 }
  const seeing = await connectorOf(entry, { ...fields, dnsServer: server.dnsServer })
  await seeing.addTxt(record)
  await seeing.addTxt(record)
  assert.equal(server.updates(), 1)
  const [closedPort] = server.url.split(':').slice(-1)
  await (await connectorOf(entry, { ...fields, dnsServer: `127.0.0.1:${closedPort}` })).addTxt(record)
  assert.equal(server.updates(), 2)
})

test('what acme-dns would not take is told before it is asked', async (t) => {
  const server = await startAcmeDns(t)
  const account = server.register()
  const provider = await connectorOf(entry, { url: server.url, dnsServer: server.dnsServer, plainHttp: false, accounts: JSON.stringify(account) })
  await assert.rejects(provider.addTxt({ zone: account.fulldomain, name: account.fulldomain, value: 'authority.example; accounturi=x', ttl: 1 }), { code: 'DNS_RECORD_FAILED', message: /43 letters/ })
})

test('accounts in each form, and what is wrong with others without repeating them', () => {
  const account = { username: 'u', password: 'the-password', fulldomain: 'A.Auth.test.', subdomain: 'a' }
  const read = { ...account, fulldomain: 'a.auth.test' }
  for (const form of [account, [account], { 'www.example.com': account }, { ...account, allowfrom: [] }]) assert.equal((readAccounts(JSON.stringify(form)) as typeof read[])[0]?.fulldomain, read.fulldomain)
  for (const form of ['', 'the-password', '[]', '7', 'null', '[{"password":"the-password"}]', '{"a":"the-password"}']) {
    const problem = readAccounts(form)
    assert.ok(typeof problem === 'string' && !problem.includes('the-password'), form)
    assert.deepEqual(entry.manifest.check?.({ url: 'https://auth.test', accounts: form, plainHttp: false }).map(({ field }) => field), ['accounts'], form)
  }
})
