import type { ActionId, CertificateId, DeploymentId, RolloutId, RolloutState, RolloutTargetState, TargetId, VersionId } from '@certloop/contract'
import type { Selectable } from 'kysely'

/** The deployments of one action, put in order. */
export interface RolloutTable {
  id: RolloutId
  certificateId: CertificateId
  actionId: ActionId
  state: RolloutState
  /** JSON of the RolloutSettings as they were at its start. */
  settings: string
  /** From 0: the one under way, or the next. */
  wave: number
  waveCount: number
  failures: number
  requester: string
  reason: string
  nextAction: string | null
  deadline: string | null
  /** The state that a paused one goes back to. */
  pausedFrom: RolloutState | null
  createdAt: string
  updatedAt: string
  endedAt: string | null
}
export interface RolloutTargetTable {
  rolloutId: RolloutId
  targetId: TargetId
  position: number
  wave: number
  state: RolloutTargetState
  versionId: VersionId | null
  deploymentId: DeploymentId | null
  undoId: DeploymentId | null
  reason: string | null
  error: string | null
}
export interface RolloutTables { rollout: RolloutTable; rolloutTarget: RolloutTargetTable }
export type RolloutRow = Selectable<RolloutTable>
export type RolloutTargetRow = Selectable<RolloutTargetTable>
