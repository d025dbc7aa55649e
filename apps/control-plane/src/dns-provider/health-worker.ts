import { type DnsProviderId, type TestReport } from '@certloop/contract'
import { testPlugin } from '../plugin/test-report.ts'
import { healthOf, nextHealth, type KeptHealth, type Seen } from '../plugin/health.ts'
import { iso, toJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { addTask, repeatTask } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { connectorOf, type ConnectorDeps } from './connectors.ts'
import { findDnsProvider, listDnsProviders, lockDnsProvider, saveProviderHealth, saveZones, type DnsProviderRow } from './dns-provider-store.ts'

export const checkTask = 'check-dns-provider'
export const checkDedupe = (id: DnsProviderId): string => `${checkTask}:${id}`
const taskOf = (id: DnsProviderId, notBefore: Date) => ({ executor: 'control-plane' as const, kind: checkTask, subject: id, dedupe: checkDedupe(id), notBefore })
const hourMs = 3_600_000

export interface HealthDeps extends ConnectorDeps { database: Database }
type Chance = Pick<HealthDeps, 'now' | 'random'>

/** What was seen at the last test; zones null: they can't be listed, or the test did not get there. */
export interface ProviderLook { report: TestReport; zones: string[] | null }

/** Runs the test of a provider, and lists its zones where it lists any. */
export async function lookAtProvider(deps: HealthDeps, row: DnsProviderRow): Promise<ProviderLook> {
  let zones: string[] | null = null
  const report = await testPlugin(async () => {
    const connector = await connectorOf(deps, row)
    return {
      async test(steps) {
        await connector.test(steps)
        zones = await connector.listZones?.() ?? null
      },
    }
  }, deps.now, { late: 'DNS_PROVIDER_UNREACHABLE' })
  return { report, zones }
}

async function tell(tx: Tx, wake: Wakes, { id, name, health: kept }: DnsProviderRow, seen: Seen, { now, random }: Chance): Promise<KeptHealth> {
  const { health, news } = nextHealth(healthOf({ health: kept }), seen, now(), random())
  await saveProviderHealth(tx, id, toJson(health))
  if (news === 'failing') await addEvent(tx, { kind: 'dns-provider.failing', message: `The DNS provider "${name}" does not work at the moment; it is looked at again by itself.`, error: 'work' in seen ? seen.work : seen.report.error }, now())
  if (news === 'recovered') await addEvent(tx, { kind: 'dns-provider.recovered', message: `The DNS provider "${name}" works again.` }, now())
  if (news !== null || 'report' in seen) announce(wake, 'dns-provider', id)
  return health
}

async function keepLook(tx: Tx, wake: Wakes, row: DnsProviderRow, { report, zones }: ProviderLook, deps: Chance): Promise<string | null> {
  const { nextCheckAt } = await tell(tx, wake, row, { report }, deps)
  if (zones) await saveZones(tx, row.id, zones)
  return nextCheckAt
}

/** What came of a test, with the next look. Nothing when the provider was removed meanwhile. */
export async function noteLook(tx: Tx, wake: Wakes, id: DnsProviderId, look: ProviderLook, deps: Chance): Promise<void> {
  if (!await findDnsProvider(tx, id)) return
  const nextCheckAt = await keepLook(tx, wake, await lockDnsProvider(tx, id), look, deps)
  if (nextCheckAt !== null) await addTask(tx, wake, taskOf(id, new Date(nextCheckAt)), deps.now())
}

/** How work at a provider went. Nothing when it was removed meanwhile. */
export async function noteSeen(tx: Tx, wake: Wakes, id: DnsProviderId, seen: Extract<Seen, { work: unknown }>, deps: Chance): Promise<void> {
  if (!await findDnsProvider(tx, id)) return
  const row = await lockDnsProvider(tx, id)
  const { nextCheckAt } = await tell(tx, wake, row, seen, deps)
  if (nextCheckAt !== null && nextCheckAt !== healthOf(row).nextCheckAt) await addTask(tx, wake, taskOf(id, new Date(nextCheckAt)), deps.now())
}

/** Has every provider looked at from now on, spread over the hour; a start does not put off what is due. */
export async function scheduleProviderChecks({ database, now, random }: Pick<HealthDeps, 'database' | 'now' | 'random'>): Promise<void> {
  await database.transaction(async (tx, wake) => {
    for (const row of await listDnsProviders(tx)) {
      const { nextCheckAt } = healthOf(row)
      await addTask(tx, wake, taskOf(row.id, nextCheckAt === null ? new Date(now().getTime() + random() * hourMs) : new Date(nextCheckAt)), now())
    }
  })
}

/** Looks whether a provider works, again and again as long as it is there. */
export function checkDnsProviderKind(deps: HealthDeps): PlaneTaskKind {
  const { database, now } = deps
  return {
    async run(task) {
      const id = task.subject as DnsProviderId
      const row = await findDnsProvider(database.db, id)
      if (!row) return async () => {}
      const look = await lookAtProvider(deps, row)
      return async (tx, wake) => {
        if (!await findDnsProvider(tx, id)) return
        const next = await keepLook(tx, wake, await lockDnsProvider(tx, id), look, deps)
        await repeatTask(tx, task.id, new Date(next ?? now().getTime() + hourMs))
      }
    },
    async failed(tx, wake, task, error) {
      await noteLook(tx, wake, task.subject as DnsProviderId, { report: { at: iso(now()), ok: false, steps: [], error: error.toWire() }, zones: null }, deps)
    },
  }
}
