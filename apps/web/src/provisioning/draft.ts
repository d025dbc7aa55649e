import { csrDefaults, type CsrSettings, deploymentTimingDefault, type DeploymentTiming, type Authority, type AuthorityId, type CertificateDetail, type ConfigurationInput, proposedKeyAlgorithm, renewalDefaults, type RenewalSettings, rolloutDefault, type RolloutSettings, type TargetInput, type TargetSuggestion, validationDefaults, type ValidationSettings } from '@certloop/api-client'
import { linesOf } from '../shared/lines.ts'
import { blankTarget, draftTargetOf, targetInputOf, type DraftTarget } from './draft-target.ts'

/** A configuration as it stands in the form: lists as text, empty boxes as empty text. */
export interface Draft extends Pick<ConfigurationInput, 'authorityId' | 'deployAfterRenewal' | 'rollback' | 'approval'>, Pick<CsrSettings, 'mode' | 'keyAlgorithm' | 'keyReuse' | 'certificateType' | 'signatureAlgorithm' | 'subject' | 'templateId' | 'templateVersion' | 'profile'> {
  targets: DraftTarget[]
  /** Asked one after the other when those before can not issue. */
  fallbackAuthorityIds: AuthorityId[]
  commonName: string
  names: string
  validityDays: number | ''
  validation: ValidationSettings
  renewal: RenewalSettings
  deployment: DeploymentTiming
  rollout: RolloutSettings
}

export type Change = (change: Partial<Draft>) => void

/** The saved configuration, or a first proposal: the places a scan found, the first authority, renewal at night in the reader's zone. */
export function draftOf(certificate: CertificateDetail, authorities: readonly Authority[], zone: string): Draft {
  const { configuration } = certificate
  if (configuration !== null) {
    const { csr: { commonName, names, validityDays, ...csr }, targets, authorityId, fallbackAuthorityIds, validation, renewal, deployAfterRenewal, deployment, rollout, rollback, approval } = configuration
    return {
      targets: targets.map(draftTargetOf), ...csr, authorityId, fallbackAuthorityIds, validation, renewal, deployAfterRenewal, deployment, rollout, rollback, approval,
      commonName: commonName ?? '', names: names.join('\n'), validityDays: validityDays ?? '',
    }
  }
  const authority = authorities[0]
  return {
    targets: certificate.suggestions.map(targetOf), ...csrDefaults,
    authorityId: authority?.id ?? null, fallbackAuthorityIds: [],
    commonName: '', names: certificate.names.join('\n'), keyReuse: false, validityDays: '', validation: validationDefaults,
    keyAlgorithm: proposedKeyAlgorithm(certificate.versions.find(({ id }) => id === certificate.currentVersionId)?.keyAlgorithm, authority?.keyAlgorithms ?? []),
    renewal: { ...renewalDefaults, enabled: true, daysBefore: 30, time: '03:00', zone },
    deployAfterRenewal: true, deployment: { ...deploymentTimingDefault, zone }, rollout: rolloutDefault, rollback: true, approval: 'automatic',
  }
}

export function inputOf(draft: Draft, complete: boolean): ConfigurationInput {
  const { targets, authorityId, fallbackAuthorityIds, validation, renewal, deployAfterRenewal, deployment, rollout, rollback, approval, commonName, names, validityDays, ...csr } = draft
  return {
    complete, targets: targets.map(targetInputOf), authorityId, fallbackAuthorityIds, validation, renewal, deployAfterRenewal, deployment, rollout, rollback, approval,
    csr: { ...csr, commonName: commonName.trim() === '' ? null : commonName.trim(), names: linesOf(names), validityDays: validityDays === '' ? null : validityDays },
  }
}

export const targetOf = ({ botId, serverType, fields, reach = 'local' }: TargetSuggestion): DraftTarget => ({ ...blankTarget({ botId, serverType, fields }), reach })

/** Suggestions that the draft does not use yet. */
export function unusedSuggestions(suggestions: readonly TargetSuggestion[], targets: readonly TargetInput[]): TargetSuggestion[] {
  const keyOf = ({ botId, serverType, fields }: TargetInput | TargetSuggestion) => JSON.stringify([botId, serverType, Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1))])
  const used = new Set(targets.filter(({ reach = 'local' }) => reach === 'local').map(keyOf))
  return suggestions.filter((suggestion) => !used.has(keyOf(suggestion)))
}
