import { addressGuard, createOutbound, type DnsProviderConnector, type DnsProviderEntry, type TextRecord } from '@certloop/plugin-kit'
import { dnsProviderConformance } from '@certloop/plugin-kit/dns-conformance'
import { differences, systemClock, type Excerpt, type Exchange, type VendorRequest, type VendorServer, type ZoneStore } from '@certloop/test-kit/dns-vendors'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'

/** A simulated vendor with two zones, example.test and (where it can) sub.example.test. */
export interface Bench { vendor: VendorServer; store: ZoneStore; fields: Record<string, unknown>; wrongCredentials: Record<string, unknown>; zoneBelow?: boolean }
export const benchZones = ['other.test', 'example.test', 'sub.example.test'] as const

const guard = addressGuard(['127.0.0.0/8'])
/** A connector as the control plane would make it, with waits that are written down instead of waited for. */
export async function connectorOf(entry: DnsProviderEntry, fields: Record<string, unknown>, { waits = [], now = systemClock }: { waits?: number[]; now?: () => Date } = {}): Promise<DnsProviderConnector> {
  const make = await entry.connector()
  const outbound = () => createOutbound({ guard, unreachable: 'DNS_PROVIDER_UNREACHABLE', userAgent: 'certloop-test' })
  return make({ name: 'test', fields, guard, outbound, now, random: () => 0.5, wait: async (milliseconds) => { waits.push(milliseconds) }, signal: new AbortController().signal })
}

export const challenge = (value = 'mine-0123456789', name = '_acme-challenge.www.example.test'): TextRecord & { ttl: number } => ({ zone: 'example.test', name, value, ttl: 600 })
const noSteps = { step: async <T>(_: string, run: () => Promise<T>) => run() }
export const valuesAt = (store: ZoneStore, name = challenge().name): string[] => store.held(name).filter(({ type }) => type === 'TXT').map(({ value }) => value).toSorted()

interface VendorTests {
  folder: URL
  start: (t: TestContext) => Promise<Bench>
  excerpt: Excerpt
  /** Puts an exchange into the form that the excerpt is written for. */
  readExchange?: (exchange: Exchange) => Exchange
  /** The vendor has nothing against writers who overtake each other. */
  neverGuarded?: true
  /** Reads bodies that are no JSON, for the comparison with the excerpt. */
  parse?: (text: string) => unknown
  /** Which calls change records; others may write just before them. */
  isChange?: (request: VendorRequest) => boolean
  /** What others write between a look and a removal gets lost: the vendor has nothing against it. */
  removalNotGuarded?: true
}

/** What every vendor's simulator and connector have to show, beside what is particular to one. */
export function vendorTests(entry: DnsProviderEntry, { folder, start, excerpt, isChange = ({ method }) => method !== 'GET', removalNotGuarded, parse, readExchange, neverGuarded }: VendorTests): void {
  const { title } = entry.manifest
  dnsProviderConformance(entry, {
    folder,
    makeSubject: async (t) => {
      const { store, fields, wrongCredentials, zoneBelow = true } = await start(t)
      return {
        fields, wrongCredentials, zone: 'example.test', ...(zoneBelow ? { zoneBelow: 'sub.example.test' } : {}),
        held: async (name) => store.held(name), put: async (name, record) => store.put(name, record),
      }
    },
  })

  test(`${title}: calls and answers are as published`, async (t) => {
    const { vendor, fields } = await start(t)
    const provider = await connectorOf(entry, fields)
    await provider.listZones?.()
    await provider.findZone('_acme-challenge.www.example.test')
    for (const value of ['one-0123456789', 'two-0123456789']) await provider.addTxt(challenge(value))
    await provider.addTxt(challenge('top-0123456789', '_acme-challenge.example.test'))
    await provider.removeTxt(challenge('top-0123456789', '_acme-challenge.example.test'), null)
    for (const value of ['one-0123456789', 'two-0123456789', 'two-0123456789']) await provider.removeTxt(challenge(value), null)
    await provider.test(noSteps)
    const exchanges = parse === undefined ? vendor.exchanges : vendor.exchanges.map(({ request, answer }) => ({ request: { ...request, json: request.json ?? parse(request.body) }, answer: { ...answer, body: typeof answer.body === 'string' ? parse(answer.body) : answer.body } }))
    assert.deepEqual(differences(excerpt, readExchange === undefined ? exchanges : exchanges.map(readExchange)), [])
  })

  if (neverGuarded) return
  test(`${title}: what others write between a look and a change stays`, async (t) => {
    const { vendor, store, fields } = await start(t)
    const provider = await connectorOf(entry, fields)
    const intrude = (value: string) => {
      let done = false
      vendor.intercept = (request) => {
        if (!done && isChange(request)) { done = true; store.put(challenge().name, { type: 'TXT', value }) }
        return undefined
      }
      return () => done
    }
    const first = intrude('theirs-first')
    await provider.addTxt(challenge())
    assert.ok(first())
    assert.deepEqual(valuesAt(store), ['mine-0123456789', 'theirs-first'])
    if (removalNotGuarded) return
    const second = intrude('theirs-second')
    await provider.removeTxt(challenge(), null)
    assert.ok(second())
    assert.deepEqual(valuesAt(store), ['theirs-first', 'theirs-second'])
  })
}
