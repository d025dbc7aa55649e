import { CertloopError, type DeploymentId, type DeployResult, type Plan, type ServedCertificate, sha256Hex, type Step, toCertloopError } from '@certloop/contract'
import { certificateBlocks, type Host, probeAll, type Prober } from '@certloop/plugin-kit'
import { cancellable } from './cancelling.ts'
import type { BackupFile } from './journal-store.ts'
import type { Journal } from './journal.ts'
import type { Placed } from './ledger.ts'
import { type DeployLog, stepTitle } from './log.ts'
import type { Redactor } from './secrets.ts'
import type { Role, RunMaterial, StepContext } from './steps/executor.ts'
import { executorOf } from './steps/index.ts'
import type { StopWatch } from './types.ts'

/** One deployment under way, from its journal on. */
export interface Run {
  readonly deploymentId: DeploymentId
  readonly plan: Plan
  readonly rollback: boolean
  readonly host: Host
  readonly probe: Prober
  readonly now: () => Date
  readonly log: DeployLog
  readonly journal: Journal
  readonly point: (name: string) => void
  /** Until everything is staged, and never after a crash. */
  material: RunMaterial | undefined
  /** By the names that steps give them. */
  readonly secrets: Readonly<Record<string, string>>
  readonly hide: Redactor
  /** SHA-256 of what steps staged, by their places. */
  readonly staged: Map<number, string>
  /** SHA-256 of the DER of the certificate that is installed. */
  readonly leaf: string
  backup(path: string): Promise<BackupFile | undefined>
  /** Where a deployment is taken back: a file as it had found it. Until everything is staged. */
  restored?: ((path: string) => Promise<BackupFile | undefined>) | undefined
  /** The deployment that is taken back. */
  readonly undoes: DeploymentId | undefined
  /** A person's request to stop; undefined once it is too late for that. */
  cancel: AbortSignal | undefined
  /** Opened for a run that is taken up again or undone. */
  stops: StopWatch | undefined
  watchStops: () => StopWatch | undefined
  /** As machineOf names it. */
  readonly machine: string
  /** Of its journal. */
  readonly folder: string
  /** What the driver finds installed, PEM. @throws CertloopError as ServerTypeDriver.inspect */
  installed(): Promise<string | null>
  /** Notes what is on the target now by this engine's doing. */
  ledger(placed: readonly Placed[]): Promise<void>
  /** Steps that were begun, by what the journal says. */
  readonly begun: Set<number>
  /** Taken up again after a crash. */
  readonly recovering: boolean
  troubled: boolean
  /** Activation steps may run: not when the configuration test fails even with the previous files. */
  mayActivate: boolean
}

/** The steps with their places, in order. */
export const stepsOf = (run: Run, ...roles: Role[]): { index: number; step: Step }[] =>
  run.plan.steps.map((step, index) => ({ index, step })).filter(({ step }) => roles.length === 0 || roles.includes(executorOf(step).role(step)))

/** Part of temporary file names; from the id alone, so that recovery finds what a crash left. */
export const shortName = (deploymentId: DeploymentId): string => sha256Hex(deploymentId).slice(0, 10)

/** `stop`: for what is not the way forward, which run.cancel is for. */
export function contextOf(run: Run, index: number, { quick = false, stop }: { quick?: boolean; stop?: AbortSignal | undefined } = {}): StepContext {
  const { probe, plan, troubled, deploymentId, now } = run
  const cancel = run.cancel ?? stop
  return {
    host: cancellable(run.host, cancel), cancel, probe, plan, index, troubled, quick, deploymentId, now,
    short: shortName(deploymentId),
    material() {
      if (run.material === undefined) throw new Error('Nothing is staged after a crash: what lay ready is used, or the deployment is undone.')
      return run.material
    },
    secret(name) {
      const value = run.secrets[name]
      if (value === undefined) throw new CertloopError('INTERNAL', `The plan names a secret "${name}" that did not come with it.`)
      return value
    },
    get staged() { return run.staged.get(index) },
    noteStaged: (digest) => { run.staged.set(index, digest) },
    backup: (path) => run.backup(path),
    restored: async (path) => run.restored?.(path),
    activateAgain: () => activateBefore(run, index, stop),
  }
}

/** A failure here is logged and no more: the proof that asked for it decides. */
async function activateBefore(run: Run, before: number, stop: AbortSignal | undefined): Promise<void> {
  if (!run.mayActivate) return
  for (const { index, step } of stepsOf(run, 'activate').filter((s) => s.index < before)) {
    run.log.say('prove', 'Something else is still served, so the service is told once more.', { step: index })
    await run.log.reported('prove', index, stepTitle(run.plan, index), () => executorOf(step).do(contextOf(run, index, { stop }), step)).catch(toCertloopError)
  }
}

/** What the target looks like now, read from it. */
export async function inspectionOf(run: Run, served: ServedCertificate[] | undefined): Promise<DeployResult['inspection']> {
  const endpoints = run.plan.steps.flatMap((step) => (step.kind === 'prove' ? step.endpoints : []))
  return {
    at: run.now().toISOString(),
    installedPem: await installedNow(run),
    served: served ?? await probeAll(run.probe, endpoints.map(({ endpoint }) => endpoint)),
  }
}

/** The PEM file that was just written says it at once; of keystores, other forms and what was there already the driver knows. */
async function installedNow(run: Run): Promise<string | null> {
  const written = run.plan.steps.filter((step) => step.kind === 'write-file').filter(({ encoding = 'pem' }) => encoding === 'pem')
  const file = written.find((step) => step.part.includes('full-chain')) ?? written.find((step) => step.part === 'certificate')
  try {
    const content = file && await run.host.readFile(file.path)
    return content === undefined ? await run.installed() : certificateBlocks(Buffer.from(content).toString('latin1'))
  } catch (error) {
    run.log.say('prove', `What is installed can not be read: ${toCertloopError(error).message}`, { ok: false })
    return null
  }
}
