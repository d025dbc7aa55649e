import type { CertificateId, DeploymentTiming, RenewalSettings } from '@certloop/contract'
import { installationsOf, newestVersions, versionFacts } from '../certificate/certificate-store.ts'
import type { Db, Tx } from '../database/database.ts'
import { freezesFor } from '../freeze/freeze-store.ts'
import { latestActions } from '../provisioning/action-store.ts'
import type { TargetRow } from '../provisioning/configuration-store.ts'
import { careOf, replaceableUntil, toDeploy } from './cared-targets.ts'
import type { RenewalFacts } from './renewal-due.ts'
import { renewalWindowsOf } from './renewal-window-store.ts'

/** The parts of a configuration that the schedule goes by, as they are or as they would be. */
export interface Schedule {
  /** null: nothing is renewed by itself. */
  renewal: RenewalSettings | null
  deployment: DeploymentTiming
  deployAfterRenewal: boolean
  targets: readonly Pick<TargetRow, 'botId' | 'serverType' | 'placeKey' | 'title'>[]
}

/** What decides about the next run, read without changing anything. */
export async function readRenewalFacts(db: Db | Tx, id: CertificateId, { renewal, deployment, deployAfterRenewal, targets }: Schedule, now: Date): Promise<RenewalFacts> {
  const [versions, installations] = [await newestVersions(db, id), await installationsOf(db, id)]
  const ends = await versionFacts(db, installations.map((i) => i.versionId).filter((v) => v !== null))
  const care = await careOf(db, id, { versions, targets, installations, ends })
  return {
    certificateId: id, renewal: renewal?.enabled ? renewal : null, versions: care.versions, windows: await renewalWindowsOf(db, id), timing: deployment, freezes: await freezesFor(db, now), deploysItself: deployAfterRenewal,
    toDeploy: toDeploy(care), servedUntil: replaceableUntil(care), actions: await latestActions(db, id, 20),
  }
}
