/** What a person sees of a certificate (mission L7). Derived from evidence, never stored by hope. */
export const certificateStatuses = [
  'discovered', 'configuration-pending', 'configured', 'order-pending', 'validation-pending', 'issued',
  'deployment-pending', 'deploying', 'deployed', 'deployment-failed', 'rolled-back', 'expiring', 'expired',
  'revoked', 'suspended',
] as const
export type CertificateStatus = (typeof certificateStatuses)[number]

export const managements = ['managed', 'monitored', 'ignored'] as const
export type Management = (typeof managements)[number]

/**
 * pending: waits for the key and CSR (a task of the bot or platform).
 * processing: CSR in hand, intent recorded, being submitted or issued.
 * uncertain: it is unknown whether the authority issued; a person decides.
 */
export const orderStates = ['pending', 'processing', 'uncertain', 'complete', 'failed', 'cancelled'] as const
export type OrderState = (typeof orderStates)[number]

/**
 * planning: the bot computes the plan. planned: waits for approval. pending: approved, waits for the bot.
 * failed: nothing more will happen and the new version is not served as wanted; the error says what was left.
 * rolled-back: failed, and what was there before is served again.
 */
export const deploymentStates = ['planning', 'planned', 'pending', 'deploying', 'deployed', 'failed', 'rolled-back', 'cancelled'] as const
export type DeploymentState = (typeof deploymentStates)[number]

export const actionKinds = ['initiate', 'order', 'deploy', 'rotate', 'rekey', 'recheck-pinning'] as const
export type ActionKind = (typeof actionKinds)[number]
export const actionStates = ['ordering', 'deploying', 'checking', 'done', 'failed'] as const
export type ActionState = (typeof actionStates)[number]

export const taskStates = ['ready', 'leased', 'done', 'failed'] as const
export type TaskState = (typeof taskStates)[number]

export const botStatuses = ['never-joined', 'active', 'inactive', 'revoked'] as const
export type BotStatus = (typeof botStatuses)[number]

export const installationStates = ['in-sync', 'out-of-sync', 'missing', 'unexpected'] as const
export type InstallationState = (typeof installationStates)[number]

export const keyAlgorithms = ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-256', 'ec-384', 'ec-521', 'ed25519', 'ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const
export type KeyAlgorithm = (typeof keyAlgorithms)[number]

export const keyCustodies = ['endpoint', 'platform', 'external'] as const
export type KeyCustody = (typeof keyCustodies)[number]
