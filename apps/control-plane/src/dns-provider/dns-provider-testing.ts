import { Resolver } from 'node:dns/promises'
import type { TestContext } from 'node:test'
import type { DnsProviderInput } from '@certloop/contract'
import { startPowerdns, tempFolder, type RunningPowerdns } from '@certloop/test-kit'
import type { Database } from '../database/database.ts'
import { testClock } from '../http/http-testing.ts'
import { loadMasterKey } from '../secret/master-key.ts'
import { createSecrets } from '../secret/secrets.ts'
import { createWayOut } from '../way-out.ts'
import { createDnsProviders } from './dns-provider-service.ts'
import { createDnsRecords } from './dns-records.ts'
import type { OutsideView } from './test-record.ts'
import { createTurns } from './turns.ts'

export const apiKey = 'the key of a test server'
export const startServer = (t: TestContext, zones: readonly string[]): Promise<RunningPowerdns> => startPowerdns(t, { zones: Object.fromEntries(zones.map((zone) => [zone, 'Native' as const])), apiKey })
export const powerdns = (name: string, url: string, more: Record<string, unknown> = {}): DnsProviderInput => ({ name, kind: 'powerdns', fields: { url, ...more }, secrets: { apiKey } })

/** TXT values as the server gives them to anybody. */
export async function textsAt({ address, port }: Pick<RunningPowerdns, 'address' | 'port'>, name: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: 3000, tries: 2 })
  resolver.setServers([`${address}:${port}`])
  const found = await resolver.resolveTxt(name).catch((error: NodeJS.ErrnoException) => { if (error.code === 'ENODATA' || error.code === 'ENOTFOUND') return []; throw error })
  return found.map((parts) => parts.join('')).toSorted()
}

/** Looks at these servers themselves; nothing is handed on, but for the names given. */
export function viewOf(servers: readonly RunningPowerdns[], led: Readonly<Record<string, string>> = {}): OutsideView {
  const delegatedName = async (name: string) => ({ name: led[name] ?? name, chain: led[name] === undefined ? [] : [led[name]] })
  return {
    delegatedName,
    async look(expected) {
      const values = expected.kind === 'dns' ? (await Promise.all(servers.map(async (server) => textsAt(server, (await delegatedName(expected.recordName)).name)))).flat() : []
      const visible = expected.kind === 'dns' && values.includes(expected.value)
      return { at: testClock().now().toISOString(), visible, findings: [{ ok: visible, title: 'the server', seen: visible ? 'it has the value.' : `it has ${values.length} other values`, error: null }] }
    },
  }
}

/** DNS providers on a database. */
export async function providersOn(t: TestContext, database: Database, outside: OutsideView = viewOf([])) {
  const { now } = testClock()
  const masterKey = await loadMasterKey({ environmentKey: undefined, dataFolder: await tempFolder(t, 'keys'), database })
  const secrets = await createSecrets({ database, masterKey, now })
  const base = { database, secrets, wayOut: createWayOut({ allow: ['private', '127.0.0.0/8', '::1'], version: 'test' }), now, random: () => 0.5 }
  const records = createDnsRecords({ ...base, turns: createTurns(database) })
  const deps = { ...base, records, outside }
  return { ...deps, deps, dnsProviders: createDnsProviders(deps) }
}
