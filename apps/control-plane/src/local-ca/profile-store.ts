import { CertloopError, newId, type ProfileId } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromJson, iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { builtInProfiles, type ProfileRules } from './profiles.ts'

export interface ProfileTable { id: ProfileId; name: string; rules: string; revision: number; createdAt: string; updatedAt: string }
export interface ProfileTables { ca_profile: ProfileTable }

export interface Profile { name: string; rules: ProfileRules; /** null: built in, can't be changed. */ stored: { id: ProfileId; revision: number; updatedAt: Date } | null }

const profileOf = (row: Selectable<ProfileTable>): Profile => ({ name: row.name, rules: fromJson<ProfileRules>(row.rules), stored: { id: row.id, revision: row.revision, updatedAt: new Date(row.updatedAt) } })
const builtIn = (name: string): Profile | undefined =>
  (Object.hasOwn(builtInProfiles, name) ? { name, rules: builtInProfiles[name as keyof typeof builtInProfiles], stored: null } : undefined)

/** The built-in ones first, then the stored by name. */
export async function listProfiles(db: Db | Tx): Promise<Profile[]> {
  const rows = await db.selectFrom('ca_profile').selectAll().orderBy('name').execute()
  return [...Object.keys(builtInProfiles).flatMap((name) => builtIn(name) ?? []), ...rows.map(profileOf)]
}

/** @throws CertloopError NOT_FOUND */
export async function getProfile(db: Db | Tx, name: string): Promise<Profile> {
  const present = builtIn(name)
  if (present) return present
  const row = await db.selectFrom('ca_profile').selectAll().where('name', '=', name).executeTakeFirst()
  if (!row) throw new CertloopError('NOT_FOUND', `There is no issuance profile "${name}".`, { profile: name })
  return profileOf(row)
}

/** @throws CertloopError CONFLICT when the name is taken */
export async function insertProfile(tx: Tx, name: string, rules: ProfileRules, now: Date): Promise<Profile> {
  const row = { id: newId('pfl', now), name, rules: toJson(rules), revision: 1, createdAt: iso(now), updatedAt: iso(now) }
  const { numInsertedOrUpdatedRows } = await tx.insertInto('ca_profile').values(row).onConflict((c) => c.column('name').doNothing()).executeTakeFirstOrThrow()
  if (Object.hasOwn(builtInProfiles, name) || numInsertedOrUpdatedRows !== 1n) throw new CertloopError('CONFLICT', `There is a profile "${name}" already.`, { profile: name })
  return profileOf(row)
}

/** @param revision that was read before the change. @throws CertloopError CONFLICT when somebody changed it since, or it is built in; NOT_FOUND */
export async function updateProfile(tx: Tx, name: string, rules: ProfileRules, revision: number, now: Date): Promise<Profile> {
  if (builtIn(name)) throw new CertloopError('CONFLICT', `The profile "${name}" is built in; make a copy under another name and change that.`, { profile: name })
  const { numUpdatedRows } = await tx.updateTable('ca_profile').set((eb) => ({ rules: toJson(rules), revision: eb('revision', '+', 1), updatedAt: iso(now) })).where('name', '=', name).where('revision', '=', revision).executeTakeFirstOrThrow()
  const after = await getProfile(tx, name)
  if (numUpdatedRows !== 1n) throw new CertloopError('CONFLICT', `The profile "${name}" was changed by somebody else: it is at revision ${after.stored?.revision}.`, { profile: name })
  return after
}

/** @throws CertloopError NOT_FOUND, CONFLICT for a built-in one */
export async function deleteProfile(tx: Tx, name: string): Promise<void> {
  const { stored } = await getProfile(tx, name)
  if (!stored) throw new CertloopError('CONFLICT', `The profile "${name}" is built in and can not be deleted.`, { profile: name })
  await tx.deleteFrom('ca_profile').where('id', '=', stored.id).execute()
}
