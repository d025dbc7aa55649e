import { CertloopError, newId, type Freeze, type FreezeId, type FreezeInput } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { iso } from '../database/columns.ts'
import { isUniqueViolation, type Db, type Tx } from '../database/database.ts'
import { hasEnded, isWithin, type ZonedFreeze } from '../schedule/deployment-time.ts'

/** A time in which nothing is deployed by itself, on the whole platform. */
export interface FreezeTable {
  id: FreezeId
  name: string
  /** On the clock of the zone, e.g. "2027-12-20T00:00". */
  startsAt: string
  endsAt: string
  zone: string
  reason: string
  createdAt: string
}
export interface FreezeTables { freeze: FreezeTable }
export type FreezeRow = Selectable<FreezeTable>

const columnsOf = ({ name, from, to, zone, reason }: FreezeInput) => ({ name, startsAt: from, endsAt: to, zone, reason })
const zoned = ({ name, startsAt, endsAt, zone, reason }: FreezeRow): ZonedFreeze => ({ name, from: startsAt, to: endsAt, zone, reason })

/** @throws CertloopError CONFLICT when the name is in use */
async function named<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isUniqueViolation(error)) throw new CertloopError('CONFLICT', `There is a freeze period "${name}" already. Choose another name.`, {}, error)
    throw error
  }
}

/** @throws CertloopError CONFLICT when the name is in use */
export async function insertFreeze(tx: Tx, input: FreezeInput, now: Date): Promise<FreezeRow> {
  const row: FreezeRow = { id: newId('frz', now), ...columnsOf(input), createdAt: iso(now) }
  await named(input.name, () => tx.insertInto('freeze').values(row).execute())
  return row
}

/** @throws CertloopError NOT_FOUND, CONFLICT when the name is in use */
export async function updateFreeze(tx: Tx, id: FreezeId, input: FreezeInput): Promise<FreezeRow> {
  const before = await getFreeze(tx, id)
  await named(input.name, () => tx.updateTable('freeze').set(columnsOf(input)).where('id', '=', id).execute())
  return { ...before, ...columnsOf(input) }
}

/** @throws CertloopError NOT_FOUND @returns what it was */
export async function deleteFreeze(tx: Tx, id: FreezeId): Promise<FreezeRow> {
  const row = await getFreeze(tx, id)
  await tx.deleteFrom('freeze').where('id', '=', id).execute()
  return row
}

async function getFreeze(tx: Tx, id: FreezeId): Promise<FreezeRow> {
  const row = await tx.selectFrom('freeze').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new CertloopError('NOT_FOUND', `There is no freeze period ${id}.`, { freezeId: id })
  return row
}

export async function listFreezes(db: Db | Tx): Promise<FreezeRow[]> {
  return db.selectFrom('freeze').selectAll().orderBy('startsAt').orderBy('id').execute()
}

const keptMs = 86_400_000

/**
 * The freeze periods of the whole platform that count for `deploymentTime`: present and coming ones. Those that ended within a
 * day are among them, or what waited for one would lose its turn when it is looked at again.
 */
export async function freezesFor(db: Db | Tx, now: Date): Promise<ZonedFreeze[]> {
  const dayBefore = new Date(now.getTime() - keptMs)
  // No zone is more than a day away from UTC, so this leaves nothing out that counts.
  const rows = await db.selectFrom('freeze').selectAll().where('endsAt', '>=', iso(new Date(dayBefore.getTime() - keptMs)).slice(0, 16)).orderBy('startsAt').orderBy('id').execute()
  return rows.map(zoned).filter((f) => !hasEnded(f, dayBefore))
}

export function toFreeze(row: FreezeRow, now: Date): Freeze {
  const { id, createdAt } = row
  const freeze = zoned(row)
  return { id, name: row.name, from: freeze.from, to: freeze.to, reason: freeze.reason, zone: freeze.zone, isNow: isWithin(freeze, now), createdAt }
}
