import { CertloopError, type CertificateId, type Configuration, type ConfigurationInput, type Target, type TargetInput } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { getCertificate, lockCertificate, updateCertificate } from '../certificate/certificate-store.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { openAction, wakeWaiting } from './action-store.ts'
import { asLine, checkConfiguration, type Checked, type ConfigurationDeps } from './configuration-check.ts'
import { saveConfiguration } from './configuration-store.ts'
import { takeOverPlaces } from './take-over.ts'

export type { ConfigurationDeps }

/**
 * Saves a provisioning configuration, whole or as a draft. Saving a complete one takes the certificate under management.
 * @throws CertloopError INPUT_INVALID naming every field that does not fit, NAME_INVALID, TOO_MANY_NAMES
 */
export async function configure(tx: Tx, wake: Wakes, deps: ConfigurationDeps, id: CertificateId, input: ConfigurationInput, requester: string): Promise<void> {
  const now = deps.now()
  await getCertificate(tx, id)
  await lockCertificate(tx, id)
  const { configuration, targets } = await checkChange(tx, deps, id, input)
  await saveConfiguration(tx, deps.secrets, id, configuration, targets, now)
  if (input.complete) {
    await updateCertificate(tx, id, { management: 'managed' })
    await takeOverPlaces(tx, wake, id, requester, now)
  }
  await addEvent(tx, { kind: 'configuration.saved', message: input.complete ? 'The configuration was saved.' : 'A draft of the configuration was saved.', requester, certificateId: id }, now)
  await wakeWaiting(tx, wake, id, now)
  await refreshCertificate(tx, wake, id, now)
}

/** What waits for the time of its deployment goes by what is saved: it looks again. @throws CertloopError ACTION_NOT_POSSIBLE while an action goes by the configuration */
export async function refuseWhileRunning(tx: Tx, id: CertificateId): Promise<void> {
  const running = await openAction(tx, id)
  if (running && running.state !== 'waiting') throw new CertloopError('ACTION_NOT_POSSIBLE', `"${running.kind}" is running on this certificate; wait for its end before changing the configuration.`)
}

/**
 * What saving this would come to, without saving it.
 * @throws CertloopError what `configure` would throw
 */
export async function checkChange(tx: Tx, deps: ConfigurationDeps, id: CertificateId, input: ConfigurationInput): Promise<Checked> {
  await refuseWhileRunning(tx, id)
  const checked = await checkConfiguration(tx, deps, id, input)
  if (checked.nameError) throw checked.nameError
  const lines = checked.problems.map(asLine)
  if (lines.length > 0) throw new CertloopError('INPUT_INVALID', `The configuration does not fit: ${lines.join('; ')}.`, { fields: lines })
  return checked
}

/** Named by its id, so that what is secret about it stays. */
function targetInputOf({ id, botId, serverType, reach, fields, overwrite, scripts, placement }: Target): TargetInput {
  return { id, botId, serverType, reach, fields, placement, ...(overwrite === undefined ? {} : { overwrite }), ...(scripts === undefined ? {} : { scripts }) }
}

/** A configuration as it was read, to be saved again: saved unchanged, nothing changes. */
export function inputOf({ updatedAt: _updatedAt, targets, ...rest }: Configuration): ConfigurationInput {
  return { ...rest, targets: targets.map(targetInputOf) }
}
