import { CertloopError, type DeployResult, type DeploymentId, type ErrorCode, toCertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { mkdir } from 'node:fs/promises'
import { createJournalStore, isAcknowledged, isOpen, type JournalStore, machineIn, outcomeIn, type StoredJournal } from './journal-store.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { createLog, type DeployLog } from './log.ts'
import { createPlanTexts, type PlanTexts } from './plan-texts.ts'
import { recoverRun } from './recovery.ts'
import type { Run } from './run.ts'
import { createSealer } from './sealing.ts'
import { createRedactor, type Redactor, secretsOf } from './secrets.ts'
import type { EngineDeps, EngineLimits, EngineTarget, Recovered, StopWatch, Unrecovered } from './types.ts'
import { away } from './unfinished.ts'

const defaultLimits: EngineLimits = { backupDays: 30, backupsPerPath: 5, undoDays: 7, backupBytes: 256 * 1024 * 1024, planDays: 30, plansKept: 500, recoverySeconds: 60 }

/** What the calls of one engine share. */
export interface EngineParts {
  readonly deps: EngineDeps
  readonly limits: EngineLimits
  readonly point: (name: string) => void
  readonly store: JournalStore
  readonly planTexts: PlanTexts
  readonly ledger: Ledger
  /** Machines with a journal of this process that was not closed: something could not be removed or written. */
  readonly leftOpen: Set<string>
}

export function createParts(deps: EngineDeps): EngineParts {
  const point = deps.crashPoint ?? (() => {})
  const sealer = createSealer(deps.folder)
  return {
    deps, point,
    limits: { ...defaultLimits, ...deps.limits },
    store: createJournalStore(deps.folder, sealer, { now: deps.now, point }),
    planTexts: createPlanTexts(deps.folder, sealer),
    ledger: createLedger(deps.folder),
    leftOpen: new Set(),
  }
}

/** What a run has of the engine. */
export const shared = ({ deps, ledger, point }: EngineParts, machine: string, id: DeploymentId): Pick<Run, 'now' | 'point' | 'ledger' | 'watchStops' | 'stops' | 'machine'> =>
  ({ now: deps.now, machine, point, ledger: (placed) => ledger.note(machine, placed), stops: undefined, watchStops: () => deps.watchStops?.(id) })

/** The fields as a driver gets them, secret ones among them. */
export const fieldsOf = ({ fields, secrets }: EngineTarget): Record<string, unknown> => ({ ...fields, ...secrets?.fields })

/** What the driver of a target finds installed. */
export const installedBy = ({ deps }: EngineParts, target: EngineTarget, host: Host): Run['installed'] => async () =>
  (await (await deps.driverFor(target.serverType)).inspect({ host, probe: deps.probeFor(host) }, fieldsOf(target))).installedPem

export async function storedOutcome({ store }: EngineParts, deploymentId: DeploymentId): Promise<DeployResult | undefined> {
  const stored = await store.latest(deploymentId)
  return stored && !isAcknowledged(stored) ? outcomeIn(stored.records) : undefined
}

/** What is asked for now: its target may have another login or host key than a journal knows, and it may be the very one of a journal. */
export interface Asked { target: EngineTarget; deploymentId?: DeploymentId; cancel?: AbortSignal | undefined }

/**
 * Ends one open journal. `now`: what is asked for on the same machine.
 * @throws CertloopError when its host can't be had, or what lies in the journal can't be read
 */
export async function takeUp(parts: EngineParts, stored: StoredJournal, log: DeployLog, hide: Redactor, now?: Asked): Promise<DeployResult> {
  const { deps, store } = parts
  const { deploymentId, plan, rollback, undoes, leaf = '' } = stored.begin
  const [target, secrets] = [await store.target(stored), await store.secrets(stored)]
  hide.learn([...secretsOf(target.secrets ?? {}), ...Object.values(secrets)])
  const host = await hostOf(parts, stored, target, now?.target)
  const journal = await store.reopen(stored)
  const stops = await stopsOf(deps, stored)
  try {
    return await recoverRun({
      deploymentId, plan, rollback, host, journal, log, hide, secrets, leaf, undoes,
      cancel: anyOf(cancelOf(deploymentId, now), stops?.cancel),
      ...shared(parts, machineIn(stored), deploymentId),
      stops, folder: stored.folder,
      probe: deps.probeFor(host),
      material: undefined,
      staged: new Map(),
      backup: (path) => store.backup(stored.folder, path),
      installed: installedBy(parts, target, host),
      begun: new Set(), recovering: true, troubled: true, mayActivate: true,
    })
  } finally {
    stops?.end()
    if (!journal.records.some((record) => record.type === 'closed')) parts.leftOpen.add(machineIn(stored))
    await journal.close()
  }
}

/** What people want of it by now. What is decided already needs nobody's word. */
async function stopsOf(deps: EngineDeps, { begin, records }: StoredJournal): Promise<StopWatch | undefined> {
  if (outcomeIn(records) !== undefined) return undefined
  const stops = deps.watchStops?.(begin.deploymentId)
  await stops?.asked
  return stops
}

const cancelOf = (id: DeploymentId, now: Asked | undefined) => (now?.deploymentId === id ? now.cancel : undefined)
const anyOf = (...signals: (AbortSignal | undefined)[]): AbortSignal | undefined => {
  const given = signals.filter((signal) => signal !== undefined)
  return given.length === 0 ? undefined : AbortSignal.any(given)
}

const entryRefused: ReadonlySet<ErrorCode> = new Set(['LOGIN_REFUSED', 'HOST_KEY_UNKNOWN', 'HOST_KEY_CHANGED'])

/** The way in that the journal knows; where that is refused by now, the one that the target has today. */
async function hostOf({ deps }: EngineParts, { begin }: StoredJournal, then: EngineTarget, now: EngineTarget | undefined): Promise<Host> {
  const host = await deps.hostFor(then)
  const refused = now === undefined ? undefined : await away(host, begin.plan)
  return now !== undefined && refused !== undefined && entryRefused.has(refused.code) ? deps.hostFor(now) : host
}

export interface Recovery { recovered: Recovered[]; stuck: Unrecovered[] }
export type RecoverySink = (deploymentId: DeploymentId, entry: DeployResult['log'][number]) => void

/** Makes the folder ready. Before any journal is made. */
export async function prepareFolder({ deps, store }: EngineParts): Promise<void> {
  await mkdir(deps.folder, { recursive: true, mode: 0o700 })
  await store.removeFragments()
}

/** The machines with journals that are open. */
export async function openMachines({ store }: EngineParts): Promise<string[]> {
  return [...new Set((await store.all()).filter(isOpen).map(machineIn))]
}

/** Ends every open journal of a machine, oldest first; one that can't be ended does not keep the others. */
export async function takeUpAll(parts: EngineParts, machine: string, onLog?: RecoverySink, now?: Asked): Promise<Recovery> {
  const recovery: Recovery = { recovered: [], stuck: [] }
  parts.leftOpen.delete(machine)
  for (const stored of (await parts.store.all()).filter((one) => isOpen(one) && machineIn(one) === machine)) {
    const { deploymentId } = stored.begin
    const hide = createRedactor()
    const log = createLog(parts.deps.now, (entry) => onLog?.(deploymentId, entry), hide)
    try {
      recovery.recovered.push({ deploymentId, result: await takeUp(parts, stored, log, hide, now) })
    } catch (thrown) {
      const error = hide.error(toCertloopError(thrown))
      log.say('recover', `The deployment can not be ended now: ${error.message}`, { ok: false })
      recovery.stuck.push({ deploymentId, error: error.toWire() })
    }
  }
  return recovery
}

/** Removes what is too old to keep. */
export async function prune({ store, planTexts, limits, deps }: EngineParts): Promise<void> {
  await store.prune(limits)
  await planTexts.prune(limits, deps.now())
}

/** What a start of the bot says of a machine that it does not wait for any longer. */
export async function notYetEnded({ store, limits }: EngineParts, machine: string): Promise<Recovery> {
  const open = (await store.all()).filter((one) => isOpen(one) && machineIn(one) === machine)
  const error = new CertloopError('HOST_UNREACHABLE', `The machine (${machine}) did not answer within ${limits.recoverySeconds} s. It is tried on.`, { machine }).toWire()
  return { recovered: [], stuck: open.map(({ begin: { deploymentId } }) => ({ deploymentId, error })) }
}
