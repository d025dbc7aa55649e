import type { DnsProvider, DnsProviderType } from '@certloop/contract'
import { healthOf } from '../plugin/health.ts'
import { fromJson } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import { implement, type App } from '../http/index.ts'
import type { Secrets } from '../secret/secrets.ts'
import { dnsProviderKinds, findKind, type FieldValues } from './dns-provider-kinds.ts'
import { secretNames, type DnsProviders } from './dns-provider-service.ts'
import { getDnsProvider, listDnsProviders, zonesOf, type DnsProviderRow } from './dns-provider-store.ts'

export interface DnsProviderRouteDeps { database: Database; secrets: Secrets; dnsProviders: DnsProviders }

const showTypes = (): DnsProviderType[] => dnsProviderKinds.map(({ manifest, fields }) => ({ kind: manifest.id, title: manifest.title, summary: manifest.summary, docsUrl: manifest.docsUrl ?? null, fields }))

/** As the API shows it. Nothing is asked of it. */
function show(deps: DnsProviderRouteDeps, row: DnsProviderRow): DnsProvider {
  const { state, since, lastReport, nextCheckAt } = healthOf(row)
  return {
    id: row.id, name: row.name, kind: row.kind, title: findKind(row.kind)?.manifest.title ?? row.kind, fields: { ...fromJson<FieldValues>(row.settings) }, secretsSet: secretNames(deps, row),
    zones: zonesOf(row), health: { state, since, lastReport, nextCheckAt }, createdAt: row.createdAt, updatedAt: row.updatedAt,
  }
}

export function registerDnsProviderRoutes(app: App, deps: DnsProviderRouteDeps): void {
  const { dnsProviders, database: { db } } = deps
  implement(app, 'listDnsProviderTypes', async () => ({ items: showTypes() }))
  implement(app, 'listDnsProviders', async () => ({ items: (await listDnsProviders(db)).map((row) => show(deps, row)) }))
  implement(app, 'createDnsProvider', async ({ body, who }) => show(deps, await dnsProviders.create(body, who.text)))
  implement(app, 'getDnsProvider', async ({ params }) => show(deps, await getDnsProvider(db, params.id)))
  implement(app, 'updateDnsProvider', async ({ params, body, who }) => show(deps, await dnsProviders.update(params.id, body, who.text)))
  implement(app, 'deleteDnsProvider', async ({ params, who }) => {
    await dnsProviders.remove(params.id, who.text)
    return undefined
  })
  implement(app, 'testDnsProvider', async ({ params, body }) => dnsProviders.test(params.id, body.name))
}
