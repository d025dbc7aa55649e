import { type CertificateDetail, type CertificateId, type CertificateSummary, type Installation, type TargetSuggestion, type WireError } from '@certloop/contract'
import { botNames, latestScan, listBots } from '../bot/bot-store.ts'
import { fromBit, fromJson, fromJsonOrNull } from '../database/columns.ts'
import type { Db } from '../database/database.ts'
import { availability } from '../provisioning/action-rules.ts'
import { latestActions, toAction } from '../provisioning/action-store.ts'
import { actionFacts } from '../provisioning/actions.ts'
import { findConfiguration, renewalOf, targetsOf, toConfiguration, toTarget } from '../provisioning/configuration-store.ts'
import { manifestOf, placeKeyOf, placeTitle, withoutSecrets } from '../provisioning/place.ts'
import { nextRenewals } from '../renewal/renewal-time.ts'
import { lastFailedRenewal } from './certificate-refresh.ts'
import { getCertificate, installationsOf, toVersion, versionsOf, type CertificateRow, type InstallationRow } from './certificate-store.ts'

/** How certificates are shown. */
export async function toSummary(db: Db, row: CertificateRow): Promise<CertificateSummary> {
  const { id, name, status, statusReason, management, notAfter, nextRenewalAt, createdAt, updatedAt } = row
  const versions = await versionsOf(db, id)
  const current = versions.find((v) => v.id === row.currentVersionId)
  const installations = await installationsOf(db, id)
  return {
    id, name, names: fromJson(current?.names ?? row.names), status, statusReason, management, issuer: current?.issuer ?? null, notAfter, fingerprint: current?.fingerprint ?? null, nextRenewalAt,
    installationCount: installations.length, problem: fromJsonOrNull<WireError>(row.problem), createdAt, updatedAt,
  }
}

const toInstallation = (row: InstallationRow, names: Map<string, string>): Installation => ({
  id: row.id, botId: row.botId, botName: names.get(row.botId) ?? row.botId, serverType: row.serverType, title: row.title, versionId: row.versionId, fingerprint: row.fingerprint, state: row.state,
  served: fromJson(row.served), fields: withoutSecrets(manifestOf(row.serverType), fromJson(row.fields)), firstSeenAt: row.firstSeenAt, lastSeenAt: row.lastSeenAt,
})

/** Places that fit this certificate: where it is installed, then servers on known hosts that answer to its names. */
async function suggestions(db: Db, names: readonly string[], installations: readonly Installation[]): Promise<TargetSuggestion[]> {
  const found: TargetSuggestion[] = installations.map((i) => ({ botId: i.botId, botName: i.botName, serverType: i.serverType, title: i.title, fields: i.fields, why: 'It is installed there now.' }))
  const has = (s: TargetSuggestion) => found.some((f) => f.botId === s.botId && f.serverType === s.serverType && placeKeyOf(manifestOf(f.serverType), f.fields) === placeKeyOf(manifestOf(s.serverType), s.fields))
  for (const bot of await listBots(db)) {
    if (bot.revokedAt || bot.purpose === 'discovery') continue
    for (const server of (await latestScan(db, bot.id))?.servers ?? []) {
      for (const slot of server.slots) {
        const shared = slot.names.filter((n) => names.includes(n))
        const suggestion = { botId: bot.id, botName: bot.name, serverType: server.serverType, title: placeTitle(manifestOf(server.serverType), slot.fields), fields: slot.fields, why: `The server there answers to ${shared.join(', ')}.` }
        if (shared.length > 0 && !has(suggestion)) found.push(suggestion)
      }
    }
  }
  return found
}

/** @throws CertloopError NOT_FOUND */
export async function readCertificateDetail(db: Db, id: CertificateId, now: Date): Promise<CertificateDetail> {
  const row = await getCertificate(db, id)
  const summary = await toSummary(db, row)
  const names = await botNames(db)
  const versions = await versionsOf(db, id)
  const installations = (await installationsOf(db, id)).map((i) => toInstallation(i, names))
  const configuration = await findConfiguration(db, id)
  const targets = (await targetsOf(db, id)).map((t) => {
    const target = toTarget(t, names.get(t.botId) ?? t.botId)
    return { ...target, fields: withoutSecrets(manifestOf(t.serverType), target.fields) }
  })
  const actions = await latestActions(db, id, 20)
  const current = versions.find((v) => v.id === row.currentVersionId)
  const renews = configuration && current && row.management === 'managed' && fromBit(configuration.complete)
  const [last] = actions
  return {
    ...summary, currentVersionId: row.currentVersionId, versions: versions.map(toVersion), installations, configuration: configuration ? toConfiguration(configuration, targets) : null,
    suggestions: await suggestions(db, summary.names, installations), actions: availability(await actionFacts(db, id)), lastAction: last ? await toAction(db, last) : null,
    nextRenewals: renews
      ? nextRenewals({ createdAt: new Date(current.createdAt), notBefore: new Date(current.notBefore), notAfter: new Date(current.notAfter) }, renewalOf(configuration), now, 5, lastFailedRenewal(actions, new Date(current.createdAt))).map((d) => d.toISOString())
      : [],
  }
}
