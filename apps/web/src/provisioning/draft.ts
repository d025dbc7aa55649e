import { type Authority, type CertificateDetail, type ConfigurationInput, proposedKeyAlgorithm, type TargetInput, type TargetSuggestion } from '@certloop/api-client'
import { linesOf } from '../shared/lines.ts'
import { blankTarget, draftTargetOf, targetInputOf, type DraftTarget } from './draft-target.ts'

/** A configuration as it stands in the form: lists as text, empty boxes as empty text. */
export interface Draft extends Pick<ConfigurationInput, 'authorityId' | 'renewal' | 'deployAfterRenewal' | 'rollback' | 'approval'> {
  targets: DraftTarget[]
  commonName: string
  names: string
  keyAlgorithm: ConfigurationInput['csr']['keyAlgorithm']
  keyReuse: boolean
  validityDays: number | ''
}

export type Change = (change: Partial<Draft>) => void

/** The saved configuration, or a first proposal: the places a scan found, the first authority, renewal at night in the reader's zone. */
export function draftOf(certificate: CertificateDetail, authorities: readonly Authority[], zone: string): Draft {
  const { configuration } = certificate
  if (configuration !== null) {
    const { csr, targets, authorityId, renewal, deployAfterRenewal, rollback, approval } = configuration
    return {
      targets: targets.map(draftTargetOf),
      authorityId, renewal, deployAfterRenewal, rollback, approval,
      commonName: csr.commonName ?? '', names: csr.names.join('\n'), keyAlgorithm: csr.keyAlgorithm, keyReuse: csr.keyReuse, validityDays: csr.validityDays ?? '',
    }
  }
  const authority = authorities[0]
  return {
    targets: certificate.suggestions.map(targetOf),
    authorityId: authority?.id ?? null,
    commonName: '', names: certificate.names.join('\n'), keyReuse: false, validityDays: '',
    keyAlgorithm: proposedKeyAlgorithm(certificate.versions.find(({ id }) => id === certificate.currentVersionId)?.keyAlgorithm, authority?.keyAlgorithms ?? []),
    renewal: { enabled: true, daysBefore: 30, time: '03:00', zone },
    deployAfterRenewal: true, rollback: true, approval: 'automatic',
  }
}

export function inputOf(draft: Draft, complete: boolean): ConfigurationInput {
  const { targets, authorityId, renewal, deployAfterRenewal, rollback, approval, commonName, names, keyAlgorithm, keyReuse, validityDays } = draft
  return {
    complete, targets: targets.map(targetInputOf), authorityId, renewal, deployAfterRenewal, rollback, approval,
    csr: { commonName: commonName.trim() === '' ? null : commonName.trim(), names: linesOf(names), keyAlgorithm, keyReuse, validityDays: validityDays === '' ? null : validityDays },
  }
}

export const targetOf = ({ botId, serverType, fields }: TargetSuggestion): DraftTarget => blankTarget({ botId, serverType, fields })

/** Suggestions that the draft does not use yet. */
export function unusedSuggestions(suggestions: readonly TargetSuggestion[], targets: readonly TargetInput[]): TargetSuggestion[] {
  const keyOf = ({ botId, serverType, fields }: TargetInput | TargetSuggestion) => JSON.stringify([botId, serverType, Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1))])
  const used = new Set(targets.filter(({ reach = 'local' }) => reach === 'local').map(keyOf))
  return suggestions.filter((suggestion) => !used.has(keyOf(suggestion)))
}
