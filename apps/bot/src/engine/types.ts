import type { BotTarget, BotTaskPayload, DeployLogEntry, DeployResult, DeploymentId, KeyId, Plan, TargetInspection, WireError } from '@certloop/contract'
import type { Host, Prober, ServerTypeDriver } from '@certloop/plugin-kit'

export type PlanRequest = BotTaskPayload<'plan-deployment'>
export type DeployRequest = BotTaskPayload<'deploy'>

/** Where the engine gets the private keys that the bot made or received. */
export interface KeySource {
  /** PKCS#8 PEM. @throws CertloopError KEY_NOT_FOUND */
  privateKeyPem(keyId: KeyId): Promise<string>
}

export interface EngineLimits {
  /** Sealed copies of what was there before are kept this long, */
  backupDays: number
  /** but of each path only for the last few deployments. */
  backupsPerPath: number
  /** Texts behind plans, for showing differences. */
  planDays: number
  plansKept: number
}

export interface EngineDeps {
  /** Of the bot alone, on a local disk. Made with mode 0700 when missing. */
  folder: string
  now: () => Date
  keys: KeySource
  hostFor: (target: BotTarget) => Host | Promise<Host>
  /** @throws CertloopError PLAN_FAILED when this bot does not know the server type */
  driverFor: (serverType: string) => ServerTypeDriver | Promise<ServerTypeDriver>
  probe: Prober
  limits?: Partial<EngineLimits>
  /** Called before and after everything that lasts; a test ends the process in it. */
  crashPoint?: (name: string) => void
}

export type LogSink = (entry: DeployLogEntry) => void
export interface Recovered { deploymentId: DeploymentId; result: DeployResult }
export interface Unrecovered { deploymentId: DeploymentId; error: WireError }

/** Puts material onto targets, wholly or not at all. One deployment runs at a time; others wait. */
export interface Engine {
  /**
   * Asks the driver for the steps and seals them. Changes nothing on the target.
   * @throws CertloopError as ServerTypeDriver.plan, and PLAN_FAILED when the steps would write anything but the material
   */
  plan(request: PlanRequest): Promise<Plan>
  /**
   * Carries out an approved plan. Never throws: what went wrong is in the result, and so is whether anything was touched.
   * A deployment that was carried out before and not acknowledged gives its stored result and does nothing.
   */
  deploy(request: DeployRequest, onLog?: LogSink): Promise<DeployResult>
  /** @throws CertloopError as ServerTypeDriver.inspect */
  inspect(target: BotTarget): Promise<TargetInspection>
  /**
   * Finishes or undoes what was under way when the bot stopped. Call it at start; the first deploy does so otherwise.
   * `stuck` names journals that stay open, for instance because the host can't be reached: deploy tries them again first.
   */
  recover(onLog?: (deploymentId: DeploymentId, entry: DeployLogEntry) => void): Promise<{ recovered: Recovered[]; stuck: Unrecovered[] }>
  /**
   * The result of a deployment that ended and was not acknowledged. It is told when its task is leased again; of a task
   * that the control plane has ended meanwhile, only the log and the next look at the host tell.
   */
  outcomeOf(deploymentId: DeploymentId): Promise<DeployResult | undefined>
  /** The control plane has the result. Its backups stay until the grace period is over. Nothing happens when there is none. */
  acknowledge(deploymentId: DeploymentId): Promise<void>
}
