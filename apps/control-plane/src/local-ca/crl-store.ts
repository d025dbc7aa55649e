import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { IssuerId } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { iso } from '../database/columns.ts'
import type { Database, Db, Tx } from '../database/database.ts'

/** "full", "shard:3" or "delta": the newest list of each is kept. */
export type CrlScopeName = 'full' | 'delta' | `shard:${number}`

export interface CrlTable {
  issuerId: IssuerId
  scope: CrlScopeName
  number: number
  thisUpdate: string
  nextUpdate: string
  entries: number
  bytes: number
  /** The issuer's change number up to which changes are in it. */
  changeNumber: number
  /** How long it took to make. */
  buildMs: number
  bodyId: string
}
export interface CrlSliceTable { bodyId: string; position: number; bytes: Uint8Array; createdAt: string }
export interface CrlTables { ca_crl: CrlTable; ca_crl_slice: CrlSliceTable }
export type CrlRow = Selectable<CrlTable>

/** Small enough that reading or writing one takes a millisecond or two, and that many slow readers hold little memory. */
const sliceBytes = 1 << 18

export async function findCrl(db: Db | Tx, issuerId: IssuerId, scope: CrlScopeName): Promise<CrlRow | undefined> {
  return db.selectFrom('ca_crl').selectAll().where('issuerId', '=', issuerId).where('scope', '=', scope).executeTakeFirst()
}
export async function listCrls(db: Db | Tx, issuerId?: IssuerId): Promise<CrlRow[]> {
  let query = db.selectFrom('ca_crl').selectAll().orderBy('issuerId').orderBy('scope')
  if (issuerId) query = query.where('issuerId', '=', issuerId)
  return query.execute()
}

/** Writes the bytes of a list, piece by piece, each its own short statement; nobody sees them before a row names them. @returns their id */
export async function writeBody(db: Db, body: Buffer, now: Date): Promise<string> {
  const bodyId = randomUUID()
  for (let position = 0; position * sliceBytes < body.length; position++) {
    await db.insertInto('ca_crl_slice').values({ bodyId, position, bytes: body.subarray(position * sliceBytes, (position + 1) * sliceBytes), createdAt: iso(now) }).execute()
    await setImmediate()
  }
  return bodyId
}

let lastTurn = Promise.resolve()
/** One slice in each turn of the event loop, however many read at once. */
const inTurn = (): Promise<void> => (lastTurn = lastTurn.then(() => setImmediate()))

/** The bytes of a list, piece by piece; ends early when it was replaced meanwhile. */
export async function* readBody(db: Db, bodyId: string): AsyncGenerator<Buffer> {
  for (let position = 0; ; position++) {
    await inTurn()
    const slice = await db.selectFrom('ca_crl_slice').select('bytes').where('bodyId', '=', bodyId).where('position', '=', position).executeTakeFirst()
    if (!slice) return
    yield Buffer.from(slice.bytes.buffer, slice.bytes.byteOffset, slice.bytes.byteLength)
  }
}

/**
 * Puts a list in the place of the one before, unless another replica put one there meanwhile that has as high a number
 * or knows of later changes. The bytes of the one before stay for an hour from now: somebody may be reading them.
 * @returns whether it did
 */
export async function replaceCrl(tx: Tx, row: CrlRow, now: Date): Promise<boolean> {
  const before = await findCrl(tx, row.issuerId, row.scope)
  const { issuerId: _issuer, scope: _scope, ...change } = row
  const { numInsertedOrUpdatedRows } = await tx.insertInto('ca_crl').values(row)
    .onConflict((c) => c.columns(['issuerId', 'scope']).doUpdateSet(change).where('ca_crl.number', '<', row.number).where('ca_crl.changeNumber', '<=', row.changeNumber)).executeTakeFirstOrThrow()
  if (numInsertedOrUpdatedRows !== 1n) return false
  if (before) await tx.updateTable('ca_crl_slice').set({ createdAt: iso(now) }).where('bodyId', '=', before.bodyId).where('position', '=', 0).execute()
  return true
}

/** A list whose next one is overdue. */
export async function dropEndedList(db: Db, issuerId: IssuerId, scope: CrlScopeName, now: Date): Promise<void> {
  await db.deleteFrom('ca_crl').where('issuerId', '=', issuerId).where('scope', '=', scope).where('nextUpdate', '<', iso(now)).execute()
}

/** Who began to read a list that was replaced has come to its end by then. */
const keepReplacedMs = 3_600_000
export const replacedLongAgo = (now: Date): Date => new Date(now.getTime() - keepReplacedMs)

/**
 * Bodies that no list names: replaced ones, and those of a crash. Old enough that nobody reads or writes them. Slice by
 * slice, each its own short statement; the first goes last, since by it a body is found.
 */
export async function dropOldBodies({ db }: Database, before: Date): Promise<void> {
  const slices = db.selectFrom('ca_crl_slice')
  const unnamed = await slices.select('bodyId').where('position', '=', 0).where('bodyId', 'not in', (eb) => eb.selectFrom('ca_crl').select('bodyId')).execute()
  for (const { bodyId } of unnamed) {
    const first = await slices.select('createdAt').where('bodyId', '=', bodyId).where('position', '=', 0).executeTakeFirst()
    if (!first || first.createdAt >= iso(before)) continue
    const positions = await slices.select('position').where('bodyId', '=', bodyId).orderBy('position', 'desc').execute()
    for (const { position } of positions) {
      await db.deleteFrom('ca_crl_slice').where('bodyId', '=', bodyId).where('position', '=', position).execute()
      await setImmediate()
    }
  }
}
