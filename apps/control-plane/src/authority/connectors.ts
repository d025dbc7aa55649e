import { CertloopError, toCertloopError, type AuthorityId } from '@certloop/contract'
import type { AuthorityConnector, Outbound } from '@certloop/plugin-kit'
import { fromJson } from '../database/columns.ts'
import type { Database, Db, Tx } from '../database/database.ts'
import type { LocalCa } from '../local-ca/local-ca.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { WayOut } from '../way-out.ts'
import type { AuthorityOf } from './authority.ts'
import { authorityKinds, type AuthorityKind, type FieldValues } from './authority-kinds.ts'
import { getAuthority, type AuthorityRow } from './authority-store.ts'
import { noteRateLimit } from './budget.ts'
import { healthOf } from '../plugin/health.ts'
import { tellsOfTheAuthority } from './health.ts'
import { noteSeen } from './health-worker.ts'
import { openValues } from './sealed-secrets.ts'
import { memoryOf } from './memory.ts'
import { createGate, type Gate } from './gate.ts'

export interface ConnectorDeps { database: Database; secrets: Secrets; localCa: LocalCa; wayOut: WayOut; now: () => Date; random: () => number }

/** @throws CertloopError CONFIGURATION_INCOMPLETE: it was made by a release that knew more kinds */
export function kindOf({ kind }: Pick<AuthorityRow, 'kind'>): AuthorityKind {
  const found = authorityKinds.find(kind)
  if (!found) throw new CertloopError('CONFIGURATION_INCOMPLETE', `There is no connector of kind "${kind}".`, { kind })
  return found
}

/** A transaction holds rows, and on SQLite everybody: nobody waits for the network in one. */
const noCalls: Outbound = { request: async () => { throw new CertloopError('AUTHORITY_UNREACHABLE', 'The authority is not asked while something is being saved.', { sent: 'no' }) } }

/** What is asked of an authority for an order or a version; tests and what is told without asking are not among it. */
const work = ['submit', 'proceed', 'find', 'prove', 'abandon', 'revoke', 'suspend', 'resume', 'renewalWindow', 'rollAccountKey'] as const satisfies (keyof AuthorityConnector)[]
type Asked = (...values: unknown[]) => Promise<unknown>

/** The connector, with an eye on how its work goes: that feeds health and the pause that the authority asked for. */
function watched(connector: AuthorityConnector, row: AuthorityRow, { database, now, random }: ConnectorDeps): AuthorityConnector {
  const failing = async (error: CertloopError) => {
    const { retryAt } = error.facts
    if (error.code === 'AUTHORITY_RATE_LIMITED' && typeof retryAt === 'string') await database.transaction((tx) => noteRateLimit(tx, row.id, new Date(retryAt), now()))
    else if (tellsOfTheAuthority(error)) await database.transaction((tx, wake) => noteSeen(tx, wake, row.id, { work: error }, { now, random }))
  }
  const watch = (ask: Asked): Asked => async (...values) => {
    if (row.pausedUntil !== null && new Date(row.pausedUntil) > now()) throw new CertloopError('AUTHORITY_RATE_LIMITED', `The authority "${row.name}" asked to be left alone until ${row.pausedUntil}.`, { retryAt: row.pausedUntil, sent: 'no' })
    try {
      const answer = await ask(...values)
      if (healthOf(row).state === 'failing') await database.transaction((tx, wake) => noteSeen(tx, wake, row.id, { work: null }, { now, random }))
      return answer
    } catch (thrown) {
      // What went wrong at the authority is what counts, also when it can't be written down.
      await failing(toCertloopError(thrown)).catch(() => {})
      throw thrown
    }
  }
  const methods = work.flatMap((name) => {
    const method = connector[name] as Asked | undefined
    return method ? [[name, watch((...values) => method.apply(connector, values))]] : []
  })
  return { ...connector, ...Object.fromEntries(methods) as Partial<AuthorityConnector> }
}

/** Also says so where the profile is none of those that the last test found. Kinds inside know better. */
function reviewing(connector: AuthorityConnector, row: AuthorityRow): AuthorityConnector {
  const { profiles } = healthOf(row)
  if (profiles === null || kindOf(row).single) return connector
  const review: NonNullable<AuthorityConnector['review']> = async (request) => {
    const said = await connector.review?.(request) ?? { refused: [], otherwise: [] }
    const isThere = request.profile === undefined || request.profile === null || profiles.includes(request.profile)
    const problem = `"${row.name}" has no such profile; ${profiles.length > 0 ? `it has ${profiles.join(', ')}` : 'it has none to choose from'}`
    return isThere || said.refused.some(({ field }) => field === 'csr/profile') ? said : { ...said, refused: [...said.refused, { field: 'csr/profile', problem }] }
  }
  return { ...connector, review }
}

/** The connectors of the configured authorities. They are kept as long as nothing about their row changes. */
export function createConnectors(deps: ConnectorDeps): { authorityOf: AuthorityOf } {
  const { database, secrets, localCa, wayOut, now, random } = deps
  const kept = new Map<AuthorityId, { made: string; connector: Promise<AuthorityConnector> }>()
  const gates = new Map<AuthorityId, Gate>()

  const connect = async (row: AuthorityRow, db: Db | Tx): Promise<AuthorityConnector> => {
    const kind = kindOf(row)
    const fields = { ...fromJson<FieldValues>(row.settings), ...openValues(secrets, row) }
    const outbound = (options?: { trustPem?: string }): Outbound => (db.isTransaction ? noCalls : through(gateOf(row), wayOut.outboundFor('AUTHORITY_UNREACHABLE', options)))
    return kind.connect({ name: row.name, fields, memory: memoryOf({ db, secrets }, row.id), outbound, now, random }, { localCa, db })
  }
  const gateOf = ({ id, concurrency }: AuthorityRow): Gate => {
    const gate = gates.get(id) ?? createGate()
    gates.set(id, gate)
    gate.width = concurrency
    return gate
  }
  const keptFor = (row: AuthorityRow): Promise<AuthorityConnector> => {
    const made = JSON.stringify([row.name, row.kind, row.settings, row.sealedSecrets])
    const present = kept.get(row.id)
    if (present?.made === made) return present.connector
    const connector = connect(row, database.db)
    kept.set(row.id, { made, connector })
    connector.catch(() => { if (kept.get(row.id)?.connector === connector) kept.delete(row.id) })
    return connector
  }

  return {
    async authorityOf(db, id) {
      const row = await getAuthority(db, id)
      gateOf(row)
      return reviewing(db.isTransaction ? await connect(row, db) : watched(await keptFor(row), row, deps), row)
    },
  }
}

const through = (gate: Gate, outbound: Outbound): Outbound => ({ request: (request) => gate.pass(() => outbound.request(request)) })
