import { CertloopError, newId, type AuthorityId, type AuthorityInput, type AuthorityPreset, type RateLimit, type TestReport } from '@certloop/contract'
import { fromJson, toJson } from '../database/columns.ts'
import type { Database, Db, Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import type { Secrets } from '../secret/secrets.ts'
import { removeTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import type { AuthorityOf } from './authority.ts'
import { authorityKinds, type AuthorityKind, type FieldValues } from './authority-kinds.ts'
import { getAuthority, insertAuthority, lockAuthority, removeAuthority, updateAuthority, type AuthorityRow, type NewAuthority } from './authority-store.ts'
import { limitsOf } from './budget.ts'
import { kindOf } from './connectors.ts'
import { lookAtAuthority } from './connection-test.ts'
import { checkTask, noteSeen } from './health-worker.ts'
import { configuredAt, orderedAt } from './in-use.ts'
import { changedFields, keptValues, unfit } from '../plugin/sealed-values.ts'
import { readValues, type FieldProblem, type Values } from '../plugin/values.ts'
import { openValues, sealValues } from './sealed-secrets.ts'

export interface ServiceDeps { database: Database; secrets: Secrets; authorityOf: AuthorityOf; now: () => Date; random: () => number }

/** The configured authorities, as people change them. */
export interface Authorities {
  /** Tested at once, and kept whatever the test says. @throws CertloopError INPUT_INVALID naming each field, CONFLICT */
  create(input: AuthorityInput, requester: string): Promise<AuthorityRow>
  /** @throws CertloopError NOT_FOUND, INPUT_INVALID, CONFLICT */
  update(id: AuthorityId, input: AuthorityInput, requester: string): Promise<AuthorityRow>
  /** @throws CertloopError NOT_FOUND, CONFLICT naming what needs it */
  remove(id: AuthorityId, requester: string): Promise<void>
  /** @throws CertloopError NOT_FOUND */
  test(id: AuthorityId): Promise<TestReport>
  /** @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE, and as the connector */
  rollAccountKey(id: AuthorityId, requester: string): Promise<AuthorityRow>
}

/** The ready-made entry. One that has ended stays with those that have it. */
function presetOf({ manifest }: AuthorityKind, input: AuthorityInput, before: AuthorityRow | undefined, problems: FieldProblem[]): AuthorityPreset | undefined {
  const wanted = input.preset === undefined ? before?.preset ?? null : input.preset
  if (wanted === null) return undefined
  const preset = manifest.presets.find(({ id }) => id === wanted)
  if (!preset) problems.push({ field: 'preset', problem: `there is none of this name${manifest.presets.length > 0 ? `; there are ${manifest.presets.filter(({ ended }) => ended === null).map(({ id }) => id).join(', ')}` : ''}` })
  else if (preset.ended !== null && before?.preset !== wanted) problems.push({ field: 'preset', problem: `it can no longer be chosen: ${preset.ended}` })
  return preset
}

const valuesBefore = (secrets: Secrets, row: AuthorityRow | undefined): Values | undefined =>
  row && keptValues(fromJson<Record<string, unknown>>(row.settings), () => openValues(secrets, row))

const usualConcurrency = 20

/** @throws CertloopError INPUT_INVALID */
function kindFor({ kind: wanted }: AuthorityInput, before: AuthorityRow | undefined): AuthorityKind {
  const kind = authorityKinds.find(wanted)
  if (!kind) throw unfit('The authority', [{ field: 'kind', problem: `there is no such kind; there are ${authorityKinds.all.filter(({ single }) => !single).map(({ manifest }) => manifest.id).join(', ')}` }])
  if (before && before.kind !== wanted) throw unfit('The authority', [{ field: 'kind', problem: `it stays "${before.kind}"; add another authority instead` }])
  if (!before && kind.single) throw unfit('The authority', [{ field: 'kind', problem: 'there is one of it, made by itself' }])
  return kind
}

/** Unless said otherwise those of the ready-made entry, and later those that are there. */
function limitsFor({ limits }: AuthorityInput, preset: AuthorityPreset | undefined, before: AuthorityRow | undefined): RateLimit[] {
  if (limits) return limits
  return before && before.preset === (preset?.id ?? null) ? limitsOf(before) : preset?.limits ?? []
}

/** The row that an input makes. @throws CertloopError INPUT_INVALID naming each field */
async function readInput(db: Db | Tx, secrets: Secrets, id: AuthorityId, input: AuthorityInput, before: AuthorityRow | undefined): Promise<NewAuthority> {
  const kind = kindFor(input, before)
  const problems: FieldProblem[] = []
  const name = input.name.trim()
  if (name === '') problems.push({ field: 'name', problem: 'must not be blank' })
  const preset = presetOf(kind, input, before, problems)
  const values = readValues({ fields: kind.manifest.fields, check: kind.manifest.check }, input, valuesBefore(secrets, before), preset?.fields)
  problems.push(...values.problems)
  if (problems.length === 0) problems.push(...(await kind.problems?.(db, values.plain) ?? []).map(({ field, problem }) => ({ field: `fields/${field}`, problem })))
  if (problems.length > 0) throw unfit('The authority', problems)
  return {
    id, name, kind: input.kind, preset: preset?.id ?? null, settings: toJson(values.plain), sealedSecrets: sealValues(secrets, id, values.secret),
    limits: toJson(limitsFor(input, preset, before)), concurrency: input.concurrency ?? before?.concurrency ?? usualConcurrency,
  }
}

/** What changed, in words without values of secrets. */
function changesIn(before: AuthorityRow, after: NewAuthority, secretsChanged: boolean): string {
  const [was, is] = [fromJson<FieldValues>(before.settings), fromJson<FieldValues>(after.settings)]
  const fields = changedFields(was, is)
  const parts = [before.name === after.name ? '' : `its name, from "${before.name}"`, fields.length > 0 ? `the fields ${fields.join(', ')}` : '', secretsChanged ? 'its credentials' : '', before.limits === after.limits ? '' : 'its limits', before.concurrency === after.concurrency ? '' : 'its concurrency'].filter(Boolean)
  return parts.length > 0 ? parts.join('; ') : 'nothing'
}

export function createAuthorities(deps: ServiceDeps): Authorities {
  const { database, secrets, authorityOf, now } = deps
  const event = (tx: Tx, wake: Wakes, id: AuthorityId, kind: string, message: string, requester: string) => {
    announce(wake, 'authority', id)
    return addEvent(tx, { kind: `authority.${kind}`, message, requester }, now())
  }

  async function test(id: AuthorityId): Promise<TestReport> {
    await getAuthority(database.db, id)
    const seen = await lookAtAuthority(() => authorityOf(database.db, id), now)
    await database.transaction((tx, wake) => noteSeen(tx, wake, id, seen, deps))
    return seen.report
  }

  return {
    test,
    async create(input, requester) {
      const id = newId('ath', now())
      await database.transaction(async (tx, wake) => {
        const row = await readInput(tx, secrets, id, input, undefined)
        await insertAuthority(tx, row, now())
        await event(tx, wake, id, 'created', `The authority "${row.name}" was added.`, requester)
      })
      await test(id)
      return getAuthority(database.db, id)
    },
    async update(id, input, requester) {
      const isSame = await database.transaction(async (tx, wake) => {
        const before = await lockAuthority(tx, id)
        const after = await readInput(tx, secrets, id, input, before)
        const secretsChanged = JSON.stringify(valuesBefore(secrets, before)?.secret ?? {}) !== JSON.stringify(after.sealedSecrets === null ? {} : openValues(secrets, after))
        const changes = changesIn(before, after, secretsChanged)
        await updateAuthority(tx, { ...after, sealedSecrets: secretsChanged ? after.sealedSecrets : before.sealedSecrets }, now())
        await event(tx, wake, id, 'changed', `The authority "${after.name}" was changed: ${changes}.`, requester)
        return before.settings === after.settings && !secretsChanged
      })
      if (!isSame) await test(id)
      return getAuthority(database.db, id)
    },
    async remove(id, requester) {
      await database.transaction(async (tx, wake) => {
        const row = await lockAuthority(tx, id)
        if (authorityKinds.find(row.kind)?.single) throw new CertloopError('CONFLICT', `"${row.name}" is part of the platform and stays.`, { authorityId: id })
        const [configured, ordered] = [await configuredAt(tx, id), await orderedAt(tx, id)]
        const why = [configured.length > 0 ? `the configurations of ${configured.join(', ')}` : '', ordered.length > 0 ? `open orders of ${ordered.join(', ')}` : ''].filter(Boolean)
        if (why.length > 0) throw new CertloopError('CONFLICT', `"${row.name}" is named by ${why.join(' and by ')}. Choose another authority there first.`, { authorityId: id, certificates: [...new Set([...configured, ...ordered])] })
        await removeAuthority(tx, id, now())
        await removeTask(tx, `${checkTask}:${id}`)
        await event(tx, wake, id, 'deleted', `The authority "${row.name}" was removed, with its credentials.`, requester)
      })
    },
    async rollAccountKey(id, requester) {
      const [row, connector] = [await getAuthority(database.db, id), await authorityOf(database.db, id)]
      if (!connector.rollAccountKey) throw new CertloopError('ACTION_NOT_POSSIBLE', `${kindOf(row).manifest.title} has no account key that could be replaced.`, { authorityId: id })
      const notes: string[] = []
      await connector.rollAccountKey({ signal: new AbortController().signal, note: (message) => { notes.push(message) } })
      await database.transaction((tx, wake) => event(tx, wake, id, 'key-replaced', [`The key of the account at "${row.name}" was replaced.`, ...notes].join(' '), requester))
      return getAuthority(database.db, id)
    },
  }
}
