import { CertloopError, type BotId, type CertificateId, type KeyId } from '@certloop/contract'
import { installationsOf, newestVersions, versionFacts, type VersionFacts } from '../certificate/certificate-store.ts'
import { isKeyRevoked } from '../certificate/version-revocation.ts'
import { toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import type { NewOrder } from '../order/order-store.ts'
import { startOrder } from '../order/start-order.ts'
import { careOf, dueVersion, type CaredTarget } from '../renewal/cared-targets.ts'
import { versionDue } from '../renewal/renewal-due.ts'
import { renewalWindowsOf } from '../renewal/renewal-window-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import type { ActionRow } from './action-store.ts'
import { csrOf, renewalOf, validationOf, type ConfigurationRow, type TargetRow } from './configuration-store.ts'
import { effectiveRequest, orderPartsOf } from './effective-request.ts'
import { uploadedRequest, type Upload } from './uploaded-request.ts'

const orderHours = 24
/** A person needs days; an authority keeps a request open for about a week. */
const manualOrderHours = 168
/** When an order by this configuration has to be over. */
export const orderDeadline = (configuration: Pick<ConfigurationRow, 'validation'>, now: Date): Date =>
  new Date(now.getTime() + (validationOf(configuration).method === 'manual' ? manualOrderHours : orderHours) * 3_600_000)

/** Whose hosts make the keys, and whose configuration says what is asked for. */
export interface OrderSource {
  configuration: ConfigurationRow
  targets: readonly TargetRow[]
  /** What is asked for is made from what this certificate has now. The one that is ordered for, except when another one is enrolled again. */
  like: CertificateId
}

type Common = Pick<NewOrder, 'certificateId' | 'actionId' | 'authorityId' | 'fallbacks' | 'validation' | 'validityDays' | 'requester' | 'deadline'>

/** One order for each host, so that no key leaves its host; or one with the uploaded CSR. */
export async function orderAll(tx: Tx, wake: Wakes, action: ActionRow, source: OrderSource, upload: Upload | undefined, now: Date): Promise<void> {
  const { certificateId, requester } = action
  const { authorityId, fallbacks } = source.configuration
  if (!authorityId) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'The configuration names no authority.')
  const common = { certificateId, actionId: action.id, authorityId, fallbacks, validation: toJson(validationOf(source.configuration)), validityDays: csrOf(source.configuration).validityDays, requester, deadline: orderDeadline(source.configuration, now) }
  if (upload === undefined) await orderPerHost(tx, wake, action, source, common, now)
  else await orderUploaded(tx, wake, source, upload, common, now)
}

async function orderUploaded(tx: Tx, wake: Wakes, { configuration, like }: OrderSource, upload: Upload, common: Common, now: Date): Promise<void> {
  const asked = await uploadedRequest(tx, like, configuration, upload)
  await startOrder(tx, wake, { ...common, ...orderPartsOf(asked), custody: 'external', botId: null, reuseKeyId: null, csrPem: upload.csrPem, reason: 'Ordered with an uploaded request.', nextAction: null }, now)
}

async function orderPerHost(tx: Tx, wake: Wakes, action: ActionRow, { configuration, targets, like }: OrderSource, common: Common, now: Date): Promise<void> {
  const asked = await effectiveRequest(tx, { id: like }, configuration)
  const versions = await newestVersions(tx, action.certificateId)
  const bots = [...new Set(targets.map((t) => t.botId))]
  if (bots.length === 0) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'The configuration names no target whose bot could make the key. Add one, or upload a CSR.')
  const due = action.requester === 'schedule' ? await dueBots(tx, action.certificateId, { versions, targets, configuration }, now) : bots
  // What a child orders is for the parent's renewal, which is due whatever the child has already.
  const chosen = due.length > 0 || like === action.certificateId ? due : bots
  if (chosen.length === 0) throw new CertloopError('ACTION_NOT_POSSIBLE', 'No host whose bot may work is due to be renewed; nothing was ordered.')
  for (const botId of chosen) {
    const reuseKeyId = asked.keyReuse ? await keyToKeep(tx, action, versions, { botId, algorithm: asked.keyAlgorithm }, now) : null
    const replacesVersionId = isRenewal(action) ? replacedVersion(versions, botId)?.id ?? null : null
    await startOrder(tx, wake, { ...common, ...orderPartsOf(asked), custody: 'endpoint', botId, reuseKeyId, replacesVersionId, csrPem: null, reason: 'Ordered.', nextAction: 'The bot makes the key and the request on its host.' }, now)
  }
}

const isRenewal = ({ kind }: ActionRow) => kind === 'renew' || kind === 'regenerate'
const replacedVersion = (versions: readonly VersionFacts[], botId: BotId) => versions.find((v) => v.source === 'order' && v.keyBotId === botId) ?? versions.find((v) => v.source === 'order')

/** The key that the host has already. rekey and regenerate always make a new one, and so does what was revoked. */
async function keyToKeep(tx: Tx, action: ActionRow, versions: readonly VersionFacts[], { botId, algorithm }: { botId: BotId; algorithm: string }, now: Date): Promise<KeyId | null> {
  if (action.kind === 'rekey' || action.kind === 'regenerate') return null
  const keyId = versions.find((v) => v.keyBotId === botId && v.keyAlgorithm === algorithm && v.keyId)?.keyId ?? null
  if (keyId === null || !await isKeyRevoked(tx, action.certificateId, keyId)) return keyId
  await addEvent(tx, { kind: 'order.new-key', message: 'The configuration keeps the key, but a version with it was revoked or suspended: a new key is made.', requester: action.requester, certificateId: action.certificateId, botId }, now)
  return null
}

/** A host that was renewed already is left alone when the schedule comes again for one that failed. */
async function dueBots(tx: Tx, id: CertificateId, { versions, targets, configuration }: { versions: readonly VersionFacts[]; targets: readonly TargetRow[]; configuration: ConfigurationRow }, now: Date): Promise<BotId[]> {
  const windows = await renewalWindowsOf(tx, id)
  const installations = await installationsOf(tx, id)
  const ends = await versionFacts(tx, installations.map((i) => i.versionId).filter((v) => v !== null))
  const { usable } = await careOf(tx, id, { versions, targets, installations, ends })
  const isDue = (target: CaredTarget): boolean => {
    const version = dueVersion(target)
    const isOwn = version?.source === 'order' && version.keyBotId === target.botId
    return !version || !isOwn || versionDue(version, renewalOf(configuration), windows).at <= now
  }
  return [...new Set(usable.filter(isDue).map((target) => target.botId))]
}
