import type { BotTarget, Reach, TargetSecrets, BotTaskPayload, DeployLogEntry, DeployResult, DeploymentId, KeyId, Plan, TargetInspection, WireError } from '@certloop/contract'
import type { Host, Prober, ServerTypeDriver } from '@certloop/plugin-kit'

/** The way to a machine, with the secrets that it asks for. */
export interface Way { reach: Reach; secrets?: TargetSecrets }

/** A target with its opened secrets, for those who may hold them. They are on disk sealed only, and in no result. */
export type EngineTarget = BotTarget & { secrets?: TargetSecrets }
export type PlanRequest = BotTaskPayload<'plan-deployment'> & { target: EngineTarget }
export type UndoRequest = BotTaskPayload<'undo-deployment'> & { target: EngineTarget }
export type DeployRequest = BotTaskPayload<'deploy'> & { target: EngineTarget }

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
  /** So long a deployment can be taken back; what it replaced is not kept any longer. */
  undoDays: number
  /** Nor more than this of all of them together. */
  backupBytes: number
  /** Texts behind plans, for showing differences. */
  planDays: number
  plansKept: number
  /** A start of the bot waits this long for machines other than its own; their recovery goes on after that. */
  recoverySeconds: number
}

/** What people ask for while a deployment is on its way. */
export interface StopWatch {
  /** The first answer is there, or none came in time. */
  asked: Promise<void>
  cancel: AbortSignal
  /** Asked once more: what only activates the old state again is not waited for. */
  again: AbortSignal
  end(): void
}
export type WatchStops = (deploymentId: DeploymentId) => StopWatch

export interface EngineDeps {
  /** Of the bot alone, on a local disk. Made with mode 0700 when missing. */
  folder: string
  now: () => Date
  keys: KeySource
  /** @throws CertloopError HOST_UNREACHABLE, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, LOGIN_REFUSED */
  hostFor: (way: Way) => Host | Promise<Host>
  /** @throws CertloopError PLAN_FAILED when this bot does not know the server type */
  driverFor: (serverType: string) => ServerTypeDriver | Promise<ServerTypeDriver>
  /** Handshakes as that host would make them. */
  probeFor: (host: Host) => Prober
  /** limits.scripts of bot.toml: plans with scripts are refused where it is false. Default true. */
  scripts?: boolean
  limits?: Partial<EngineLimits>
  /** Asked before a journal is taken up, so that nothing goes on that somebody stopped meanwhile, and while one is undone. */
  watchStops?: WatchStops
  /** Called before and after everything that lasts; a test ends the process in it. */
  crashPoint?: (name: string) => void
}

export type LogSink = (entry: DeployLogEntry) => void
export interface Recovered { deploymentId: DeploymentId; result: DeployResult }
export interface Unrecovered { deploymentId: DeploymentId; error: WireError }

/** Puts material onto targets, wholly or not at all. On one machine one deployment runs at a time and others wait; machines go side by side. */
export interface Engine {
  /**
   * Asks the driver for the steps and seals them. Changes nothing on the target.
   * @throws CertloopError as ServerTypeDriver.plan and hostFor; PLAN_FAILED when the steps would write anything but the
   * material; COMMAND_NOT_ALLOWED for scripts; TARGET_OCCUPIED where nothing foreign is to be overwritten
   */
  plan(request: PlanRequest): Promise<Plan>
  /**
   * Carries out an approved plan. What went wrong is in the result, and so is whether anything was touched.
   * A deployment that was carried out before and not acknowledged gives its stored result and does nothing.
   * `cancel`: what runs is ended and all is taken back, as after a failure; once it is committed, it stands.
   * @throws DeploymentUnfinished, nothing else: the host went away in the middle. The same call later ends it, and gives the result.
   */
  deploy(request: DeployRequest, onLog?: LogSink, cancel?: AbortSignal): Promise<DeployResult>
  /**
   * Puts back what a committed deployment replaced, and proves it: `deployed` means that what was there before is in place
   * again. Refused with UNDO_NOT_POSSIBLE and the differences where that deployment's work is not what is there now.
   * Asked again it answers the same and does nothing. @throws DeploymentUnfinished, as deploy
   */
  undo(request: UndoRequest, onLog?: LogSink, cancel?: AbortSignal): Promise<DeployResult>
  /** @throws CertloopError as ServerTypeDriver.inspect */
  inspect(target: EngineTarget): Promise<TargetInspection>
  /**
   * Finishes or undoes what was under way when the bot stopped. Call it at start; the first deploy does so otherwise.
   * Machines go side by side. `stuck` names journals that stay open, for instance because the host can't be reached: the
   * next deployment on that machine tries them again first, and others are not held up.
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
