import type { CertificateId, DeploymentTiming, RenewalSettings } from '@certloop/contract'
import { needsDeployment, servedUntil, versionsToRenew } from '../certificate/certificate-refresh.ts'
import { installationsOf, newestVersions, versionFacts } from '../certificate/certificate-store.ts'
import type { Db, Tx } from '../database/database.ts'
import { freezesFor } from '../freeze/freeze-store.ts'
import { latestActions } from '../provisioning/action-store.ts'
import { takenBackFrom, withoutTakenBack } from '../deployment/taken-back.ts'
import { targetsOf, type TargetRow } from '../provisioning/configuration-store.ts'
import type { RenewalFacts } from './renewal-due.ts'
import { renewalWindowsOf } from './renewal-window-store.ts'

/** The parts of a configuration that the schedule goes by, as they are or as they would be. */
export interface Schedule {
  /** null: nothing is renewed by itself. */
  renewal: RenewalSettings | null
  deployment: DeploymentTiming
  deployAfterRenewal: boolean
  targets: readonly Pick<TargetRow, 'botId'>[]
}

/** What decides about the next run, read without changing anything. */
export async function readRenewalFacts(db: Db | Tx, id: CertificateId, { renewal, deployment, deployAfterRenewal, targets }: Schedule, now: Date): Promise<RenewalFacts> {
  const versions = await newestVersions(db, id)
  const seen = (await installationsOf(db, id)).filter((i) => i.state !== 'unexpected')
  const installed = await versionFacts(db, seen.map((i) => i.versionId).filter((v) => v !== null))
  const saved = await targetsOf(db, id)
  const looked = withoutTakenBack(saved, seen, await takenBackFrom(db, id, versions, saved))
  const endOf = (versionId: string | null) => [...installed.values()].filter((v) => v.id === versionId).map((v) => new Date(v.notAfter))[0] ?? null
  const installations = seen.map(({ title, state, versionId }) => ({ title, state, trouble: false, notAfter: endOf(versionId) }))
  const newest = versions.find((v) => v.source === 'order') ?? versions[0]
  const current = newest ? { fingerprint: newest.fingerprint, notBefore: new Date(newest.notBefore), notAfter: new Date(newest.notAfter), source: newest.source } : null
  return {
    certificateId: id, renewal: renewal?.enabled ? renewal : null, versions: versionsToRenew(versions, targets), windows: await renewalWindowsOf(db, id), timing: deployment, freezes: await freezesFor(db, now), deploysItself: deployAfterRenewal,
    needsDeployment: needsDeployment({ current, installations: looked.installations, targetCount: targets.length - (saved.length - looked.targetCount) }), servedUntil: servedUntil({ installations }), actions: await latestActions(db, id, 20),
  }
}
