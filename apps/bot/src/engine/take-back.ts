import { CertloopError, type DeployResult, machineOf, type Plan, type ProveStep, sealPlan, sha256Hex, type Step, toCertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { cancelledBefore } from './cancelling.ts'
import { carryOut, type Prepared } from './carry-out.ts'
import { backUp, refusal } from './deploy.ts'
import { type BackupFile, isOpen, keepsNew, machineIn, outcomeIn, type StoredJournal } from './journal-store.ts'
import { createLog, type DeployLog } from './log.ts'
import { type EngineParts, storedOutcome } from './parts.ts'
import { refuseScripts } from './scripts.ts'
import { createRedactor, type Redactor, secretsOf } from './secrets.ts'
import type { EngineTarget, LogSink, UndoRequest } from './types.ts'
import { DeploymentUnfinished } from './unfinished.ts'

class NotPossible extends CertloopError {
  readonly differences: string[]
  constructor(message: string, differences: string[] = []) {
    super('UNDO_NOT_POSSIBLE', `${message} Nothing was touched.`)
    this.differences = differences
  }
}

/**
 * Takes back a deployment that was committed: a deployment of its own, whose new content is the sealed backup of that one.
 * So it has a journal, a proof and a way back as every other. @throws DeploymentUnfinished
 */
export async function takeBackNow(parts: EngineParts, request: UndoRequest, onLog: LogSink | undefined, cancel?: AbortSignal): Promise<DeployResult> {
  const hide = createRedactor(secretsOf(request.target.secrets ?? {}))
  const log = createLog(parts.deps.now, onLog, hide)
  try {
    const done = await storedOutcome(parts, request.deploymentId) ?? await earlierUndo(parts, request)
    if (done !== undefined) return done
    cancel?.throwIfAborted()
    return await carryOut(parts, await prepare(parts, request, log, hide), { log, hide, cancel })
  } catch (thrown) {
    if (thrown instanceof DeploymentUnfinished) throw thrown
    if (cancel?.aborted) return { ...cancelledBefore(request.deploymentId), log: [...log.entries] }
    return hide.result(refusal(toCertloopError(thrown), log, thrown instanceof NotPossible ? thrown.differences : []))
  }
}

/** Asked twice, it answers the same: what was taken back is not taken back again. */
async function earlierUndo({ store }: EngineParts, { undoes }: UndoRequest): Promise<DeployResult | undefined> {
  const last = (await store.all()).findLast((one) => one.begin.undoes === undoes && keepsNew(one))
  return last && outcomeIn(last.records)
}

async function prepare(parts: EngineParts, { deploymentId, undoes, target }: UndoRequest, log: DeployLog, hide: Redactor): Promise<Prepared> {
  const stored = await journalOf(parts, undoes, target)
  const host = await parts.deps.hostFor(target)
  const probe = parts.deps.probeFor(host)
  const secrets = await parts.store.secrets(stored)
  hide.learn(Object.values(secrets))
  const copies = await copiesOf(parts, stored)
  await log.timed('plan', null, 'What the deployment left was compared with what is there', () => compare(stored, host))
  const plan = planBack(stored, copies)
  if (parts.deps.scripts === false) refuseScripts(plan.steps)
  const files = await log.timed('backup', null, 'What will be changed was read', () => backUp(parts, { plan, host }))
  return { deploymentId, plan, target, rollback: true, host, probe, secrets, leaf: '', files, undoes, restored: async (path) => copies.get(path) }
}

/** @throws CertloopError UNDO_NOT_POSSIBLE */
async function journalOf({ store, limits }: EngineParts, undoes: UndoRequest['undoes'], target: EngineTarget): Promise<StoredJournal> {
  const all = await store.all()
  const at = all.findLastIndex((one) => one.begin.deploymentId === undoes)
  const stored = all[at]
  if (stored === undefined) throw new NotPossible(`The bot has no record of this deployment any more: what it replaced is kept for ${limits.undoDays} days, or until the next deployment to the same place.`)
  if (isOpen(stored) || !keepsNew(stored)) throw new NotPossible('This deployment did not stay in place.')
  if (machineIn(stored) !== machineOf(target)) throw new NotPossible('The target has been changed since and leads to another machine.')
  const paths = new Set(pathsOf(stored))
  const later = all.slice(at + 1).find((one) => machineIn(one) === machineIn(stored) && keepsNew(one) && pathsOf(one).some((path) => paths.has(path)))
  if (later !== undefined) throw new NotPossible(`A later deployment (${later.begin.deploymentId}) has replaced the same files since.`)
  return stored
}

const pathsOf = ({ begin }: StoredJournal): string[] => begin.plan.steps.flatMap((step) => (isFile(step) ? [step.path] : []))
type FileStep = Extract<Step, { kind: 'write-file' | 'keystore-entry' | 'restore-file' }>
const isFile = (step: Step): step is FileStep => step.kind === 'write-file' || step.kind === 'keystore-entry' || step.kind === 'restore-file'

/** The files as they were before, by their paths; none for those that were not there. */
async function copiesOf({ store, limits }: EngineParts, stored: StoredJournal): Promise<Map<string, BackupFile>> {
  const copies = new Map<string, BackupFile>()
  for (const step of stored.begin.plan.steps.filter(isFile)) {
    if (step.replaces === null) continue
    const copy = await store.backup(stored.folder, step.path).catch((error: unknown) => {
      throw new NotPossible(`What it replaced is not kept any more (${limits.undoDays} days, or until the next deployment to the same place): ${toCertloopError(error).message}`)
    })
    if (copy === undefined) throw new NotPossible(`There is no copy of ${step.path} as it was before.`)
    copies.set(step.path, copy)
  }
  return copies
}

const stagedIn = ({ records }: StoredJournal): Record<string, string> => Object.assign({}, ...records.map((record) => (record.type === 'staged' ? record.digests ?? {} : {}))) as Record<string, string>

/** What somebody changed since is not taken away. @throws CertloopError UNDO_NOT_POSSIBLE with the differences */
async function compare(stored: StoredJournal, host: Host): Promise<void> {
  const staged = stagedIn(stored)
  const differences: string[] = []
  for (const [index, step] of stored.begin.plan.steps.entries()) {
    if (!isFile(step)) continue
    const content = await host.readFile(step.path)
    if (content === undefined) differences.push(`${step.path}: the file is gone.`)
    else if (sha256Hex(content) !== staged[index]) differences.push(`${step.path}: the file that is there now is not the one that the deployment left.`)
  }
  if (differences.length > 0) throw new NotPossible('What the deployment left has been changed since.', differences)
}

/** The way back as a plan: the changes in reverse, then the same tests and reloads, then a proof of what was served before. Scripts are not run. */
function planBack(stored: StoredJournal, copies: ReadonlyMap<string, BackupFile>): Plan {
  const { plan } = stored.begin
  const staged = stagedIn(stored)
  const changes = plan.steps.flatMap((step, index): Step[] => (isFile(step) ? [restore(step, copies.get(step.path), staged[index] ?? '')] : []))
  const folders = plan.steps.flatMap((step): Step[] => (step.kind === 'make-directory' ? [{ kind: 'remove-directory', path: step.path }] : []))
  const rest = plan.steps.filter(({ kind }) => ['run-command', 'reload-service', 'http-request', 'socket-command'].includes(kind))
  // What is cleaned up goes from the last to the first: the files of a folder before the folder.
  return sealPlan({ serverType: plan.serverType, observed: [], steps: [...folders, ...changes.toReversed(), ...rest, ...plan.steps.flatMap((step) => (step.kind === 'prove' ? proveBack(step) : []))] })
}

function restore({ path }: FileStep, copy: BackupFile | undefined, left: string): Step {
  return { kind: 'restore-file', path, replaces: left, contentDigest: copy === undefined ? null : sha256Hex(copy.content), ownership: copy?.ownership ?? null }
}

/** Endpoints may have served different certificates before; where nothing answered there is nothing to prove. */
function proveBack(step: ProveStep): Step[] {
  const before = [...new Set(step.endpoints.flatMap((e) => (e.before === null ? [] : [e.before])))]
  return before.map((expect) => ({ ...step, expect, endpoints: step.endpoints.filter((e) => e.before === expect).map(({ endpoint }) => ({ endpoint, before: step.expect })) }))
}
