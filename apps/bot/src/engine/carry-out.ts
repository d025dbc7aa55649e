import { CertloopError, type DeployResult, type DeploymentId, machineOf, type Plan, toCertloopError } from '@certloop/contract'
import type { Host, Prober } from '@certloop/plugin-kit'
import { type BackupFile, isOpen } from './journal-store.ts'
import type { DeployLog } from './log.ts'
import { type EngineParts, installedBy, shared, takeUp } from './parts.ts'
import type { Run } from './run.ts'
import { neededLater, type Redactor } from './secrets.ts'
import type { RunMaterial } from './steps/executor.ts'
import { execute } from './transaction.ts'
import { DeploymentUnfinished, HostAway, saysNothing } from './unfinished.ts'
import type { EngineTarget } from './types.ts'

/** A plan that was checked, with all it needs: everything that will be changed is read, and nothing is touched. */
export interface Prepared {
  deploymentId: DeploymentId
  plan: Plan
  target: EngineTarget
  rollback: boolean
  host: Host
  probe: Prober
  secrets: Readonly<Record<string, string>>
  /** SHA-256 of the DER of the certificate that is installed; empty where the engine does not know it. */
  leaf: string
  files: BackupFile[]
  material?: RunMaterial
  undoes?: DeploymentId
  restored?: Run['restored']
}

/** Carries out a prepared plan under a journal. @throws DeploymentUnfinished */
export async function carryOut(parts: EngineParts, prepared: Prepared, { log, hide, cancel }: { log: DeployLog; hide: Redactor; cancel: AbortSignal | undefined }): Promise<DeployResult> {
  const { store } = parts
  const { deploymentId, plan, rollback, target, leaf, host, probe, secrets, material, files, undoes, restored } = prepared
  const machine = machineOf(target)
  const journal = await log.timed('backup', null, 'Journal and backup are on disk', () =>
    store.create({ deploymentId, target, plan, rollback, files, leaf, secrets: neededLater(plan.steps, secrets), ...(undoes === undefined ? {} : { undoes }) }))
  try {
    return await execute({
      deploymentId, plan, rollback, host, probe, secrets, material, leaf, journal, log, hide, undoes, restored, cancel, folder: journal.folder,
      ...shared(parts, machine, deploymentId),
      staged: new Map(),
      backup: (path) => store.backup(journal.folder, path),
      installed: installedBy(parts, target, host),
      begun: new Set(), recovering: false, troubled: false, mayActivate: true,
    })
  } catch (thrown) {
    if (thrown instanceof HostAway) throw unfinished(thrown, log, hide)
    return await afterSurprise(parts, deploymentId, hide.error(toCertloopError(thrown)), log, hide)
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
async function afterSurprise(parts: EngineParts, deploymentId: DeploymentId, error: CertloopError, log: DeployLog, hide: Redactor): Promise<DeployResult> {
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
