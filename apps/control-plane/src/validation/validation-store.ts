import { CertloopError, newId, type AttemptId, type AuthorityId, type BotId, type CertificateId, type CleanupState, type DnsProviderId, type OrderId, type OutsideLook, type ValidationId, type ValidationMethod, type ValidationState, type WireError } from '@certloop/contract'
import type { ProofWay } from '@certloop/plugin-kit'
import { sql, type Selectable } from 'kysely'
import { fromJsonOrNull, iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { isOpenValidation, nextValidationPosition, openValidationStates, type CleanupEvent, type ValidationEvent, type ValidationPosition } from './validation-state.ts'

/** One name to be proven for one attempt of an order. */
export interface ValidationTable {
  id: ValidationId
  orderId: OrderId
  attemptId: AttemptId
  /** Which submission of the attempt it belongs to: one submitted anew may want the same proof again. */
  submission: number
  certificateId: CertificateId
  authorityId: AuthorityId
  /** Id of the proof at the authority (WantedProof) and of the way taken (ProofWay). */
  proofId: string
  wayId: string | null
  name: string
  /** "dns" or "ip" */
  nameType: 'dns' | 'ip'
  wildcard: number
  method: ValidationMethod
  state: ValidationState
  /** When it came into this state. */
  since: string
  /** JSON of the ProofWay taken. */
  way: string | null
  botId: BotId | null
  dnsProviderId: DnsProviderId | null
  /** Where it is, written before it is placed: the name of the record after CNAME delegation, the path of the file, or address and port. */
  recordName: string | null
  /** What holds it: the zone of the record, or the folder of the file. */
  zone: string | null
  /** JSON of what the provider or the bot said of what it placed. */
  receipt: string | null
  /** JSON of an OutsideLook. */
  lastLook: string | null
  cleanup: CleanupState
  /** Since when it is to be removed. */
  cleanupSince: string | null
  reason: string
  nextAction: string | null
  deadline: string | null
  error: string | null
  /** When the instructions went out by e-mail. */
  notifiedAt: string | null
  createdAt: string
  updatedAt: string
}
export interface ValidationTables { validation: ValidationTable }
export type ValidationRow = Selectable<ValidationTable>

export const wayOf = ({ way }: Pick<ValidationRow, 'way'>): ProofWay | null => fromJsonOrNull(way)
export const lookOf = ({ lastLook }: Pick<ValidationRow, 'lastLook'>): OutsideLook | null => fromJsonOrNull(lastLook)
/** A record that serves later requests too: nobody removes it. */
export function stays(row: Pick<ValidationRow, 'way'>): boolean {
  const way = wayOf(row)
  return way?.kind === 'dns' && way.persist
}
/** As a certificate has it. */
export const fullName = ({ name, wildcard }: Pick<ValidationRow, 'name' | 'wildcard'>): string => (wildcard === 1 ? `*.${name}` : name)

export type NewValidation = Pick<ValidationTable, 'orderId' | 'attemptId' | 'submission' | 'certificateId' | 'authorityId' | 'proofId' | 'wayId' | 'name' | 'nameType' | 'wildcard' | 'method' | 'way' | 'botId' | 'dnsProviderId' | 'recordName' | 'zone' | 'reason' | 'nextAction' | 'deadline'>

export async function insertValidation(tx: Tx, wake: Wakes, validation: NewValidation, now: Date): Promise<ValidationRow> {
  const at = iso(now)
  const row: ValidationRow = { ...validation, id: newId('val', now), state: 'planned', since: at, receipt: null, lastLook: null, cleanup: 'nothing', cleanupSince: null, error: null, notifiedAt: null, createdAt: at, updatedAt: at }
  await tx.insertInto('validation').values(row).execute()
  announce(wake, 'validation', row.id, row.certificateId)
  return row
}

export interface ValidationChange {
  event: ValidationEvent | CleanupEvent
  /** Default: as before. */
  reason?: string
  nextAction?: string | null
  error?: WireError | null
  columns?: Partial<Pick<ValidationRow, 'botId' | 'dnsProviderId' | 'recordName' | 'zone' | 'receipt' | 'lastLook'>>
  /** What the timeline says; default: the reason. */
  told?: string
}

/** Reason, next action and error belong to the state; a clean-up leaves the error of the validation as it is. */
function columnsOf(row: ValidationRow, next: ValidationPosition, { reason = row.reason, nextAction = null, error, columns = {} }: ValidationChange, at: string): Partial<ValidationRow> {
  const hasEnded = !isOpenValidation(row.state)
  const isToGo = next.cleanup === 'removing' || next.cleanup === 'stuck'
  return {
    ...columns, ...next, reason, nextAction, updatedAt: at, ...(hasEnded ? {} : { since: at, error: error ? toJson(error) : null }),
    ...(next.cleanup === row.cleanup ? {} : { cleanupSince: isToGo ? row.cleanupSince ?? at : null }),
  }
}

/**
 * One transition with its timeline event.
 * @throws CertloopError CONFLICT when the state does not allow it, or somebody was faster
 */
export async function changeValidation(tx: Tx, wake: Wakes, row: ValidationRow, change: ValidationChange, now: Date): Promise<ValidationRow> {
  const { event, reason = row.reason, error = null, told = reason } = change
  const conflict = () => new CertloopError('CONFLICT', `Validation ${row.id} is ${row.state} with ${row.cleanup}; "${event}" does not apply.`, { validationId: row.id })
  const next = nextValidationPosition(row, event, stays(row))
  if (!next) throw conflict()
  const columns = columnsOf(row, next, change, iso(now))
  const { numUpdatedRows } = await tx.updateTable('validation').set(columns).where('id', '=', row.id).where('state', '=', row.state).where('cleanup', '=', row.cleanup).executeTakeFirst()
  if (numUpdatedRows === 0n) throw conflict()
  await addEvent(tx, { kind: `validation.${event}`, message: told, error, certificateId: row.certificateId, orderId: row.orderId, botId: row.botId }, now)
  announce(wake, 'validation', row.id, row.certificateId)
  return { ...row, ...columns }
}

/** What is told of one whose state stays: the last look, and what is in the way. Changes nothing of one that has moved on. */
export async function noteValidation(tx: Tx, wake: Wakes, row: ValidationRow, note: Partial<Pick<ValidationRow, 'reason' | 'nextAction' | 'error' | 'lastLook' | 'receipt'>>, now: Date): Promise<void> {
  const { numUpdatedRows } = await tx.updateTable('validation').set({ ...note, updatedAt: iso(now) }).where('id', '=', row.id).where('state', '=', row.state).where('cleanup', '=', row.cleanup).executeTakeFirst()
  if (numUpdatedRows > 0n) announce(wake, 'validation', row.id, row.certificateId)
}
export async function markNotified(tx: Tx, ids: readonly ValidationId[], now: Date): Promise<void> {
  await tx.updateTable('validation').set({ notifiedAt: iso(now) }).where('id', 'in', ids).execute()
}
/** Keeps what was said of a thing that was placed too late. */
export async function keepReceipt(tx: Tx, id: ValidationId, receipt: string): Promise<void> {
  await tx.updateTable('validation').set({ receipt }).where('id', '=', id).execute()
}

export async function findValidation(db: Db | Tx, id: ValidationId): Promise<ValidationRow | undefined> {
  return db.selectFrom('validation').selectAll().where('id', '=', id).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getValidation(db: Db | Tx, id: ValidationId): Promise<ValidationRow> {
  const row = await findValidation(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no validation ${id}.`, { validationId: id })
  return row
}
/** Of all submissions. */
export async function validationsOf(db: Db | Tx, attemptId: AttemptId): Promise<ValidationRow[]> {
  return db.selectFrom('validation').selectAll().where('attemptId', '=', attemptId).orderBy('id').execute()
}
/** What the control plane answers at this path; the text is for everybody who knows the path. */
export async function servedAt(db: Db, path: string): Promise<ValidationRow | undefined> {
  return db.selectFrom('validation').selectAll().where('recordName', '=', path).where('method', '=', 'http').where('state', 'in', ['checking', 'asked']).limit(1).executeTakeFirst()
}
/** Others that count on something at the same place. */
export async function othersAt(db: Db | Tx, { id, recordName, zone }: ValidationRow): Promise<ValidationRow[]> {
  if (recordName === null) return []
  return db.selectFrom('validation').selectAll().where('recordName', '=', recordName).where('zone', 'is not distinct from', zone).where('cleanup', '=', 'placed').where('id', '!=', id).execute()
}
const isIdle = (kind: 'validation' | 'clean') => sql<boolean>`not exists (select 1 from "task" where "task"."dedupe" = ${`${kind}:`} || "v"."id" and "task"."state" in ('ready', 'leased'))`
/** Open ones whose request has ended without them. */
export async function leftBehind(tx: Db | Tx, after: string, limit: number): Promise<(ValidationRow & { issued: boolean })[]> {
  const rows = await tx.selectFrom('validation as v').innerJoin('orderAttempt as a', 'a.id', 'v.attemptId').innerJoin('certificateOrder as o', 'o.id', 'v.orderId').selectAll('v').select(['a.state as attemptState', 'o.state as orderState'])
    .where('v.state', 'in', openValidationStates).where('v.id', '>', after as ValidationId)
    .where((eb) => eb.or([eb('a.state', 'in', ['issued', 'failed', 'cancelled']), eb('o.state', 'in', ['complete', 'failed', 'cancelled'])])).orderBy('v.id').limit(limit).execute()
  return rows.map(({ attemptState, orderState, ...row }) => ({ ...row, issued: attemptState === 'issued' || orderState === 'complete' }))
}
/** Open ones that nobody works on. One that was asked waits for its order. */
export async function withoutWork(tx: Db | Tx, after: string, limit: number): Promise<ValidationRow[]> {
  return tx.selectFrom('validation as v').selectAll('v').where('v.state', 'in', ['planned', 'placing', 'waiting', 'checking']).where('v.id', '>', after as ValidationId).where(isIdle('validation')).orderBy('v.id').limit(limit).execute()
}
/** Those with something to be removed that nobody removes just now. */
export async function toBeCleaned(tx: Db | Tx, after: string, limit: number): Promise<ValidationRow[]> {
  return tx.selectFrom('validation as v').selectAll('v').where('v.cleanup', 'in', ['removing', 'stuck']).where('v.id', '>', after as ValidationId).where(isIdle('clean')).orderBy('v.id').limit(limit).execute()
}

export interface ValidationQuery { orderId?: OrderId | undefined; certificateId?: CertificateId | undefined; state?: ValidationState | undefined; limit: number; cursor?: string | undefined }
export type NamedValidation = ValidationRow & { certificateName: string | null; authorityName: string | null }
const named = (db: Db | Tx) => db.selectFrom('validation as v').leftJoin('certificate as c', 'c.id', 'v.certificateId').leftJoin('authority as a', 'a.id', 'v.authorityId').selectAll('v').select(['c.name as certificateName', 'a.name as authorityName'])
/** Newest first; the cursor is the id of the last row. */
export async function listValidations(db: Db, q: ValidationQuery): Promise<NamedValidation[]> {
  let query = named(db).orderBy('v.id', 'desc').limit(q.limit)
  if (q.orderId) query = query.where('v.orderId', '=', q.orderId)
  if (q.certificateId) query = query.where('v.certificateId', '=', q.certificateId)
  if (q.state) query = query.where('v.state', '=', q.state)
  if (q.cursor) query = query.where('v.id', '<', q.cursor as ValidationId)
  return query.execute()
}
export async function namedValidation(db: Db | Tx, id: ValidationId): Promise<NamedValidation | undefined> {
  return named(db).where('v.id', '=', id).executeTakeFirst()
}
