import { newId, type BotId, type CertificateId, type CertloopError, type ChangeNotice, type DeploymentId, type Id, type OrderId, type TimelineEvent, type WireError } from '@certloop/contract'
import { fromJsonOrNull, iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import type { Wakes } from '../task/task-kinds.ts'

/** The timeline: written in the same transaction as the change it tells of, never changed. */
export interface EventTable {
  id: Id<'evt'>
  at: string
  kind: string
  message: string
  requester: string | null
  certificateId: CertificateId | null
  orderId: OrderId | null
  deploymentId: DeploymentId | null
  botId: BotId | null
  error: string | null
}
export interface EventTables { event: EventTable }

export interface NewEvent {
  kind: string
  message: string
  requester?: string | null
  certificateId?: CertificateId | null
  orderId?: OrderId | null
  deploymentId?: DeploymentId | null
  botId?: BotId | null
  error?: WireError | CertloopError | null
}

export async function addEvent(tx: Tx, event: NewEvent, now: Date): Promise<void> {
  const { kind, message, requester = null, certificateId = null, orderId = null, deploymentId = null, botId = null, error = null } = event
  const wire = error ? { code: error.code, message: error.message, facts: error.facts } : null
  await tx.insertInto('event').values({ id: newId('evt', now), at: iso(now), kind, message, requester, certificateId, orderId, deploymentId, botId, error: wire ? toJson(wire) : null }).execute()
}

/** Tells pages and clients to read something again. */
export function announce(wake: Wakes, kind: ChangeNotice['kind'], id: string, certificateId?: string): void {
  wake(`change:${kind}:${id}${certificateId ? `:${certificateId}` : ''}`)
}

export interface EventFilter { certificateId?: CertificateId; orderId?: OrderId; deploymentId?: DeploymentId; botId?: BotId }

/** Newest first; `before` is the id of the last one of the page before. */
export async function listEvents(db: Db | Tx, filter: EventFilter, limit: number, before?: string): Promise<TimelineEvent[]> {
  let query = db.selectFrom('event').selectAll().orderBy('id', 'desc').limit(limit)
  if (filter.certificateId) query = query.where('certificateId', '=', filter.certificateId)
  if (filter.orderId) query = query.where('orderId', '=', filter.orderId)
  if (filter.deploymentId) query = query.where('deploymentId', '=', filter.deploymentId)
  if (filter.botId) query = query.where('botId', '=', filter.botId)
  if (before) query = query.where('id', '<', before as Id<'evt'>)
  const rows = await query.execute()
  return rows.map((row) => ({ ...row, error: fromJsonOrNull<WireError>(row.error) }))
}
