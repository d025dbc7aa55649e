import { CertloopError, toCertloopError, type DnsProviderId, type ErrorCode } from '@certloop/contract'
import type { DnsProviderConnector, TextRecord } from '@certloop/plugin-kit'
import { healthOf } from '../plugin/health.ts'
import type { Database } from '../database/database.ts'
import { connectorOf, type ConnectorDeps } from './connectors.ts'
import { kindOf } from './dns-provider-kinds.ts'
import { getDnsProvider, listDnsProviders, saveZones, zonesOf, type DnsProviderRow } from './dns-provider-store.ts'
import { noteSeen } from './health-worker.ts'
import { assertMayWrite } from './name-guard.ts'
import type { Turns } from './turns.ts'

type Receipt = Readonly<Record<string, string>>
/** Writes and removes TXT records at the configured providers. Each call can be made again at any time. */
export interface DnsRecords {
  /**
   * The provider that holds the zone of a name, and the zone: the longest suffix of all, the preferred provider before others.
   * @param name after the CNAME records of a delegation
   * @throws CertloopError DNS_ZONE_NOT_FOUND, DNS_NAME_NOT_ALLOWED, and what a provider says that may hold it but can't be asked
   */
  placeFor(name: string, preferred: DnsProviderId | null): Promise<{ providerId: DnsProviderId; zone: string }>
  /** @returns how it is found again. @throws CertloopError NOT_FOUND, DNS_NAME_NOT_ALLOWED, and as the connector */
  add(providerId: DnsProviderId, record: TextRecord): Promise<Receipt>
  /** What is not there is fine. @throws CertloopError NOT_FOUND when the provider is no longer configured, and as the connector */
  remove(providerId: DnsProviderId, record: TextRecord, receipt: Receipt | null): Promise<void>
}
export interface RecordDeps extends ConnectorDeps { database: Database; turns: Turns }

const plain = (name: string) => name.replace(/\.$/, '').toLowerCase()
const holds = (zone: string, name: string) => name === zone || name.endsWith(`.${zone}`)
const longest = (zones: readonly string[], name: string) => zones.filter((zone) => holds(zone, name)).toSorted((a, b) => b.length - a.length)[0]

/** Errors that tell of the provider as a whole rather than of one record. */
const ofTheProvider: ReadonlySet<ErrorCode> = new Set(['DNS_PROVIDER_REFUSED', 'DNS_PROVIDER_UNREACHABLE', 'AUTHORITY_NOT_TRUSTED', 'ADDRESS_NOT_ALLOWED', 'SECRET_UNREADABLE'])

export function createDnsRecords(deps: RecordDeps): DnsRecords {
  const { database, turns } = deps

  /** One call, with an eye on how it goes: that feeds health. */
  async function asked<T>(row: DnsProviderRow, call: (connector: DnsProviderConnector) => Promise<T>): Promise<T> {
    try {
      const answer = await call(await connectorOf(deps, row))
      if (healthOf(row).state === 'failing') await database.transaction((tx, wake) => noteSeen(tx, wake, row.id, { work: null }, deps))
      return answer
    } catch (thrown) {
      const error = toCertloopError(thrown)
      if (ofTheProvider.has(error.code)) await database.transaction((tx, wake) => noteSeen(tx, wake, row.id, { work: error }, deps))
      throw thrown
    }
  }
  const change = <T>(row: DnsProviderRow, { zone, name }: TextRecord, work: () => Promise<T>): Promise<T> =>
    turns.inTurn(`${row.id} ${kindOf(row).manifest.oneAtATime === 'zone' ? zone : name}`, work)

  /** The zone as the provider itself has it now; it is kept for later. */
  async function zoneAt(row: DnsProviderRow, name: string): Promise<string | undefined> {
    const zone = await asked(row, (connector) => connector.findZone(name))
    const known = zonesOf(row)
    const holding = known.filter((each) => holds(each, name))
    if (zone !== undefined && !known.includes(zone)) await database.transaction((tx) => saveZones(tx, row.id, [...known, zone]))
    if (zone === undefined && holding.length > 0) await database.transaction((tx) => saveZones(tx, row.id, known.filter((each) => !holding.includes(each))))
    return zone
  }

  /** First those whose known zones fit, the longest first; then the others, whose zones may be new. The preferred one before all. */
  function inOrder(rows: readonly DnsProviderRow[], name: string, preferred: DnsProviderId | null): DnsProviderRow[] {
    const rank = (row: DnsProviderRow) => (row.id === preferred ? 1000 : 0) + (longest(zonesOf(row), name)?.length ?? 0)
    return rows.toSorted((a, b) => rank(b) - rank(a))
  }

  return {
    async placeFor(given, preferred) {
      const name = plain(given)
      const rows = inOrder(await listDnsProviders(database.db), name, preferred)
      const problems: CertloopError[] = []
      for (const row of rows) {
        const zone = await zoneAt(row, name).catch((error: unknown) => { problems.push(toCertloopError(error)) })
        if (zone === undefined) continue
        assertMayWrite(row, name)
        return { providerId: row.id, zone }
      }
      // One that can't be asked may be the one.
      const passing = problems.find((error) => error.spec.retry === 'later') ?? problems[0]
      if (passing) throw passing
      throw notFound(name, rows)
    },
    async add(providerId, record) {
      const row = await getDnsProvider(database.db, providerId)
      assertMayWrite(row, record.name)
      return change(row, record, () => asked(row, (connector) => connector.addTxt({ ...record, ttl: kindOf(row).manifest.lowestTtl })))
    },
    async remove(providerId, record, receipt) {
      const row = await getDnsProvider(database.db, providerId)
      await change(row, record, () => asked(row, (connector) => connector.removeTxt(record, receipt)))
    },
  }
}

function notFound(name: string, rows: readonly DnsProviderRow[]): CertloopError {
  const labels = name.split('.')
  const tried = labels.slice(0, -1).map((_, index) => labels.slice(index).join('.'))
  const where = rows.length === 0 ? 'No DNS provider is configured' : `${rows.map((row) => `"${row.name}"`).slice(0, 10).join(', ')} ${rows.length === 1 ? 'holds none of them' : 'hold none of them'}`
  return new CertloopError('DNS_ZONE_NOT_FOUND', `The zone of ${name} was looked for as ${tried.join(', ')}. ${where}.`, { name })
}
