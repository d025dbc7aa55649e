import type { ActionKind, BatchItemState, BatchState, BulkItemState, CertificateStatus, CsrSettings, DeploymentState, IssuedCertificate, KeyAlgorithm, Management, OrderState, Permission, RenewalMethod, RenewalTrigger, RevocationReasonToGive, RolloutSettings, RolloutState, ValidationMethod, ValidationState } from '@certloop/api-client'

/** The words of the contract, without loading it; the compiler proves that none is missing. */
const wordsOf = <W extends string>(words: Record<W, true>) => Object.keys(words) as [W, ...W[]]

export const certificateStatuses = wordsOf<CertificateStatus>({
  'discovered': true, 'configuration-pending': true, 'configured': true, 'order-pending': true, 'validation-pending': true, 'issued': true, 'deployment-pending': true, 'deploying': true,
  'deployed': true, 'deployment-failed': true, 'rolled-back': true, 'expiring': true, 'expired': true, 'revoked': true, 'suspended': true, 'renewed-not-deployed': true, 'deployed-not-served': true,
})
export const managements = wordsOf<Management>({ managed: true, monitored: true, ignored: true })
export const orderStates = wordsOf<OrderState>({ pending: true, processing: true, uncertain: true, complete: true, failed: true, cancelled: true })
export const deploymentStates = wordsOf<DeploymentState>({ 'planning': true, 'planned': true, 'pending': true, 'deploying': true, 'deployed': true, 'failed': true, 'rolled-back': true, 'cancelled': true })
export const keyAlgorithms = wordsOf<KeyAlgorithm>({ 'rsa-2048': true, 'rsa-3072': true, 'rsa-4096': true, 'ec-256': true, 'ec-384': true, 'ec-521': true, 'ed25519': true, 'ml-dsa-44': true, 'ml-dsa-65': true, 'ml-dsa-87': true })
export const permissions = wordsOf<Permission>({
  'certificate:read': true, 'certificate:write': true, 'certificate:order': true, 'certificate:deploy': true, 'certificate:revoke': true, 'certificate:delete': true, 'order:read': true, 'order:write': true,
  'deployment:read': true, 'deployment:approve': true, 'bot:read': true, 'bot:write': true, 'authority:read': true, 'authority:write': true, 'dns:read': true, 'dns:write': true, 'ca:read': true, 'ca:issue': true, 'ca:revoke': true, 'ca:write': true, 'template:read': true, 'template:write': true, 'freeze:read': true, 'freeze:write': true, 'token:read': true, 'token:write': true, 'audit:read': true, 'system:read': true,
})
export const issuedStatuses = wordsOf<IssuedCertificate['status'] | 'expired'>({ intended: true, good: true, held: true, revoked: true, expired: true })
export const revocationReasons = wordsOf<RevocationReasonToGive>({
  unspecified: true, keyCompromise: true, cACompromise: true, affiliationChanged: true, superseded: true, cessationOfOperation: true, privilegeWithdrawn: true, aACompromise: true,
})

export const csrModes = wordsOf<CsrSettings['mode']>({ existing: true, partial: true, full: true })
export const certificateTypes = wordsOf<CsrSettings['certificateType']>({ existing: true, dv: true, ov: true, ev: true, other: true })
export const signatureDigests = wordsOf<NonNullable<CsrSettings['signatureAlgorithm']>>({ sha256: true, sha384: true, sha512: true })
export const validationMethods = wordsOf<ValidationMethod>({ 'none': true, 'file': true, 'http': true, 'dns': true, 'dns-persist': true, 'tls-alpn': true, 'manual': true })
export const validationStates = wordsOf<ValidationState>({ planned: true, placing: true, waiting: true, checking: true, asked: true, valid: true, failed: true, cancelled: true })
export const renewalMethods = wordsOf<RenewalMethod>({ 'renew': true, 'regenerate': true, 're-enrol': true })
export const renewalTriggers = wordsOf<RenewalTrigger>({ 'days-before': true, 'date': true, 'authority': true })
export const rolloutModes = wordsOf<RolloutSettings['mode']>({ 'together': true, 'in-order': true, 'waves': true })
export const rolloutStates = wordsOf<RolloutState>({ 'running': true, 'watching': true, 'approval': true, 'paused': true, 'undoing': true, 'done': true, 'stopped': true, 'undone': true, 'undo-failed': true })
/** What a batch can do: the actions of one certificate, and "delete". */
export const batchActions = wordsOf<ActionKind | 'delete'>({
  'initiate': true, 'order': true, 'deploy': true, 'rotate': true, 'rekey': true, 'renew': true, 'regenerate': true, 're-enrol': true, 'revoke': true, 'suspend': true, 'resume': true, 'recheck-pinning': true, 'delete': true,
})
export const batchStates = wordsOf<BatchState>({ running: true, paused: true, cancelling: true, done: true, cancelled: true })
export const batchItemStates = wordsOf<BatchItemState>({ waiting: true, running: true, done: true, failed: true, refused: true, cancelled: true })
export const bulkItemStates = wordsOf<BulkItemState>({ 'waiting': true, 'ready': true, 'unchanged': true, 'conflict': true, 'applied': true, 'changed-since': true, 'failed': true, 'undone': true })
