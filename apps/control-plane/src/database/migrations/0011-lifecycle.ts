import type { ColumnDataType, Kysely } from 'kysely'

type Columns = Record<string, string>

/** "text" not null, "text?" nullable, "integer" likewise. */
async function table(db: Kysely<unknown>, name: string, columns: Columns, key: readonly string[]): Promise<void> {
  let builder = db.schema.createTable(name)
  for (const [column, type] of Object.entries(columns)) builder = builder.addColumn(column, type.replace('?', '') as ColumnDataType, (c) => (type.endsWith('?') ? c : c.notNull()))
  await builder.addPrimaryKeyConstraint(`${name}_key`, key as never).execute()
}

/** New columns are nullable texts, or texts of JSON with a default. */
async function columns(db: Kysely<unknown>, name: string, nullable: readonly string[], json: readonly string[] = []): Promise<void> {
  for (const column of nullable) await db.schema.alterTable(name).addColumn(column, 'text').execute()
  for (const column of json) await db.schema.alterTable(name).addColumn(column, 'text', (c) => c.notNull().defaultTo('{}')).execute()
}

const index = (db: Kysely<unknown>, on: string, names: string[]) => db.schema.createIndex(`${on}_${names.join('_')}`).on(on).columns(names).execute()

/** The whole lifecycle: templates, schedules with freeze periods, rollouts, changes and actions on many certificates. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await columns(db, 'certificate', ['parentId', 'nextAction'])
  await index(db, 'certificate', ['parentId'])
  await columns(db, 'configuration', ['templateId', 'problem'], ['validation', 'deployment', 'rollout'])
  await index(db, 'configuration', ['templateId', 'certificateId'])
  await columns(db, 'target', ['pair'], ['placement'])
  await db.schema.createIndex('target_pair').on('target').column('pair').where('pair' as never, 'is not', null).execute()
  await columns(db, 'action', ['nextAction', 'waitsUntil', 'deadline', 'batchId', 'targetIds', 'childId'], ['details'])
  // What waits for its time is looked for when freeze periods change.
  await db.schema.createIndex('action_waiting').on('action').column('waitsUntil').where('state' as never, '=', 'waiting').execute()
  await columns(db, 'certificateVersion', ['revocation'])
  await columns(db, 'certificateOrder', ['replacesVersionId'], ['request'])
  await index(db, 'certificateOrder', ['state'])
  await columns(db, 'deployment', ['undoes', 'replaces', 'rolloutId', 'cancelRequestedAt', 'cancelledBy', 'begunAt', 'endedAt', 'slow'])
  await index(db, 'deployment', ['targetId', 'id'])
  await index(db, 'deployment', ['undoes'])

  await table(db, 'csrTemplate', { id: 'text', name: 'text', description: 'text', version: 'integer', rules: 'text', createdAt: 'text', updatedAt: 'text' }, ['id'])
  await db.schema.createIndex('csrTemplate_name').unique().on('csrTemplate').column('name').execute()
  await table(db, 'csrTemplateVersion', { templateId: 'text', version: 'integer', rules: 'text', changedBy: 'text', at: 'text' }, ['templateId', 'version'])
  await table(db, 'hostName', { name: 'text', botId: 'text', scanId: 'text' }, ['name', 'botId', 'scanId'])
  await index(db, 'hostName', ['botId', 'scanId'])
  await index(db, 'hostName', ['scanId'])
  await table(db, 'freeze', { id: 'text', name: 'text', startsAt: 'text', endsAt: 'text', zone: 'text', reason: 'text', createdAt: 'text' }, ['id'])
  await db.schema.createIndex('freeze_name').unique().on('freeze').column('name').execute()
  await table(db, 'renewalWindow', { versionId: 'text', certificateId: 'text', startsAt: 'text?', endsAt: 'text?', askedAt: 'text' }, ['versionId'])
  await index(db, 'renewalWindow', ['certificateId'])

  await table(db, 'rollout', {
    id: 'text', certificateId: 'text', actionId: 'text', state: 'text', settings: 'text', approval: 'text', rollback: 'integer', wave: 'integer', waveCount: 'integer', failures: 'integer', requester: 'text', reason: 'text', nextAction: 'text?', deadline: 'text?',
    watchUntil: 'text?', pausedFrom: 'text?', createdAt: 'text', updatedAt: 'text', endedAt: 'text?', undoneBy: 'text?', stoppedBy: 'text?',
  }, ['id'])
  await index(db, 'rollout', ['actionId'])
  await index(db, 'rollout', ['certificateId', 'id'])
  await index(db, 'rollout', ['state', 'id'])
  await table(db, 'rolloutTarget', {
    rolloutId: 'text', targetId: 'text', position: 'integer', wave: 'integer', state: 'text', versionId: 'text?', deploymentId: 'text?', undoId: 'text?', gate: 'text?', reason: 'text?', error: 'text?',
  }, ['rolloutId', 'targetId'])
  await index(db, 'rolloutTarget', ['deploymentId'])
  await index(db, 'rolloutTarget', ['undoId'])

  await table(db, 'bulkChange', { id: 'text', state: 'text', parts: 'text', total: 'integer', requester: 'text', createdAt: 'text', updatedAt: 'text', endedAt: 'text?' }, ['id'])
  await table(db, 'bulkItem', { bulkId: 'text', position: 'integer', certificateId: 'text', certificateName: 'text', state: 'text', changes: 'text', before: 'text?', configurationAt: 'text?', error: 'text?' }, ['bulkId', 'position'])
  await index(db, 'bulkItem', ['bulkId', 'state', 'position'])

  await table(db, 'batch', {
    id: 'text', action: 'text', state: 'text', limits: 'text', stopAfterFailures: 'integer?', details: 'text', total: 'integer', requester: 'text', reason: 'text', nextAction: 'text?', createdAt: 'text', updatedAt: 'text', endedAt: 'text?',
  }, ['id'])
  await table(db, 'batchItem', {
    batchId: 'text', position: 'integer', certificateId: 'text', certificateName: 'text', state: 'text', waitsFor: 'text', actionId: 'text?', attempts: 'integer', authorityId: 'text?', bots: 'text', hosts: 'text', reason: 'text?', error: 'text?', startedAt: 'text?', endedAt: 'text?',
  }, ['batchId', 'position'])
  await index(db, 'batchItem', ['batchId', 'state', 'position'])
  await index(db, 'batchItem', ['batchId', 'state', 'waitsFor', 'position'])
  await index(db, 'batchItem', ['actionId'])
}
