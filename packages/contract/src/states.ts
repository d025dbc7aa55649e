/** What a person sees of a certificate (mission L7). Derived from evidence, never stored by hope. */
export const certificateStatuses = [
  'discovered', 'configuration-pending', 'configured', 'order-pending', 'validation-pending', 'issued',
  'deployment-pending', 'deploying', 'deployed', 'deployment-failed', 'rolled-back', 'expiring', 'expired',
  'revoked', 'suspended',
  /** What was renewed waits to be deployed; what is installed but not served. */
  'renewed-not-deployed', 'deployed-not-served',
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

/**
 * initiate: prepares and replaces nothing. order: issues, no deployment. deploy: installs what was issued. rotate: order plus
 * deploy at once. rekey: the same with a new key. renew, regenerate: the same identity again, with the key as configured or a
 * new one, deployed as the schedule would. re-enrol: a new request as a certificate of its own. revoke, suspend, resume: at
 * the authority. recheck-pinning: is what is served what should be.
 */
export const actionKinds = ['initiate', 'order', 'deploy', 'rotate', 'rekey', 'renew', 'regenerate', 're-enrol', 'revoke', 'suspend', 'resume', 'recheck-pinning'] as const
export type ActionKind = (typeof actionKinds)[number]
/** waiting: issued, and waits for the time of its deployment. revoking: the authority is asked to revoke, suspend or resume. */
export const actionStates = ['ordering', 'waiting', 'deploying', 'checking', 'revoking', 'done', 'failed', 'cancelled'] as const
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

export const csrModes = ['existing', 'partial', 'full'] as const
export const certificateTypes = ['existing', 'dv', 'ov', 'ev', 'other'] as const
/**
 * How the authority sees that a name is ours. none: it asks for no proof. file: the bot places a file. http: the control plane
 * answers. dns: a record through a DNS provider. dns-persist: a standing record that a person or provider keeps. tls-alpn: the
 * bot answers a TLS handshake. manual: a person does what the authority asks for.
 */
export const validationMethods = ['none', 'file', 'http', 'dns', 'dns-persist', 'tls-alpn', 'manual'] as const
export type ValidationMethod = (typeof validationMethods)[number]
/**
 * planned: nothing is placed yet. placing: the bot or the DNS provider is asked. waiting: a person is to place it. checking: it
 * is placed, and looked for from outside. asked: it was seen, and the authority was told to look. valid, failed, cancelled: over.
 */
export const validationStates = ['planned', 'placing', 'waiting', 'checking', 'asked', 'valid', 'failed', 'cancelled'] as const
export type ValidationState = (typeof validationStates)[number]
/** What became of what was placed. nothing: there was nothing of ours to remove. stuck: it could not be removed, and is tried again. */
export const cleanupStates = ['nothing', 'placed', 'removing', 'removed', 'stuck'] as const
export type CleanupState = (typeof cleanupStates)[number]

/**
 * An order asks one authority after the other, each once. intended: written down before it is asked. submitted: it has the
 * request, and its handle is kept. uncertain: it is unknown whether it has. issued, failed, cancelled: over.
 */
export const attemptStates = ['intended', 'submitted', 'uncertain', 'issued', 'failed', 'cancelled'] as const
export type AttemptState = (typeof attemptStates)[number]
/** ok: the last test went well. failing: it did not. unknown: not tested yet. */
export const healthStates = ['unknown', 'ok', 'failing'] as const
export type HealthState = (typeof healthStates)[number]

export const rolloutModes = ['together', 'in-order', 'waves'] as const
/**
 * running: a wave is being deployed. watching: a wave was proven and is watched. approval: waits for a person after the first
 * wave. paused: by a person. undoing: what was deployed is taken back. done, stopped, undone, undo-failed: ended.
 */
export const rolloutStates = ['running', 'watching', 'approval', 'paused', 'undoing', 'done', 'stopped', 'undone', 'undo-failed'] as const
export type RolloutState = (typeof rolloutStates)[number]
export const rolloutTargetStates = ['waiting', 'deploying', 'deployed', 'failed', 'left-out', 'undoing', 'undone', 'undo-failed'] as const
export type RolloutTargetState = (typeof rolloutTargetStates)[number]

/** previewing: what would change is being worked out. previewed: waits for "apply". */
export const bulkStates = ['previewing', 'previewed', 'applying', 'applied', 'undoing', 'undone', 'discarded'] as const
export type BulkState = (typeof bulkStates)[number]
/** conflict: it can't take the change, and why. changed-since: somebody changed it after the preview or the bulk, so it was left alone. */
export const bulkItemStates = ['waiting', 'ready', 'unchanged', 'conflict', 'applied', 'changed-since', 'failed', 'undone'] as const
export type BulkItemState = (typeof bulkItemStates)[number]

export const batchStates = ['running', 'paused', 'cancelling', 'done', 'cancelled'] as const
export type BatchState = (typeof batchStates)[number]
/** refused: the action was not possible for it. */
export const batchItemStates = ['waiting', 'running', 'done', 'failed', 'refused', 'cancelled'] as const
export type BatchItemState = (typeof batchItemStates)[number]
