import { dnsProvider } from '@certloop/plugin-kit'
import { dnsProviderConformance, type HeldRecord } from '@certloop/plugin-kit/dns-conformance'
import { leftOut, startPowerdns } from '@certloop/test-kit'
import { Resolver } from 'node:dns/promises'
import { quoted } from '../shared/text.ts'
import { manifest } from './manifest.ts'

const entry = dnsProvider(manifest, async () => (await import('./connector.ts')).createPowerdns)
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
