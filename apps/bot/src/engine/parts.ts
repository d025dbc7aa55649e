import { type DeployResult, type DeploymentId, toCertloopError } from '@certloop/contract'
import { mkdir } from 'node:fs/promises'
import { createJournalStore, isAcknowledged, isOpen, type JournalStore, outcomeIn, type StoredJournal } from './journal-store.ts'
import { createLog, type DeployLog } from './log.ts'
import { createPlanTexts, type PlanTexts } from './plan-texts.ts'
import { recoverRun } from './recovery.ts'
import type { Run } from './run.ts'
import { createSealer } from './sealing.ts'
import type { EngineDeps, EngineLimits, Recovered, Unrecovered } from './types.ts'

const defaultLimits: EngineLimits = { backupDays: 30, backupsPerPath: 5, planDays: 30, plansKept: 500 }

/** What the calls of one engine share. */
export interface EngineParts {
  readonly deps: EngineDeps
  readonly limits: EngineLimits
  readonly point: (name: string) => void
  readonly store: JournalStore
  readonly planTexts: PlanTexts
  /** A journal of this process was not closed: something could not be removed or written. */
  leftOpen: boolean
}

export function createParts(deps: EngineDeps): EngineParts {
  const point = deps.crashPoint ?? (() => {})
  return {
    deps, point,
    limits: { ...defaultLimits, ...deps.limits },
    store: createJournalStore(deps.folder, createSealer(deps.folder), { now: deps.now, point }),
    planTexts: createPlanTexts(deps.folder),
    leftOpen: false,
  }
}

export async function storedOutcome({ store }: EngineParts, deploymentId: DeploymentId): Promise<DeployResult | undefined> {
  const stored = await store.latest(deploymentId)
  return stored && !isAcknowledged(stored) ? outcomeIn(stored.records) : undefined
}

/** Ends one open journal. @throws CertloopError when its host can't be had, or what lies in the journal can't be read */
export async function takeUp({ deps, store, point }: EngineParts, stored: StoredJournal, log: DeployLog): Promise<DeployResult> {
  const { deploymentId, plan, rollback } = stored.begin
  const host = await deps.hostFor(await store.target(stored))
  const journal = await store.reopen(stored)
  try {
    const run: Run = {
      deploymentId, plan, rollback, host, journal, log, point,
      probe: deps.probe, now: deps.now,
      content: () => { throw new Error('Nothing is staged after a crash: what lay ready is used, or the deployment is undone.') },
      backup: (path) => store.backup(stored.folder, path),
      begun: new Set(), recovering: true, troubled: true, mayActivate: true,
    }
    return await recoverRun(run)
  } finally {
    await journal.close()
  }
}

export interface Recovery { recovered: Recovered[]; stuck: Unrecovered[] }
export type RecoverySink = (deploymentId: DeploymentId, entry: DeployResult['log'][number]) => void

/** Ends every open journal, oldest first; one that can't be ended does not keep the others. Then removes what is too old to keep. */
export async function takeUpAll(parts: EngineParts, onLog?: RecoverySink): Promise<Recovery> {
  const recovery: Recovery = { recovered: [], stuck: [] }
  parts.leftOpen = false
  await mkdir(parts.deps.folder, { recursive: true, mode: 0o700 })
  await parts.store.removeFragments()
  for (const stored of (await parts.store.all()).filter(isOpen)) {
    const { deploymentId } = stored.begin
    const log = createLog(parts.deps.now, (entry) => onLog?.(deploymentId, entry))
    try {
      recovery.recovered.push({ deploymentId, result: await takeUp(parts, stored, log) })
    } catch (thrown) {
      const error = toCertloopError(thrown)
      log.say('recover', `The deployment can not be ended now: ${error.message}`, { ok: false })
      recovery.stuck.push({ deploymentId, error: error.toWire() })
    }
  }
  await parts.store.prune(parts.limits)
  await parts.planTexts.prune(parts.limits, parts.deps.now())
  return recovery
}
