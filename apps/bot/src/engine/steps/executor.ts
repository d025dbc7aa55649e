import type { DeploymentId, Plan, ServedCertificate, Step } from '@certloop/contract'
import type { Host, PlanMaterial, Prober } from '@certloop/plugin-kit'
import type { BackupFile } from '../journal-store.ts'

export interface RunMaterial { plan: PlanMaterial; /** PKCS#8 PEM. */ keyPem: string }

/** What an executor may use. All paths it makes up come from `short` and `index`, so that recovery finds them again. */
export interface StepContext {
  host: Host
  probe: Prober
  plan: Plan
  index: number
  /** Names this deployment in temporary file names. */
  short: string
  deploymentId: DeploymentId
  now: () => Date
  /** What is installed, with its key. Only until the staging is over. */
  material(): RunMaterial
  /** The value of a secret that the step names. @throws CertloopError INTERNAL when there is none */
  secret(name: string): string
  /** SHA-256 of what this step staged, also after a crash: the journal keeps it. */
  readonly staged: string | undefined
  noteStaged(digest: string): void
  /** The sealed copy of a file, for when nothing nearer is left. */
  backup(path: string): Promise<BackupFile | undefined>
  /** While an undo is staged: a file as the deployment to be taken back had found it. */
  restored(path: string): Promise<BackupFile | undefined>
  /** When it aborts, waiting is of no use any more. */
  cancel: AbortSignal | undefined
  /** Runs the activation steps before this one again. */
  activateAgain(): Promise<void>
  /** After a crash or a failure: the service may be down by our own doing. */
  troubled: boolean
  /** Look once instead of waiting. */
  quick: boolean
}

export interface StepReport { message: string; output?: string | null; served?: ServedCertificate[] }

export type Role = 'change' | 'test' | 'activate' | 'prove' | 'script'

/** Which side the target is on as far as a step can see; both when old and new are the same. */
export interface Sides { old: boolean; new: boolean }

/**
 * One kind of step. Each call may be repeated after a crash at any point, and then ends the same way.
 * The engine knows nothing else of a kind; a new kind is a new entry in the table.
 */
export interface StepExecutor<S extends Step = Step> {
  /**
   * change: alters the target, is undone and cleaned up. test: alters nothing, runs again after an undo.
   * activate: makes a service take up what changed, runs again after an undo. prove: looks at what is served.
   * script: what an operator added; runs once, is neither undone nor repeated.
   */
  role(step: S): Role
  /** What has to be kept of the target before the step. @throws CertloopError PLAN_CHANGED when it isn't as the plan says */
  backup?(host: Host, step: S): Promise<BackupFile[]>
  /** All that may fail for want of space or rights. What is in use stays as it is. */
  stage?(context: StepContext, step: S): Promise<void>
  do(context: StepContext, step: S): Promise<StepReport>
  /** Takes the change back. @throws CertloopError saying what was left */
  undo?(context: StepContext, step: S): Promise<void>
  /** Whether the change is there, read from the target itself. */
  check?(context: StepContext, step: S): Promise<Sides>
  /** Whether what `check` doesn't see is still to hand, so that `do` can still be run after a crash. */
  canResume?(context: StepContext, step: S, begun: boolean): Promise<boolean>
  /** Run after an undo, in the order of the plan, for steps that are not undone but repeated. */
  again?(context: StepContext, step: S): Promise<StepReport>
  /** Removes what the step needed besides its result. `keeps`: which side stays. */
  clean?(context: StepContext, step: S, keeps: 'new' | 'old'): Promise<void>
}
