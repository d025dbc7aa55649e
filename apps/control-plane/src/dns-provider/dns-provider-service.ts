import { CertloopError, newId, toCertloopError, type DnsProviderId, type DnsProviderInput, type TestReport } from '@certloop/contract'
import { testPlugin } from '../plugin/test-report.ts'
import { readValues, type FieldProblem, type Values } from '../plugin/values.ts'
import { fromJson, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { changedFields, keptValues, sealFor, unfit } from '../plugin/sealed-values.ts'
import { removeTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { bindingOf, secretsOf } from './connectors.ts'
import { findKind, type FieldValues } from './dns-provider-kinds.ts'
import { getDnsProvider, insertDnsProvider, lockDnsProvider, removeDnsProvider, updateDnsProvider, type DnsProviderRow, type NewDnsProvider } from './dns-provider-store.ts'
import { checkDedupe, lookAtProvider, noteLook } from './health-worker.ts'
import { configuredFor, recordsAt } from './in-use.ts'
import { longestTestMs, testRecord, type TestRecordDeps } from './test-record.ts'

/** The configured DNS providers, as people change them. */
export interface DnsProviders {
  /** Tested at once, and kept whatever the test says. @throws CertloopError INPUT_INVALID naming each field, CONFLICT */
  create(input: DnsProviderInput, requester: string): Promise<DnsProviderRow>
  /** @throws CertloopError NOT_FOUND, INPUT_INVALID, CONFLICT */
  update(id: DnsProviderId, input: DnsProviderInput, requester: string): Promise<DnsProviderRow>
  /** @throws CertloopError NOT_FOUND, CONFLICT naming what needs it */
  remove(id: DnsProviderId, requester: string): Promise<void>
  /** @param name also writes a record as a validation of this name would, looks for it and removes it. @throws CertloopError NOT_FOUND, INPUT_INVALID */
  test(id: DnsProviderId, name?: string): Promise<TestReport>
}

export function createDnsProviders(deps: TestRecordDeps): DnsProviders {
  const { database, secrets, now } = deps
  const event = (tx: Tx, wake: Wakes, id: DnsProviderId, kind: string, message: string, requester: string) => {
    announce(wake, 'dns-provider', id)
    return addEvent(tx, { kind: `dns-provider.${kind}`, message, requester }, now())
  }
  const valuesOf = (row: DnsProviderRow): Values => keptValues(fromJson<Record<string, unknown>>(row.settings), () => secretsOf(secrets, row))

  /** @throws CertloopError INPUT_INVALID naming each field */
  function readInput(id: DnsProviderId, input: DnsProviderInput, before: DnsProviderRow | undefined): NewDnsProvider & { secretsChanged: boolean } {
    const problems: FieldProblem[] = []
    const name = input.name.trim()
    if (name === '') problems.push({ field: 'name', problem: 'must not be blank' })
    const kind = findKind(input.kind)
    if (!kind) throw unfit('The DNS provider', [...problems, { field: 'kind', problem: `there is no kind "${input.kind}"` }])
    if (before && before.kind !== input.kind) throw unfit('The DNS provider', [...problems, { field: 'kind', problem: `it stays "${before.kind}"; add another DNS provider instead` }])
    const kept = before && valuesOf(before)
    const values = readValues(kind, input, kept)
    problems.push(...values.problems)
    if (problems.length > 0) throw unfit('The DNS provider', problems)
    const secretsChanged = JSON.stringify(kept?.secret ?? {}) !== JSON.stringify(values.secret)
    const sealedSecrets = before && !secretsChanged ? before.sealedSecrets : sealFor(secrets, bindingOf({ id }), values.secret)
    return { id, name, kind: input.kind, settings: toJson(values.plain), sealedSecrets, secretsChanged }
  }

  async function test(id: DnsProviderId, name?: string): Promise<TestReport> {
    const row = await getDnsProvider(database.db, id)
    const wanted = name === undefined ? undefined : nameToTest(name)
    const look = await lookAtProvider(deps, row)
    await database.transaction((tx, wake) => noteLook(tx, wake, id, look, deps))
    if (wanted === undefined || !look.report.ok) return look.report
    // A name that does not work says nothing of the provider as a whole.
    const written = await testPlugin(async () => ({ test: (steps) => testRecord(deps, row, wanted, steps) }), now, { late: 'DNS_PROVIDER_UNREACHABLE', milliseconds: longestTestMs })
    return { ...written, at: look.report.at, steps: [...look.report.steps, ...written.steps] }
  }

  return {
    test,
    async create(input, requester) {
      const id = newId('dnp', now())
      const { secretsChanged: _all, ...row } = readInput(id, input, undefined)
      await database.transaction(async (tx, wake) => {
        await insertDnsProvider(tx, row, now())
        await event(tx, wake, id, 'created', `The DNS provider "${row.name}" was added.`, requester)
      })
      await test(id)
      return getDnsProvider(database.db, id)
    },
    async update(id, input, requester) {
      const isSame = await database.transaction(async (tx, wake) => {
        const before = await lockDnsProvider(tx, id)
        const { secretsChanged, ...after } = readInput(id, input, before)
        const fields = changedFields(fromJson<FieldValues>(before.settings), fromJson<FieldValues>(after.settings))
        const isSame = fields.length === 0 && !secretsChanged
        await updateDnsProvider(tx, after, isSame, now())
        const changes = [before.name === after.name ? '' : `its name, from "${before.name}"`, fields.length > 0 ? `the fields ${fields.join(', ')}` : '', secretsChanged ? 'its credentials' : ''].filter(Boolean)
        await event(tx, wake, id, 'changed', `The DNS provider "${after.name}" was changed: ${changes.join('; ') || 'nothing'}.`, requester)
        return isSame
      })
      if (!isSame) await test(id)
      return getDnsProvider(database.db, id)
    },
    async remove(id, requester) {
      await database.transaction(async (tx, wake) => {
        const row = await lockDnsProvider(tx, id)
        const [configured, placed] = [await configuredFor(tx, id), await recordsAt(tx, id)]
        const why = [configured.length > 0 ? `The configurations of ${configured.join(', ')} name it; choose another there first.` : '', placed.length > 0 ? `Records of ours are still there: ${placed.join(', ')}. They are removed by themselves when their validations end; see the validations.` : ''].filter(Boolean)
        if (why.length > 0) throw new CertloopError('CONFLICT', `"${row.name}" is still needed. ${why.join(' ')}`, { dnsProviderId: id, certificates: configured, records: placed })
        await removeDnsProvider(tx, id)
        await removeTask(tx, checkDedupe(id))
        await event(tx, wake, id, 'deleted', `The DNS provider "${row.name}" was removed, with its credentials.`, requester)
      })
    },
  }
}

/** @throws CertloopError INPUT_INVALID */
function nameToTest(given: string): string {
  const name = given.trim().replace(/^\*\./, '').replace(/\.$/, '').toLowerCase()
  const problem = 'name: must be a host name such as www.example.com'
  if (!/^(?=.{3,230}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+$/.test(name)) throw new CertloopError('INPUT_INVALID', `"${given}" is not a name that could be tested with.`, { fields: [problem] })
  return name
}

/** Names of the secrets that are kept; none when they can't be opened any more: they have to be entered again then. */
export function secretNames(deps: Pick<TestRecordDeps, 'secrets'>, row: DnsProviderRow): string[] {
  try {
    return Object.keys(secretsOf(deps.secrets, row)).toSorted()
  } catch (error) {
    if (toCertloopError(error).code === 'SECRET_UNREADABLE') return []
    throw error
  }
}
