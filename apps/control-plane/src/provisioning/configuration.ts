import { CertloopError, csrDefaults, deploymentTimingDefault, renewalDefaults, rolloutDefault, validationDefaults, type CertificateId, type ConfigurationInput } from '@certloop/contract'
import { checkNames } from '@certloop/pki'
import type { AuthorityOf } from '../authority/authority.ts'
import { findAuthority } from '../authority/authority-store.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { getCertificate, lockCertificate, ownNames, updateCertificate } from '../certificate/certificate-store.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { isTimeZone } from '../renewal/renewal-time.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { openAction } from './action-store.ts'
import { saveConfiguration } from './configuration-store.ts'
import { readTargets } from './target-input.ts'

export interface ConfigurationDeps { authorityOf: AuthorityOf; secrets: Secrets; now: () => Date }

async function readCsrSettings(tx: Tx, id: CertificateId, { csr, complete }: ConfigurationInput, problems: string[]): Promise<ConfigurationInput['csr']> {
  const names = csr.names.length > 0 ? checkNames(csr.names) : []
  const effective = names.length > 0 ? names : await ownNames(tx, id)
  if (complete && effective.length === 0) problems.push('body.csr/names: at least one name is needed')
  const commonName = csr.commonName?.toLowerCase() ?? null
  if (commonName !== null) problems.push(...commonNameProblems(commonName, effective))
  return { ...csr, names, commonName }
}

function commonNameProblems(commonName: string, names: readonly string[]): string[] {
  if (!names.includes(commonName)) return ['body.csr/commonName: must be one of the names']
  return commonName.length > 64 ? ['body.csr/commonName: has more than the 64 characters a common name can have; leave it empty'] : []
}

async function checkAuthority(tx: Tx, authorityOf: AuthorityOf, { authorityId, complete, csr }: ConfigurationInput, problems: string[]): Promise<void> {
  if (!authorityId) {
    if (complete) problems.push('body.authorityId: choose who issues')
    return
  }
  if (!await findAuthority(tx, authorityId)) {
    problems.push('body.authorityId: there is no such authority')
    return
  }
  const { keyAlgorithms } = await authorityOf(tx, authorityId)
  if (!keyAlgorithms.includes(csr.keyAlgorithm)) problems.push(`body.csr/keyAlgorithm: the authority takes ${keyAlgorithms.join(', ')}`)
}

/**
 * Saves a provisioning configuration, whole or as a draft. Saving a complete one takes the certificate under management.
 * @throws CertloopError INPUT_INVALID naming every field that does not fit, NAME_INVALID, TOO_MANY_NAMES
 */
export async function configure(tx: Tx, wake: Wakes, deps: ConfigurationDeps, id: CertificateId, input: ConfigurationInput, requester: string): Promise<void> {
  const now = deps.now()
  await getCertificate(tx, id)
  await lockCertificate(tx, id)
  const running = await openAction(tx, id)
  if (running) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${running.kind}" is running on this certificate; wait for its end before changing the configuration.`)
  const problems: string[] = []
  const targets = await readTargets(tx, deps.secrets, id, input, problems)
  const csr = await readCsrSettings(tx, id, input, problems)
  await checkAuthority(tx, deps.authorityOf, input, problems)
  if (!isTimeZone(input.renewal.zone)) problems.push(`body.renewal/zone: "${input.renewal.zone}" is not an IANA time zone such as Europe/Berlin`)
  if (problems.length > 0) throw new CertloopError('INPUT_INVALID', `The configuration does not fit: ${problems.join('; ')}.`, { fields: problems })
  await saveConfiguration(tx, deps.secrets, id, { validation: validationDefaults, deployment: deploymentTimingDefault, rollout: rolloutDefault, ...input, csr: { ...csrDefaults, ...csr }, renewal: { ...renewalDefaults, ...input.renewal } }, targets, now)
  if (input.complete) await updateCertificate(tx, id, { management: 'managed' })
  await addEvent(tx, { kind: 'configuration.saved', message: input.complete ? 'The configuration was saved.' : 'A draft of the configuration was saved.', requester, certificateId: id }, now)
  await refreshCertificate(tx, wake, id, now)
}
