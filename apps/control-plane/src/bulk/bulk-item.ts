import { CertloopError, toCertloopError, type BulkParts, type Configuration, type ErrorCode } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { getCertificate, lockCertificate, updateCertificate } from '../certificate/certificate-store.ts'
import { fromJson, toJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { refuseLeavingApproval } from '../provisioning/approval.ts'
import { checkChange, configure, inputOf, refuseWhileRunning, type ConfigurationDeps } from '../provisioning/configuration.ts'
import { findConfiguration, removeConfiguration, targetsOf, toConfiguration, toTarget } from '../provisioning/configuration-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { changesBetween, describeChanges, mergeParts, missingParts, type Change, type Settings } from './bulk-merge.ts'
import { changeItem, type Asker, type Before, type BulkItemRow } from './bulk-store.ts'

export interface BulkDeps extends ConfigurationDeps { database: Database }
export interface ItemWork { deps: BulkDeps; parts: BulkParts; asker: Asker }

/** Nothing was learned about the certificate; the same is tried again. */
const passing: ReadonlySet<ErrorCode> = new Set(['DATABASE_UNREACHABLE', 'UNAVAILABLE', 'CONFLICT'])
/** What is wrong with this one certificate. @throws what it does not say anything about */
function failureOf(thrown: unknown): CertloopError {
  const error = toCertloopError(thrown)
  if (passing.has(error.code)) throw error
  return error
}

const settingsOf = ({ targets: _targets, updatedAt: _updatedAt, ...settings }: Configuration): Settings => settings

async function currentOf(tx: Tx, { secrets }: BulkDeps, item: BulkItemRow): Promise<Configuration | null> {
  const row = await findConfiguration(tx, item.certificateId)
  return row ? toConfiguration(row, (await targetsOf(tx, item.certificateId)).map((target) => toTarget(target, '', secrets))) : null
}

function mergedWith(current: Configuration | null, parts: BulkParts): ReturnType<typeof mergeParts> {
  const missing = current ? [] : missingParts(parts)
  if (missing.length > 0) {
    const fields = missing.map((path) => `body.${path}: is missing`)
    throw new CertloopError('CONFIGURATION_INCOMPLETE', `There is no provisioning configuration yet, and these settings do not make a whole one: ${missing.join(', ')} would have to be among them.`, { fields })
  }
  return mergeParts(current && inputOf(current), parts)
}

/** Works out what would change, by the same checks as saving it. */
export async function previewItem(tx: Tx, { deps, parts, asker }: ItemWork, item: BulkItemRow): Promise<void> {
  try {
    const { management } = await getCertificate(tx, item.certificateId)
    const current = await currentOf(tx, deps, item)
    const { configuration } = await checkChange(tx, deps, item.certificateId, mergedWith(current, parts))
    refuseLeavingApproval(current, configuration, asker.mayApprove)
    const before: Before = { settings: current && settingsOf(current), management }
    const changes = changesBetween(before.settings, configuration)
    await changeItem(tx, item, { state: changes.length > 0 ? 'ready' : 'unchanged', changes: toJson(changes), before: toJson(before), configurationAt: current?.updatedAt ?? null })
  } catch (error) {
    if (!(error instanceof CertloopError) || passing.has(error.code)) throw error
    await changeItem(tx, item, { state: 'conflict', error })
  }
}

/** Makes the change with one certificate, unless its configuration is another one than that of the preview. */
export async function applyItem(work: ItemWork, item: BulkItemRow): Promise<void> {
  const { deps, parts, asker } = work
  const { requester, mayApprove } = asker
  const { database } = deps
  try {
    await database.transaction(async (tx, wake) => {
      await getCertificate(tx, item.certificateId)
      await lockCertificate(tx, item.certificateId)
      const current = await currentOf(tx, deps, item)
      if ((current?.updatedAt ?? null) !== item.configurationAt) return changeItem(tx, item, { state: 'changed-since' })
      const wanted = mergedWith(current, parts)
      refuseLeavingApproval(current, wanted, mayApprove)
      await configure(tx, wake, deps, item.certificateId, wanted, requester)
      const after = await findConfiguration(tx, item.certificateId)
      await addEvent(tx, { kind: 'configuration.bulk-changed', message: `Changed together with others by bulk change ${item.bulkId}: ${describeChanges(fromJson<Change[]>(item.changes))}.`, requester, certificateId: item.certificateId }, deps.now())
      return onlyOnce(await changeItem(tx, item, { state: 'applied', configurationAt: after?.updatedAt ?? null }))
    })
  } catch (thrown) {
    const error = failureOf(thrown)
    await database.transaction((tx) => changeItem(tx, item, { state: 'failed', error }))
  }
}

/** Gives one certificate its earlier settings back, unless somebody has changed them since. What fails stays applied, with the reason. */
export async function undoItem(work: ItemWork, item: BulkItemRow): Promise<void> {
  const { deps, asker: { requester } } = work
  const { database } = deps
  try {
    await database.transaction(async (tx, wake) => {
      await getCertificate(tx, item.certificateId)
      await lockCertificate(tx, item.certificateId)
      const current = await currentOf(tx, deps, item)
      if (!current || current.updatedAt !== item.configurationAt) return changeItem(tx, item, { state: 'changed-since' })
      await giveBack(tx, wake, work, item, current)
      await addEvent(tx, { kind: 'configuration.bulk-undone', message: `Bulk change ${item.bulkId} was taken back; the earlier settings hold again.`, requester, certificateId: item.certificateId }, deps.now())
      return onlyOnce(await changeItem(tx, item, { state: 'undone' }))
    })
  } catch (thrown) {
    const error = failureOf(thrown)
    await database.transaction((tx) => changeItem(tx, item, { state: 'applied', error }))
  }
}

async function giveBack(tx: Tx, wake: Wakes, { deps, asker: { requester, mayApprove } }: ItemWork, item: BulkItemRow, current: Configuration): Promise<void> {
  const { certificateId } = item
  const { settings, management } = fromJson<Before>(item.before ?? '')
  refuseLeavingApproval(current, settings, mayApprove)
  if (settings) await configure(tx, wake, deps, certificateId, { ...settings, targets: inputOf(current).targets }, requester)
  else {
    await refuseWhileRunning(tx, certificateId)
    await removeConfiguration(tx, certificateId)
  }
  // Completing a configuration takes a certificate under management.
  const now = await getCertificate(tx, certificateId)
  if (now.management === 'managed' && management !== 'managed') await updateCertificate(tx, certificateId, { management })
  await refreshCertificate(tx, wake, certificateId, deps.now())
}

/** Another worker did the same: this transaction must leave nothing. */
function onlyOnce(changed: boolean): void {
  if (!changed) throw new CertloopError('CONFLICT', 'Another worker was faster.')
}
