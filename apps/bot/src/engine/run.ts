import { type DeploymentId, type DeployResult, type Plan, type ServedCertificate, sha256Hex, type Step, toCertloopError, type WriteFileStep } from '@certloop/contract'
import { certificateBlocks, type Host, probeAll, type Prober } from '@certloop/plugin-kit'
import type { BackupFile } from './journal-store.ts'
import type { Journal } from './journal.ts'
import { type DeployLog, stepTitle } from './log.ts'
import type { StepContext } from './steps/executor.ts'
import { executorOf } from './steps/index.ts'

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
  content(step: WriteFileStep): Uint8Array
  backup(path: string): Promise<BackupFile | undefined>
  /** Steps that were begun, by what the journal says. */
  readonly begun: Set<number>
  /** Taken up again after a crash. */
  readonly recovering: boolean
  troubled: boolean
  /** Activation steps may run: not when the configuration test fails even with the previous files. */
  mayActivate: boolean
}

export type Role = 'change' | 'test' | 'activate' | 'prove'

/** The steps with their places, in order. */
export const stepsOf = (run: Run, ...roles: Role[]): { index: number; step: Step }[] =>
  run.plan.steps.map((step, index) => ({ index, step })).filter(({ step }) => roles.length === 0 || roles.includes(executorOf(step).role(step)))

/** Part of temporary file names; from the id alone, so that recovery finds what a crash left. */
export const shortName = (deploymentId: DeploymentId): string => sha256Hex(deploymentId).slice(0, 10)

export function contextOf(run: Run, index: number, quick = false): StepContext {
  const { host, probe, plan, troubled } = run
  return {
    host, probe, plan, index, troubled, quick,
    short: shortName(run.deploymentId),
    content: (step) => run.content(step),
    backup: (path) => run.backup(path),
    activateAgain: () => activateBefore(run, index),
  }
}

/** A failure here is logged and no more: the proof that asked for it decides. */
async function activateBefore(run: Run, before: number): Promise<void> {
  if (!run.mayActivate) return
  for (const { index, step } of stepsOf(run, 'activate').filter((s) => s.index < before)) {
    run.log.say('prove', 'Something else is still served, so the service is told once more.', { step: index })
    await run.log.reported('prove', index, stepTitle(run.plan, index), () => executorOf(step).do(contextOf(run, index), step)).catch(toCertloopError)
  }
}

/** What the target looks like now, read from it. */
export async function inspectionOf(run: Run, served: ServedCertificate[] | undefined): Promise<DeployResult['inspection']> {
  const written = run.plan.steps.filter((step) => step.kind === 'write-file')
  const file = written.find((step) => step.part.includes('full-chain')) ?? written.find((step) => step.part === 'certificate')
  const content = file && await run.host.readFile(file.path).catch((error: unknown) => {
    run.log.say('prove', `${file.path} can not be read: ${toCertloopError(error).message}`, { ok: false })
    return undefined
  })
  const endpoints = run.plan.steps.flatMap((step) => (step.kind === 'prove' ? step.endpoints : []))
  return {
    at: run.now().toISOString(),
    installedPem: content === undefined ? null : certificateBlocks(Buffer.from(content).toString('latin1')),
    served: served ?? await probeAll(run.probe, endpoints.map(({ endpoint }) => endpoint)),
  }
}
