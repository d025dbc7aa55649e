import { CertloopError, newId, type CertificateId, type CsrTemplate, type CsrTemplateId, type CsrTemplateInput, type CsrTemplateRules, type CsrTemplateVersion } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromJson, iso, toJson } from '../database/columns.ts'
import { isUniqueViolation, type Db, type Tx } from '../database/database.ts'

export interface CsrTemplateTable {
  id: CsrTemplateId
  name: string
  description: string
  /** Of the rules now. */
  version: number
  /** JSON of CsrTemplateRules. */
  rules: string
  createdAt: string
  updatedAt: string
}
/** Every version there was, the present one too. */
export interface CsrTemplateVersionTable { templateId: CsrTemplateId; version: number; rules: string; changedBy: string; at: string }
export interface CsrTemplateTables { csrTemplate: CsrTemplateTable; csrTemplateVersion: CsrTemplateVersionTable }
export type CsrTemplateRow = Selectable<CsrTemplateTable>

const toTemplate = (row: CsrTemplateRow, usedBy: number): CsrTemplate => ({ ...row, rules: fromJson(row.rules), usedBy })

/** By name. The uses of all are counted in one query. */
export async function listTemplates(db: Db | Tx): Promise<CsrTemplate[]> {
  const rows = await db.selectFrom('csrTemplate').selectAll().orderBy('name').execute()
  const uses = await db.selectFrom('configuration').select((eb) => ['templateId', eb.fn.countAll<number>().as('count')]).where('templateId', 'is not', null).groupBy('templateId').execute()
  const counts = new Map(uses.map(({ templateId, count }) => [templateId, Number(count)]))
  return rows.map((row) => toTemplate(row, counts.get(row.id) ?? 0))
}

export async function findTemplate(db: Db | Tx, id: CsrTemplateId): Promise<CsrTemplateRow | undefined> {
  return db.selectFrom('csrTemplate').selectAll().where('id', '=', id).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
async function getTemplateRow(db: Db | Tx, id: CsrTemplateId): Promise<CsrTemplateRow> {
  const row = await findTemplate(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no CSR template ${id}.`, { templateId: id })
  return row
}
/** @throws CertloopError NOT_FOUND */
export async function readTemplate(db: Db | Tx, id: CsrTemplateId): Promise<CsrTemplate> {
  const row = await getTemplateRow(db, id)
  const { count } = await db.selectFrom('configuration').select((eb) => eb.fn.countAll<number>().as('count')).where('templateId', '=', id).executeTakeFirstOrThrow()
  return toTemplate(row, Number(count))
}

/** Newest first. */
export async function versionsOfTemplate(db: Db | Tx, id: CsrTemplateId): Promise<CsrTemplateVersion[]> {
  const rows = await db.selectFrom('csrTemplateVersion').select(['version', 'rules', 'changedBy', 'at']).where('templateId', '=', id).orderBy('version', 'desc').limit(1000).execute()
  return rows.map((row) => ({ ...row, rules: fromJson<CsrTemplateRules>(row.rules) }))
}

export interface TemplateVersion { name: string; version: number; rules: CsrTemplateRules }

/** @param version null: the newest @returns undefined when there is no such template or version */
export async function findTemplateVersion(db: Db | Tx, id: CsrTemplateId, version: number | null): Promise<TemplateVersion | undefined> {
  const row = await db.selectFrom('csrTemplate as t').innerJoin('csrTemplateVersion as v', 'v.templateId', 't.id').select(['t.name', 'v.version', 'v.rules'])
    .where('t.id', '=', id).where('v.version', '=', (eb) => (version === null ? eb.ref('t.version') : eb.val(version))).executeTakeFirst()
  return row && { ...row, rules: fromJson<CsrTemplateRules>(row.rules) }
}

const taken = (name: string, error: unknown) => new CertloopError('CONFLICT', `There is a CSR template "${name}" already.`, { name }, error)

async function insertVersion(tx: Tx, { id, version, rules }: Pick<CsrTemplateRow, 'id' | 'version' | 'rules'>, changedBy: string, now: Date): Promise<void> {
  await tx.insertInto('csrTemplateVersion').values({ templateId: id, version, rules, changedBy, at: iso(now) }).execute()
}

/** @throws CertloopError CONFLICT when the name is taken */
export async function insertTemplate(tx: Tx, { name, description, rules }: CsrTemplateInput, requester: string, now: Date): Promise<CsrTemplate> {
  const row: CsrTemplateRow = { id: newId('tpl', now), name, description, version: 1, rules: toJson(rules), createdAt: iso(now), updatedAt: iso(now) }
  try {
    await tx.insertInto('csrTemplate').values(row).execute()
  } catch (error) {
    throw isUniqueViolation(error) ? taken(name, error) : error
  }
  await insertVersion(tx, row, requester, now)
  return toTemplate(row, 0)
}

/**
 * The next version; the earlier ones stay.
 * @param version as it was read
 * @throws CertloopError NOT_FOUND; CONFLICT when somebody changed it since, or the name is taken
 */
export async function updateTemplate(tx: Tx, id: CsrTemplateId, { version, name, description, rules }: CsrTemplateInput & { version: number }, requester: string, now: Date): Promise<CsrTemplate> {
  const changes = { name, description, rules: toJson(rules), version: version + 1, updatedAt: iso(now) }
  try {
    const { numUpdatedRows } = await tx.updateTable('csrTemplate').set(changes).where('id', '=', id).where('version', '=', version).executeTakeFirst()
    if (numUpdatedRows === 0n) {
      const present = await getTemplateRow(tx, id)
      throw new CertloopError('CONFLICT', `The CSR template "${present.name}" was changed by somebody else: it is at version ${present.version}.`, { templateId: id, version: present.version })
    }
  } catch (error) {
    throw isUniqueViolation(error) ? taken(name, error) : error
  }
  await insertVersion(tx, { id, ...changes }, requester, now)
  return readTemplate(tx, id)
}

const shownUsers = 5

/** @throws CertloopError NOT_FOUND; CONFLICT naming configurations that name it */
export async function deleteTemplate(tx: Tx, id: CsrTemplateId): Promise<void> {
  const { name } = await getTemplateRow(tx, id)
  const users = await tx.selectFrom('configuration as f').innerJoin('certificate as c', 'c.id', 'f.certificateId').select('c.name').where('f.templateId', '=', id).orderBy('f.certificateId').limit(shownUsers).execute()
  if (users.length > 0) {
    const { usedBy } = await readTemplate(tx, id)
    const more = usedBy > users.length ? ` and ${usedBy - users.length} more` : ''
    throw new CertloopError('CONFLICT', `The CSR template "${name}" is named by the configuration of ${users.map((user) => `"${user.name}"`).join(', ')}${more}. Choose another there first.`, { templateId: id, usedBy })
  }
  await tx.deleteFrom('csrTemplateVersion').where('templateId', '=', id).execute()
  await tx.deleteFrom('csrTemplate').where('id', '=', id).execute()
}

/** Certificates whose whole configuration follows the newest version of a template, by id. */
export async function followersOf(db: Db | Tx, id: CsrTemplateId, after: CertificateId | null, limit: number): Promise<CertificateId[]> {
  let query = db.selectFrom('configuration').select('certificateId').where('templateId', '=', id).orderBy('certificateId').limit(limit)
  if (after !== null) query = query.where('certificateId', '>', after)
  return (await query.execute()).map((row) => row.certificateId)
}
