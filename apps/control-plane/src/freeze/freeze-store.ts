import type { FreezeId } from '@certloop/contract'
import type { Selectable } from 'kysely'

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
