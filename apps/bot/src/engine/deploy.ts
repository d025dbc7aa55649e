import { canonicalJson, CertloopError, type DeployResult, machineOf, type Plan, sealPlan, toCertloopError } from '@certloop/contract'
import type { Host, PlanMaterial, Prober } from '@certloop/plugin-kit'
import { planDifferences } from './differences.ts'
import { cancellable, cancelledBefore } from './cancelling.ts'
import { carryOut, type Prepared } from './carry-out.ts'
import type { BackupFile } from './journal-store.ts'
import { createLog, type DeployLog } from './log.ts'
import { checkSteps, openMaterial, planMaterial } from './material.ts'
import { refuseForeign } from './overwrite.ts'
import { type EngineParts, fieldsOf, storedOutcome } from './parts.ts'
import type { Texts } from './plan-texts.ts'
import { refuseScripts, withScripts } from './scripts.ts'
import { createRedactor, type Redactor, secretsOf } from './secrets.ts'
import { executorOf } from './steps/index.ts'
import { DeploymentUnfinished } from './unfinished.ts'
import type { DeployRequest, LogSink, PlanRequest } from './types.ts'

interface Draft { plan: Plan; texts: Texts; host: Host; probe: Prober; material: PlanMaterial; secrets: Readonly<Record<string, string>> }

/** The plan as it would be made now. `hide` learns its secrets. @throws CertloopError of the driver; PLAN_FAILED, COMMAND_NOT_ALLOWED, TARGET_OCCUPIED */
export async function draftPlan(parts: EngineParts, request: Pick<PlanRequest, 'target' | 'material'>, hide: Redactor, cancel?: AbortSignal): Promise<Draft> {
  try {
    return await draft(parts, request, hide, cancel)
  } catch (thrown) {
    throw hide.error(toCertloopError(thrown))
  }
}

async function draft({ deps, ledger }: EngineParts, { target, material }: Pick<PlanRequest, 'target' | 'material'>, hide: Redactor, cancel: AbortSignal | undefined): Promise<Draft> {
  const known = planMaterial(material)
  const [host, driver] = await Promise.all([deps.hostFor(target), deps.driverFor(target.serverType)])
  const probe = deps.probeFor(host)
  const { observed, steps, observedTexts, secrets = {} } = await driver.plan({ host: cancellable(host, cancel), probe }, fieldsOf(target), known)
  hide.learn(Object.values(secrets))
  const plan = sealPlan({ serverType: target.serverType, observed, steps: withScripts(steps, target, known) })
  checkSteps(plan, known, secrets)
  if (deps.scripts === false) refuseScripts(plan.steps)
  if (target.overwrite === false) await refuseForeign({ host, machine: machineOf(target), ledger, secrets }, plan)
  return { plan, texts: observedTexts, host, probe, material: known, secrets }
}

/** Carries out one approved plan. @throws DeploymentUnfinished */
export async function deployNow(parts: EngineParts, request: DeployRequest, onLog: LogSink | undefined, cancel?: AbortSignal): Promise<DeployResult> {
  const hide = createRedactor(secretsOf(request.target.secrets ?? {}))
  const log = createLog(parts.deps.now, onLog, hide)
  try {
    const done = await storedOutcome(parts, request.deploymentId)
    if (done !== undefined) return done
    cancel?.throwIfAborted()
    return await carryOut(parts, await prepare(parts, request, { log, hide, cancel }), { log, hide, cancel })
  } catch (thrown) {
    if (thrown instanceof DeploymentUnfinished) throw thrown
    if (cancel?.aborted) return { ...cancelledBefore(request.deploymentId), log: [...log.entries] }
    return hide.result(refusal(toCertloopError(thrown), log, thrown instanceof PlanChanged ? thrown.differences : []))
  }
}

/** Nothing on the target is touched, so nothing needs a journal. */
export function refusal(error: CertloopError, log: DeployLog, differences: string[]): DeployResult {
  log.say('plan', error.message, { ok: false })
  return { outcome: 'failed', touched: false, error: error.toWire(), differences, inspection: null, log: [...log.entries] }
}

class PlanChanged extends CertloopError {
  readonly differences: string[]
  constructor(differences: string[]) {
    super('PLAN_CHANGED', 'The plan made now differs from the approved one. Nothing was touched.')
    this.differences = differences
  }
}

interface Forward { log: DeployLog; hide: Redactor; cancel: AbortSignal | undefined }

/** All checks, and everything that will be changed read into memory. */
async function prepare(parts: EngineParts, request: DeployRequest, { log, hide, cancel }: Forward): Promise<Prepared> {
  const made = await log.timed('plan', null, 'The plan was made again to be compared', () => draftPlan(parts, request, hide, cancel))
  await compare(parts, request.plan, made)
  const material = await openMaterial(request.material, made.material, parts.deps.keys)
  const { host, probe, secrets } = made
  const { deploymentId, plan, target, rollback, material: { fingerprint: leaf } } = request
  return { deploymentId, plan, target, rollback, leaf, host, probe, secrets, material, files: await log.timed('backup', null, 'What will be changed was read', () => backUp(parts, made)) }
}

/** The approved plan has to fit its own digest too: otherwise its steps are not those somebody approved. */
async function compare({ planTexts }: EngineParts, approved: Plan, { plan, texts }: Draft): Promise<void> {
  if (canonicalJson(approved) === canonicalJson(plan)) return
  throw new PlanChanged(planDifferences({ plan: approved, texts: await planTexts.find(approved.digest) }, { plan, texts }))
}

/** What the steps will change, as it is now. @throws CertloopError PLAN_CHANGED when it is not as the plan says */
export async function backUp({ point }: EngineParts, { plan, host }: Pick<Draft, 'plan' | 'host'>): Promise<BackupFile[]> {
  const files: BackupFile[] = []
  for (const [index, step] of plan.steps.entries()) {
    const executor = executorOf(step)
    if (executor.backup === undefined) continue
    point(`backup-${index}:before`)
    files.push(...await executor.backup(host, step))
    point(`backup-${index}:after`)
  }
  return files
}
