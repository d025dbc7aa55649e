import { CertloopError, csrDefaults, deploymentTimingDefault, newId, placementDefault, renewalDefaults, rolloutDefault, validationDefaults, type AuthorityId, type BotId, type CertificateId, type Configuration, type CsrInput, type CsrSettings, type CsrTemplateId, type DeploymentTiming, type Reach, type RenewalInput, type RenewalSettings, type RolloutSettings, type SeenHostKey, type Target, type TargetId, type TargetOptions, type TargetPlacement, type TargetSecrets, type ValidationSettings } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromBit, fromJson, fromJsonOrNull, iso, toBit, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import { openSecrets, sealSecrets, secretsSet } from './kept-secrets.ts'

export interface ConfigurationTable {
  certificateId: CertificateId
  complete: number
  authorityId: AuthorityId | null
  /** JSON of the ids of further authorities, in their order. */
  fallbacks: string
  csr: string
  /** The one that `csr` names, for counting. */
  templateId: CsrTemplateId | null
  /** JSON of a WireError: what no longer fits since it was saved. */
  problem: string | null
  renewal: string
  validation: string
  /** JSON of a DeploymentTiming. */
  deployment: string
  rollout: string
  deployAfterRenewal: number
  rollback: number
  approval: 'automatic' | 'manual'
  updatedAt: string
}
/** A target that is no longer wanted stays as a removed row, for the deployments that name it. */
export interface TargetTable {
  id: TargetId
  certificateId: CertificateId
  position: number
  botId: BotId
  serverType: string
  /** JSON of a Reach. */
  reach: string
  /** Without secrets. */
  fields: string
  options: string
  /** JSON of a TargetPlacement. */
  placement: string
  /** The pair word of the placement, for finding the others. */
  pair: string | null
  /** TargetSecrets, sealed for this row; null: none. */
  sealedSecrets: string | null
  /** A host key that waits for somebody to confirm it. */
  seenHostKey: string | null
  placeKey: string
  title: string
  removedAt: string | null
  createdAt: string
}
export interface ConfigurationTables { configuration: ConfigurationTable; target: TargetTable }
export type ConfigurationRow = Selectable<ConfigurationTable>
export type TargetRow = Selectable<TargetTable>

export interface NewTarget { /** The target that it is already. */ known: TargetId | null; botId: BotId; serverType: string; reach: Reach; fields: Record<string, unknown>; options: TargetOptions; placement: TargetPlacement; secrets: TargetSecrets; placeKey: string; title: string }

type Place = Pick<NewTarget, 'botId' | 'serverType' | 'placeKey'>
export const samePlace = (a: Place, b: Place): boolean => a.botId === b.botId && a.serverType === b.serverType && a.placeKey === b.placeKey

/** Another certificate whose configuration has this place as a target; whether the first was enrolled again from it. */
export async function otherOwnerOf(tx: Tx, certificateId: CertificateId, { botId, serverType, placeKey }: Place): Promise<{ name: string; isParent: boolean } | undefined> {
  const row = await tx.selectFrom('target as t').innerJoin('certificate as c', 'c.id', 't.certificateId').leftJoin('certificate as own', (j) => j.on('own.id', '=', certificateId)).select(['c.id', 'c.name', 'own.parentId'])
    .where('t.botId', '=', botId).where('t.serverType', '=', serverType).where('t.placeKey', '=', placeKey).where('t.removedAt', 'is', null).where('t.certificateId', '!=', certificateId).executeTakeFirst()
  return row && { name: row.name, isParent: row.id === row.parentId }
}

export async function saveConfiguration(tx: Tx, secrets: Secrets, certificateId: CertificateId, c: Omit<Configuration, 'targets' | 'updatedAt'>, targets: readonly NewTarget[], now: Date): Promise<void> {
  const row = { complete: toBit(c.complete), authorityId: c.authorityId, fallbacks: toJson(c.fallbackAuthorityIds), csr: toJson(c.csr), templateId: c.csr.templateId, problem: null, validation: toJson(c.validation), renewal: toJson(c.renewal), deployment: toJson(c.deployment), rollout: toJson(c.rollout), deployAfterRenewal: toBit(c.deployAfterRenewal), rollback: toBit(c.rollback), approval: c.approval, updatedAt: iso(now) }
  await tx.insertInto('configuration').values({ certificateId, ...row }).onConflict((o) => o.column('certificateId').doUpdateSet(row)).execute()
  const present = await targetsOf(tx, certificateId)
  for (const [position, target] of targets.entries()) {
    const id = target.known ?? newId('tgt', now)
    const before = present.find((p) => p.id === target.known)
    const reach = toJson(target.reach)
    const changes = { position, reach, fields: toJson(target.fields), options: toJson(target.options), placement: toJson(target.placement), pair: target.placement.pair, sealedSecrets: sealSecrets(secrets, id, target.secrets), title: target.title, seenHostKey: before?.reach === reach ? before.seenHostKey : null }
    if (before) await tx.updateTable('target').set(changes).where('id', '=', id).execute()
    else await tx.insertInto('target').values({ id, certificateId, botId: target.botId, serverType: target.serverType, placeKey: target.placeKey, removedAt: null, createdAt: iso(now), ...changes }).execute()
  }
  const kept = new Set(targets.map((t) => t.known))
  // A removed target is kept for its deployments; what was secret about it is not.
  for (const gone of present.filter((p) => !kept.has(p.id))) await tx.updateTable('target').set({ removedAt: iso(now), sealedSecrets: null, seenHostKey: null }).where('id', '=', gone.id).execute()
}

