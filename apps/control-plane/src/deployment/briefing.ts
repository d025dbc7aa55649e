import { CertloopError, type BotTarget, type BotTaskPayload, type ErrorCode } from '@certloop/contract'
import { findVersion } from '../certificate/certificate-store.ts'
import { fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { findTarget } from '../provisioning/configuration-store.ts'
import { briefTarget } from '../provisioning/target-briefing.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { failDeployment } from './deployment-ending.ts'
import type { DeploymentRow } from './deployment-store.ts'

/** The target of a deployment as its bot is told of it. @throws CertloopError NOT_FOUND, TARGET_SECRETS_UNREADABLE, SECRET_UNREADABLE */
export async function targetBriefing(tx: Tx, secrets: Secrets, d: Pick<DeploymentRow, 'targetId'>): Promise<BotTarget> {
  const target = await findTarget(tx, d.targetId)
  if (!target) throw new CertloopError('NOT_FOUND', 'The target of this deployment is gone.')
  return briefTarget(tx, secrets, target)
}

/** What the bot needs to know of target and version. @throws CertloopError as targetBriefing; KEY_NOT_FOUND when the key is not on that host */
export async function wholeBriefing(tx: Tx, secrets: Secrets, d: Pick<DeploymentRow, 'targetId' | 'versionId' | 'botId'>): Promise<Pick<BotTaskPayload<'plan-deployment'>, 'target' | 'material'>> {
  const target = await targetBriefing(tx, secrets, d)
  const version = await findVersion(tx, d.versionId)
  if (!version) throw new CertloopError('NOT_FOUND', 'The version of this deployment is gone.')
  if (version.keyBotId !== d.botId || !version.keyId) throw new CertloopError('KEY_NOT_FOUND', 'The private key of this version was made on another host.', { versionId: version.id })
  return { target, material: { keyId: version.keyId, chainPem: fromJson(version.chainPem), fingerprint: version.fingerprint } }
}

const unreadable: ReadonlySet<ErrorCode> = new Set(['TARGET_SECRETS_UNREADABLE', 'SECRET_UNREADABLE'])

/** Secrets that can't be had for one target fail its deployment before anything is sent, and no other. */
export async function orFail<T>(tx: Tx, wake: Wakes, d: DeploymentRow, brief: () => Promise<T>, now: Date): Promise<T | undefined> {
  try {
    return await brief()
  } catch (error) {
    if (!(error instanceof CertloopError && unreadable.has(error.code))) throw error
    await failDeployment(tx, wake, d, error, now)
    return undefined
  }
}
