import { toCertloopError, type ActionKind, type BatchId, type CertloopError, type ErrorCode } from '@certloop/contract'
import { removeCertificate } from '../certificate/remove-certificate.ts'
import { findCertificate } from '../certificate/certificate-store.ts'
import type { Database, Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { startAction } from '../provisioning/actions.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { placesOf, usageOf } from './batch-limits.ts'
import { batchDetails, changeItem, configuredPlaces, findItem, holdRunning, limitsOf, placeColumns, runningPlaces, setPlaces, type BatchItemRow, type BatchRow } from './batch-store.ts'

export interface BatchDeps { database: Database; secrets: Secrets; now: () => Date }

/** started: its action runs. over: it ended at once. held-up: a limit was reached meanwhile. stopped: the batch starts nothing any more. */
export type StartOutcome = 'started' | 'over' | 'held-up' | 'stopped'

/** Not possible for this certificate, now or ever: nothing went wrong. */
const refusals: ReadonlySet<ErrorCode> = new Set(['ACTION_NOT_POSSIBLE', 'NOT_FOUND'])
/** Nothing was learned about the certificate; the whole look is made again. */
const passing: ReadonlySet<ErrorCode> = new Set(['DATABASE_UNREACHABLE', 'UNAVAILABLE', 'CONFLICT'])

/** Starts one item in a transaction of its own: its failure is written down and stops no other. */
export async function startItem(deps: BatchDeps, item: BatchItemRow): Promise<StartOutcome> {
  const { database, now } = deps
  try {
    return await database.transaction((tx, wake) => startWithin(tx, wake, deps, item))
  } catch (thrown) {
    const error = toCertloopError(thrown)
    if (passing.has(error.code)) throw error
    await database.transaction((tx) => noteNotStarted(tx, item, error, now()))
    return 'over'
  }
}

async function startWithin(tx: Tx, wake: Wakes, deps: BatchDeps, { batchId, position }: BatchItemRow): Promise<StartOutcome> {
  const now = deps.now()
  const batch = await holdRunning(tx, batchId, now)
  if (!batch) return 'stopped'
  const item = await findItem(tx, batchId, position)
  if (item?.state !== 'waiting') return 'over'
  if (!await hasRoom(tx, batch, item)) return 'held-up'
  if (batch.action === 'delete') {
    await removeCertificate(tx, wake, item.certificateId, batch.requester, now)
    await changeItem(tx, item, { event: 'succeeded', reason: 'It is no longer tracked; the servers were left alone.' }, now)
    return 'over'
  }
  const action = await startAction(tx, wake, { certificateId: item.certificateId, kind: batch.action as ActionKind, requester: batch.requester, batchId, reason: batchDetails(batch).revocationReason }, deps.secrets, now)
  await changeItem(tx, item, { event: 'started', reason: null, actionId: action.id }, now)
  return 'started'
}

/** Counted from the rows, with the configuration as it is now: it may have changed since the batch was made. */
async function hasRoom(tx: Tx, batch: BatchRow, item: BatchItemRow): Promise<boolean> {
  const usage = usageOf(await runningPlaces(tx, batch.id), limitsOf(batch))
  if (usage.free === 0) return false
  const configured = (await configuredPlaces(tx, [item.certificateId])).get(item.certificateId)
  const places = placesOf(batch.action, configured ?? { authorityId: null, bots: [], hosts: [] })
  const blockedBy = usage.blockedBy(places)
  const [columns, waitsFor] = [placeColumns(places), blockedBy ?? '']
  const isAsNoted = waitsFor === item.waitsFor && columns.authorityId === item.authorityId && columns.bots === item.bots && columns.hosts === item.hosts
  if (!isAsNoted) await setPlaces(tx, item, places, waitsFor)
  return blockedBy === null
}

async function noteNotStarted(tx: Tx, { batchId, position }: BatchItemRow, error: CertloopError, now: Date): Promise<void> {
  const item = await findItem(tx, batchId, position)
  if (item?.state !== 'waiting') return
  const refused = refusals.has(error.code)
  await changeItem(tx, item, { event: refused ? 'refused' : 'failed', reason: error.message, error: error.toWire() }, now)
  const isThere = await findCertificate(tx, item.certificateId)
  if (isThere) await addEvent(tx, { kind: refused ? 'batch.refused' : 'batch.failed', message: `Batch ${batchId} could not begin: ${error.message}`, error, requester: await requesterOf(tx, batchId), certificateId: item.certificateId }, now)
}

async function requesterOf(tx: Tx, id: BatchId): Promise<string | null> {
  return (await tx.selectFrom('batch').select('requester').where('id', '=', id).executeTakeFirst())?.requester ?? null
}