export async function updateTarget(tx: Tx, id: TargetId, changes: Partial<Pick<TargetTable, 'reach' | 'seenHostKey'>>): Promise<void> {
  await tx.updateTable('target').set(changes).where('id', '=', id).execute()
}

/** As if there had never been one. Only for one without targets: those are kept for their deployments. */
export async function removeConfiguration(tx: Tx, certificateId: CertificateId): Promise<void> {
  await tx.deleteFrom('configuration').where('certificateId', '=', certificateId).execute()
}

/** It is no longer what somebody who has it open began with. */
export async function touchConfiguration(tx: Tx, certificateId: CertificateId, now: Date): Promise<void> {
  await tx.updateTable('configuration').set({ updatedAt: iso(now) }).where('certificateId', '=', certificateId).execute()
}

export async function findConfiguration(db: Db | Tx, certificateId: CertificateId): Promise<ConfigurationRow | undefined> {
  return db.selectFrom('configuration').selectAll().where('certificateId', '=', certificateId).executeTakeFirst()
}
/** Wanted targets in their order. */
export async function targetsOf(db: Db | Tx, certificateId: CertificateId): Promise<TargetRow[]> {
  return db.selectFrom('target').selectAll().where('certificateId', '=', certificateId).where('removedAt', 'is', null).orderBy('position').orderBy('id').execute()
}
/** Of all wanted targets on one bot, in no order. */
export async function targetPlacesOn(db: Db | Tx, botId: BotId): Promise<Pick<TargetRow, 'certificateId' | 'serverType' | 'placeKey'>[]> {
  return db.selectFrom('target').select(['certificateId', 'serverType', 'placeKey']).where('botId', '=', botId).where('removedAt', 'is', null).execute()
}
export async function findTarget(db: Db | Tx, id: TargetId): Promise<TargetRow | undefined> {
  return db.selectFrom('target').selectAll().where('id', '=', id).executeTakeFirst()
}

// What was saved by an earlier version lacks the newer fields.
export const csrOf = (row: Pick<ConfigurationRow, 'csr'>): CsrSettings => ({ ...csrDefaults, ...fromJson<CsrInput>(row.csr) })
export const renewalOf = (row: Pick<ConfigurationRow, 'renewal'>): RenewalSettings => ({ ...renewalDefaults, ...fromJson<RenewalInput>(row.renewal) })
export const validationOf = (row: Pick<ConfigurationRow, 'validation'>): ValidationSettings => ({ ...validationDefaults, ...fromJson<Partial<ValidationSettings>>(row.validation) })
export const deploymentTimingOf = (row: Pick<ConfigurationRow, 'deployment'>): DeploymentTiming => ({ ...deploymentTimingDefault, ...fromJson<Partial<DeploymentTiming>>(row.deployment) })
export const rolloutOf = (row: Pick<ConfigurationRow, 'rollout'>): RolloutSettings => ({ ...rolloutDefault, ...fromJson<Partial<RolloutSettings>>(row.rollout) })
export const placementOf = (row: Pick<TargetRow, 'placement'>): TargetPlacement => ({ ...placementDefault, ...fromJson<Partial<TargetPlacement>>(row.placement) })

export const reachOf = (row: Pick<TargetRow, 'reach'>): Reach => fromJson(row.reach)
export const seenHostKeyOf = (row: Pick<TargetRow, 'seenHostKey'>): SeenHostKey | null => fromJsonOrNull(row.seenHostKey)

export function toTarget(row: TargetRow, botName: string, secrets: Secrets): Target {
  const { id, botId, serverType, title } = row
  return { id, botId, botName, serverType, reach: reachOf(row), fields: fromJson(row.fields), title, placement: placementOf(row), ...fromJson<TargetOptions>(row.options), secretsSet: namesOfSecrets(row, secrets), seenHostKey: seenHostKeyOf(row) }
}

/** A secret that can't be opened is none that is set: it has to be entered again. */
function namesOfSecrets(row: TargetRow, secrets: Secrets): string[] {
  try {
    return secretsSet(openSecrets(secrets, row))
  } catch (error) {
    if (error instanceof CertloopError && error.code === 'SECRET_UNREADABLE') return []
    throw error
  }
}

export function toConfiguration(row: ConfigurationRow, targets: Target[]): Configuration {
  return { complete: fromBit(row.complete), targets, authorityId: row.authorityId, fallbackAuthorityIds: fromJson<AuthorityId[]>(row.fallbacks), csr: csrOf(row), validation: validationOf(row), renewal: renewalOf(row), deployment: deploymentTimingOf(row), rollout: rolloutOf(row), deployAfterRenewal: fromBit(row.deployAfterRenewal), rollback: fromBit(row.rollback), approval: row.approval, updatedAt: row.updatedAt }
}
