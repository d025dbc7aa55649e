import { type CertificateDetail, type CertificateId, type CertificateSummary, type Installation, type WireError } from '@certloop/contract'
import { botNames } from '../bot/bot-store.ts'
import { fromBit, fromJson, fromJsonOrNull } from '../database/columns.ts'
import type { Db } from '../database/database.ts'
import { availability } from '../provisioning/action-rules.ts'
import { latestActions, toAction } from '../provisioning/action-store.ts'
import { actionFacts } from '../provisioning/actions.ts'
import { deploymentTimingOf, findConfiguration, targetsOf, toConfiguration, toTarget } from '../provisioning/configuration-store.ts'
import { manifestOf, withoutSecrets } from '../provisioning/place.ts'
import type { Secrets } from '../secret/secrets.ts'
import { readRenewalFacts } from '../renewal/renewal-facts.ts'
import { comingRuns, shownRuns } from '../schedule/next-runs.ts'
import { automaticRenewal } from './certificate-refresh.ts'
import { getCertificate, installationsOf, installationCounts, toVersion, versionFacts, versionsOf, type CertificateRow, type InstallationRow, type VersionRow } from './certificate-store.ts'
import { suggestTargets } from './suggestions.ts'
import { revocationsOf } from './version-revocation.ts'

/** How certificates are shown: three queries for a page of them. */
export async function toSummaries(db: Db, rows: readonly CertificateRow[]): Promise<CertificateSummary[]> {
  const versions = await versionFacts(db, rows.map((row) => row.currentVersionId).filter((id) => id !== null))
  const counts = await installationCounts(db, rows.map((row) => row.id))
  return rows.map((row) => summaryOf(row, row.currentVersionId ? versions.get(row.currentVersionId) : undefined, counts.get(row.id) ?? 0))
}

function summaryOf(row: CertificateRow, current: Pick<VersionRow, 'names' | 'issuer' | 'fingerprint'> | undefined, installationCount: number): CertificateSummary {
  const { id, name, status, statusReason, nextAction, management, notAfter, nextRenewalAt, createdAt, updatedAt } = row
  return {
    id, name, names: fromJson(current?.names ?? row.names), status, statusReason, nextAction: nextAction as CertificateSummary['nextAction'], management, issuer: current?.issuer ?? null, notAfter, fingerprint: current?.fingerprint ?? null, nextRenewalAt,
    installationCount, problem: fromJsonOrNull<WireError>(row.problem), createdAt, updatedAt,
  }
}

const toInstallation = (row: InstallationRow, names: Map<string, string>): Installation => ({
  id: row.id, botId: row.botId, botName: names.get(row.botId) ?? row.botId, serverType: row.serverType, title: row.title, versionId: row.versionId, fingerprint: row.fingerprint, state: row.state,
  served: fromJson(row.served), fields: withoutSecrets(manifestOf(row.serverType), fromJson(row.fields)), firstSeenAt: row.firstSeenAt, lastSeenAt: row.lastSeenAt,
})

const mostChildren = 50
/** What it was enrolled again from, and what was enrolled again from it, newest first. */
async function relativesOf(db: Db, { id, parentId }: CertificateRow): Promise<Pick<CertificateDetail, 'parent' | 'children'>> {
  const relatives = db.selectFrom('certificate').select(['id', 'name', 'status'])
  return {
    parent: parentId ? await relatives.where('id', '=', parentId).executeTakeFirst() ?? null : null,
    children: await relatives.where('parentId', '=', id).orderBy('id', 'desc').limit(mostChildren).execute(),
  }
}

/** @throws CertloopError NOT_FOUND */
export async function readCertificateDetail(db: Db, secrets: Secrets, id: CertificateId, now: Date): Promise<CertificateDetail> {
  const row = await getCertificate(db, id)
  const names = await botNames(db)
  const versions = await versionsOf(db, id)
  const revocations = await revocationsOf(db, versions.map((v) => v.fingerprint))
  const current = versions.find((v) => v.id === row.currentVersionId)
  const installationRows = await installationsOf(db, id)
  const installations = installationRows.map((i) => toInstallation(i, names))
  const here = installationRows.filter((i) => i.machine === 'local').map((i) => toInstallation(i, names))
  const summary = summaryOf(row, current, installations.length)
  const configuration = await findConfiguration(db, id)
  const targetRows = await targetsOf(db, id)
  const targets = targetRows.map((t) => toTarget(t, names.get(t.botId) ?? t.botId, secrets))
  const actions = await latestActions(db, id, 20)
  const [last] = actions
  const facts = configuration && await readRenewalFacts(db, id, { renewal: automaticRenewal(row, configuration, targetRows), deployment: deploymentTimingOf(configuration), deployAfterRenewal: fromBit(configuration.deployAfterRenewal), targets: targetRows }, now)
  const runs = facts ? comingRuns(facts, now, shownRuns) : []
  return {
    ...summary, currentVersionId: row.currentVersionId, versions: versions.map((version) => toVersion(version, revocations.get(version.fingerprint) ?? null)), installations, configuration: configuration ? toConfiguration(configuration, targets) : null,
    suggestions: await suggestTargets(db, summary.names, here), actions: availability(await actionFacts(db, id, now)), lastAction: last ? await toAction(db, last) : null,
    nextRuns: runs.slice(0, shownRuns), ...await relativesOf(db, row),
    nextRenewals: runs.filter(({ what }) => what === 'renew').map(({ at }) => at),
  }
}
