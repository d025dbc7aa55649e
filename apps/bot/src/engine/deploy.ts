import { canonicalJson, CertloopError, type DeployResult, type Plan, sealPlan, toCertloopError } from '@certloop/contract'
import type { Host, PlanMaterial } from '@certloop/plugin-kit'
import { planDifferences } from './differences.ts'
import { type BackupFile, isOpen } from './journal-store.ts'
import { createLog, type DeployLog } from './log.ts'
import { checkSteps, openMaterial, planMaterial } from './material.ts'
import { type EngineParts, storedOutcome, takeUp } from './parts.ts'
import type { Texts } from './plan-texts.ts'
import type { Run } from './run.ts'
import { executorOf } from './steps/index.ts'
import { execute } from './transaction.ts'
import type { DeployRequest, LogSink, PlanRequest } from './types.ts'

interface Draft { plan: Plan; texts: Texts; host: Host; material: PlanMaterial }

/** The plan as it would be made now. @throws CertloopError of the driver; PLAN_FAILED */
export async function draftPlan({ deps }: EngineParts, { target, material }: Pick<PlanRequest, 'target' | 'material'>): Promise<Draft> {
  const known = planMaterial(material)
  const [host, driver] = await Promise.all([deps.hostFor(target), deps.driverFor(target.serverType)])
  const { observed, steps, observedTexts } = await driver.plan({ host, probe: deps.probe }, target.fields, known)
  const plan = sealPlan({ serverType: target.serverType, observed, steps })
  checkSteps(plan, known)
  return { plan, texts: observedTexts, host, material: known }
}

/** Carries out one approved plan. Never throws. */
export async function deployNow(parts: EngineParts, request: DeployRequest, onLog: LogSink | undefined): Promise<DeployResult> {
  const log = createLog(parts.deps.now, onLog)
  try {
    const done = await storedOutcome(parts, request.deploymentId)
    if (done !== undefined) return done
    return await carryOut(parts, request, await prepare(parts, request, log), log)
  } catch (thrown) {
    return refusal(toCertloopError(thrown), log, thrown instanceof PlanChanged ? thrown.differences : [])
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

interface Prepared { host: Host; content: Run['content']; files: BackupFile[] }

/** All checks, and everything that will be changed read into memory. */
async function prepare(parts: EngineParts, request: DeployRequest, log: DeployLog): Promise<Prepared> {
  const draft = await log.timed('plan', null, 'The plan was made again to be compared', () => draftPlan(parts, request))
  await compare(parts, request.plan, draft)
  const content = await openMaterial(request.material, draft.material, parts.deps.keys)
  return { host: draft.host, content, files: await log.timed('backup', null, 'What will be changed was read', () => backUp(parts, draft)) }
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

async function carryOut(parts: EngineParts, request: DeployRequest, { host, content, files }: Prepared, log: DeployLog): Promise<DeployResult> {
  const { deps, store, point } = parts
  const { deploymentId, plan, rollback, target } = request
  const journal = await log.timed('backup', null, 'Journal and backup are on disk', () =>
    store.create({ deploymentId, target, plan, rollback, files }))
  try {
    return await execute({
      deploymentId, plan, rollback, host, content, journal, log, point,
      probe: deps.probe, now: deps.now,
      backup: (path) => store.backup(journal.folder, path),
      begun: new Set(), recovering: false, troubled: false, mayActivate: true,
    })
  } catch (thrown) {
    return await afterSurprise(parts, request, toCertloopError(thrown), log)
  } finally {
    parts.leftOpen ||= !journal.records.some((record) => record.type === 'closed')
    await journal.close()
  }
}

/** A fault of our own in the middle: the journal is taken up at once as if the bot had been stopped there. */
async function afterSurprise(parts: EngineParts, { deploymentId }: DeployRequest, error: CertloopError, log: DeployLog): Promise<DeployResult> {
  log.say('recover', `Something unforeseen happened: ${error.message}`, { ok: false })
  try {
    const stored = await parts.store.latest(deploymentId)
    if (stored !== undefined && isOpen(stored)) return await takeUp(parts, stored, log)
  } catch (thrown) {
    log.say('recover', toCertloopError(thrown).message, { ok: false })
  }
  return { outcome: 'failed', touched: true, error: error.toWire(), differences: [], inspection: null, log: [...log.entries] }
}
