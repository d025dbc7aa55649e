import { canonicalJson, CertloopError, type DeployResult, machineOf, type Plan, sealPlan, toCertloopError } from '@certloop/contract'
import type { Host, PlanMaterial, Prober } from '@certloop/plugin-kit'
import { planDifferences } from './differences.ts'
import { type BackupFile, isOpen } from './journal-store.ts'
import { createLog, type DeployLog } from './log.ts'
import { checkSteps, openMaterial, planMaterial } from './material.ts'
import { refuseForeign } from './overwrite.ts'
import { type EngineParts, fieldsOf, installedBy, shared, storedOutcome, takeUp } from './parts.ts'
import type { Texts } from './plan-texts.ts'
import { refuseScripts, withScripts } from './scripts.ts'
import { createRedactor, neededLater, type Redactor, secretsOf } from './secrets.ts'
import type { RunMaterial } from './steps/executor.ts'
import { executorOf } from './steps/index.ts'
import { execute } from './transaction.ts'
import { DeploymentUnfinished, HostAway, saysNothing } from './unfinished.ts'
import type { DeployRequest, LogSink, PlanRequest } from './types.ts'

interface Draft { plan: Plan; texts: Texts; host: Host; probe: Prober; material: PlanMaterial; secrets: Readonly<Record<string, string>> }

/** The plan as it would be made now. `hide` learns its secrets. @throws CertloopError of the driver; PLAN_FAILED, COMMAND_NOT_ALLOWED, TARGET_OCCUPIED */
export async function draftPlan(parts: EngineParts, request: Pick<PlanRequest, 'target' | 'material'>, hide: Redactor): Promise<Draft> {
  try {
    return await draft(parts, request, hide)
  } catch (thrown) {
    throw hide.error(toCertloopError(thrown))
  }
}

async function draft({ deps, ledger }: EngineParts, { target, material }: Pick<PlanRequest, 'target' | 'material'>, hide: Redactor): Promise<Draft> {
  const known = planMaterial(material)
  const [host, driver] = await Promise.all([deps.hostFor(target), deps.driverFor(target.serverType)])
  const probe = deps.probeFor(host)
  const { observed, steps, observedTexts, secrets = {} } = await driver.plan({ host, probe }, fieldsOf(target), known)
  hide.learn(Object.values(secrets))
  const plan = sealPlan({ serverType: target.serverType, observed, steps: withScripts(steps, target, known) })
  checkSteps(plan, known, secrets)
  if (deps.scripts === false) refuseScripts(plan.steps)
  if (target.overwrite === false) await refuseForeign({ host, machine: machineOf(target), ledger, secrets }, plan)
  return { plan, texts: observedTexts, host, probe, material: known, secrets }
}

/** Carries out one approved plan. @throws DeploymentUnfinished */
export async function deployNow(parts: EngineParts, request: DeployRequest, onLog: LogSink | undefined): Promise<DeployResult> {
  const hide = createRedactor(secretsOf(request.target.secrets ?? {}))
  const log = createLog(parts.deps.now, onLog, hide)
  try {
    const done = await storedOutcome(parts, request.deploymentId)
    if (done !== undefined) return done
    return await carryOut(parts, request, await prepare(parts, request, log, hide), log, hide)
  } catch (thrown) {
    if (thrown instanceof DeploymentUnfinished) throw thrown
    return hide.result(refusal(toCertloopError(thrown), log, thrown instanceof PlanChanged ? thrown.differences : []))
  }
}

/** Nothing on the target is touched, so nothing needs a journal. */
function refusal(error: CertloopError, log: DeployLog, differences: string[]): DeployResult {
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

interface Prepared extends Pick<Draft, 'host' | 'probe' | 'secrets'> { material: RunMaterial; files: BackupFile[] }

/** All checks, and everything that will be changed read into memory. */
async function prepare(parts: EngineParts, request: DeployRequest, log: DeployLog, hide: Redactor): Promise<Prepared> {
  const made = await log.timed('plan', null, 'The plan was made again to be compared', () => draftPlan(parts, request, hide))
  await compare(parts, request.plan, made)
  const material = await openMaterial(request.material, made.material, parts.deps.keys)
  const { host, probe, secrets } = made
  return { host, probe, secrets, material, files: await log.timed('backup', null, 'What will be changed was read', () => backUp(parts, made)) }
}

/** The approved plan has to fit its own digest too: otherwise its steps are not those somebody approved. */
async function compare({ planTexts }: EngineParts, approved: Plan, { plan, texts }: Draft): Promise<void> {
  if (canonicalJson(approved) === canonicalJson(plan)) return
  throw new PlanChanged(planDifferences({ plan: approved, texts: await planTexts.find(approved.digest) }, { plan, texts }))
}

async function backUp({ point }: EngineParts, { plan, host }: Draft): Promise<BackupFile[]> {
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

async function carryOut(parts: EngineParts, request: DeployRequest, prepared: Prepared, log: DeployLog, hide: Redactor): Promise<DeployResult> {
  const { store } = parts
  const { deploymentId, plan, rollback, target, material: { fingerprint: leaf } } = request
  const { host, probe, secrets, material, files } = prepared
  const machine = machineOf(target)
  const journal = await log.timed('backup', null, 'Journal and backup are on disk', () =>
    store.create({ deploymentId, target, plan, rollback, files, leaf, secrets: neededLater(plan.steps, secrets) }))
  try {
    return await execute({
      deploymentId, plan, rollback, host, probe, secrets, material, leaf, journal, log, hide,
      ...shared(parts, machine),
      staged: new Map(),
      backup: (path) => store.backup(journal.folder, path),
      installed: installedBy(parts, target, host),
      begun: new Set(), recovering: false, troubled: false, mayActivate: true,
    })
  } catch (thrown) {
    if (thrown instanceof HostAway) throw unfinished(thrown, log, hide)
    return await afterSurprise(parts, request, hide.error(toCertloopError(thrown)), log, hide)
  } finally {
    if (!journal.records.some((record) => record.type === 'closed')) parts.leftOpen.add(machine)
    await journal.close()
  }
}

function unfinished(thrown: CertloopError, log: DeployLog, hide: Redactor): DeploymentUnfinished {
  const error = new DeploymentUnfinished(hide.error(thrown), log.entries)
  log.say('recover', error.message, { ok: false })
  return error
}

/** A fault of our own in the middle: the journal is taken up at once as if the bot had been stopped there. */
async function afterSurprise(parts: EngineParts, { deploymentId }: DeployRequest, error: CertloopError, log: DeployLog, hide: Redactor): Promise<DeployResult> {
  log.say('recover', `Something unforeseen happened: ${error.message}`, { ok: false })
  try {
    const stored = await parts.store.latest(deploymentId)
    if (stored !== undefined && isOpen(stored)) return await takeUp(parts, stored, log, hide)
  } catch (thrown) {
    if (thrown instanceof CertloopError && saysNothing(thrown)) throw unfinished(thrown, log, hide)
    log.say('recover', toCertloopError(thrown).message, { ok: false })
  }
  return hide.result({ outcome: 'failed', touched: true, error: error.toWire(), differences: [], inspection: null, log: [...log.entries] })
}
