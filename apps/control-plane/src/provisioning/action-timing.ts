import type { OrderId } from '@certloop/contract'
import { fromBit } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { freezesFor } from '../freeze/freeze-store.ts'
import { deploymentTime, type DeploymentTime } from '../schedule/deployment-time.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { advanceAt, changeAction, noteAction, targetIdsOf, type ActionRow } from './action-store.ts'
import { deploymentTimingOf, type ConfigurationRow } from './configuration-store.ts'

/** rotate, rekey and deploy by hand go at once; what the schedule starts, and renew and regenerate by hand, as the configuration says. */
export const followsTiming = ({ kind, requester }: Pick<ActionRow, 'kind' | 'requester'>): boolean => requester === 'schedule' || kind === 'renew' || kind === 'regenerate'

/**
 * When the first of what is now at the targets of an action ends, whichever certificate it belongs to. Only where the action can
 * change that: the bot may work, and there is a version with its key on the host.
 */
async function servedUntil(tx: Tx, action: ActionRow): Promise<Date | null> {
  const targetIds = targetIdsOf(action)
  const row = await tx.selectFrom('target as t')
    .innerJoin('bot as b', 'b.id', 't.botId')
    .innerJoin('installation as i', (j) => j.onRef('i.botId', '=', 't.botId').onRef('i.serverType', '=', 't.serverType').onRef('i.placeKey', '=', 't.placeKey'))
    .innerJoin('certificateVersion as v', 'v.id', 'i.versionId')
    .select((eb) => eb.fn.min('v.notAfter').as('end')).where('t.certificateId', '=', action.certificateId).where('t.removedAt', 'is', null).where('b.revokedAt', 'is', null)
    .where((eb) => eb.exists(eb.selectFrom('certificateVersion as own').select('own.id').where('own.certificateId', '=', action.certificateId).whereRef('own.keyBotId', '=', 't.botId').where('own.keyId', 'is not', null)))
    .$if(targetIds !== null, (query) => query.where('t.id', 'in', targetIds ?? [])).executeTakeFirst()
  return row?.end ? new Date(row.end) : null
}

/** When what is to be deployed came into being: what this action ordered, or else the newest version that was ordered. */
async function issuedAt(tx: Tx, { id, certificateId, createdAt }: ActionRow): Promise<Date> {
  const orders = await tx.selectFrom('certificateOrder').select('id').where('actionId', '=', id).execute()
  const version = await tx.selectFrom('certificateVersion').select((eb) => eb.fn.max('createdAt').as('at')).where('certificateId', '=', certificateId).where('source', '=', 'order')
    .$if(orders.length > 0, (query) => query.where('orderId', 'in', orders.map((o): OrderId => o.id))).executeTakeFirst()
  return new Date(version?.at ?? createdAt)
}

/** When an action deploys what it has; "now" where it does not follow the timing. */
export async function timeFor(tx: Tx, action: ActionRow, configuration: ConfigurationRow, now: Date): Promise<DeploymentTime> {
  if (!followsTiming(action)) return { at: now, why: 'It is deployed at once, as asked.', overrides: false }
  return deploymentTime(deploymentTimingOf(configuration), await freezesFor(tx, now), { issuedAt: await issuedAt(tx, action), servedUntil: await servedUntil(tx, action), spreadKey: action.certificateId }, now)
}

export const doItNow = 'It is deployed by itself then. Start "deploy" to do it now, or cancel it.'
const inMinutes = (at: Date) => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`
export const waitingReason = (time: DeploymentTime): string => `Waits until ${inMinutes(time.at)}. ${time.why}`

/** Has it wait, or wait on: the task that comes at that time looks again, because the reasons to wait may have changed by then. */
export async function waitFor(tx: Tx, wake: Wakes, action: ActionRow, { at, reason }: { at: Date; reason: string }, now: Date): Promise<void> {
  if (action.state !== 'waiting') await changeAction(tx, wake, action, { event: 'waits', reason, nextAction: doItNow, waitsUntil: at }, now)
  else if (action.waitsUntil !== at.toISOString() || action.reason !== reason) {
    await noteAction(tx, wake, action, { reason, waitsUntil: at.toISOString() })
    if (action.reason !== reason) await addEvent(tx, { kind: 'action.waiting', message: reason, requester: action.requester, certificateId: action.certificateId }, now)
  }
  await advanceAt(tx, wake, action.id, at, now)
}

/** What goes against a window or a freeze period is told. */
export async function tellOverride(tx: Tx, action: ActionRow, time: DeploymentTime, now: Date): Promise<void> {
  if (time.overrides) await addEvent(tx, { kind: 'action.window-overridden', message: time.why, requester: action.requester, certificateId: action.certificateId }, now)
}

export const deploysAfterRenewal = (configuration: ConfigurationRow | undefined): configuration is ConfigurationRow => configuration !== undefined && fromBit(configuration.deployAfterRenewal)
