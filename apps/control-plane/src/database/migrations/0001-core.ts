import type { ColumnDataType, Kysely } from 'kysely'

type Columns = Record<string, string>

/** Short form for tables: "text" not null, "text?" nullable, "integer" likewise; the first column is the key. */
async function table(db: Kysely<unknown>, name: string, columns: Columns): Promise<void> {
  let builder = db.schema.createTable(name)
  for (const [index, [column, type]] of Object.entries(columns).entries()) {
    const base = type.replace('?', '') as ColumnDataType
    builder = builder.addColumn(column, base, (c) => {
      const nullable = type.endsWith('?') ? c : c.notNull()
      return index === 0 ? nullable.primaryKey() : nullable
    })
  }
  await builder.execute()
}

const index = (db: Kysely<unknown>, on: string, columns: string[], unique = false) => {
  const builder = db.schema.createIndex(`${on}_${columns.join('_')}`).on(on).columns(columns)
  return (unique ? builder.unique() : builder).execute()
}

/** Tasks, certificates, orders, deployments, actions, bots and the timeline. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await table(db, 'task', {
    id: 'text', executor: 'text', kind: 'text', subject: 'text', payload: 'text', state: 'text', notBefore: 'text', leaseUntil: 'text?', leaseOwner: 'text?',
    fence: 'integer', attempts: 'integer', maxAttempts: 'integer', deadline: 'text?', dedupe: 'text?', error: 'text?', createdAt: 'text', updatedAt: 'text',
  })
  await index(db, 'task', ['dedupe'], true)
  await index(db, 'task', ['executor', 'state', 'notBefore'])
  await index(db, 'task', ['subject'])

  await table(db, 'event', {
    id: 'text', at: 'text', kind: 'text', message: 'text', requester: 'text?', certificateId: 'text?', orderId: 'text?', deploymentId: 'text?', botId: 'text?', error: 'text?',
  })
  for (const column of ['certificateId', 'orderId', 'deploymentId', 'botId']) await index(db, 'event', [column, 'id'])

  await table(db, 'certificate', {
    id: 'text', name: 'text', names: 'text', searchText: 'text', management: 'text', status: 'text', statusReason: 'text', problem: 'text?', currentVersionId: 'text?',
    notAfter: 'text?', nextRenewalAt: 'text?', createdAt: 'text', updatedAt: 'text',
  })
  await index(db, 'certificate', ['name', 'id'])
  await index(db, 'certificate', ['notAfter', 'id'])
  await table(db, 'certificateVersion', {
    id: 'text', certificateId: 'text', ordinal: 'integer', fingerprint: 'text', serialNumber: 'text', subject: 'text', issuer: 'text', names: 'text', notBefore: 'text', notAfter: 'text', keyAlgorithm: 'text',
    signatureAlgorithm: 'text', spkiDigest: 'text', custody: 'text', keyBotId: 'text?', keyId: 'text?', orderId: 'text?', source: 'text', chainPem: 'text', createdAt: 'text',
  })
  await index(db, 'certificateVersion', ['fingerprint'], true)
  await index(db, 'certificateVersion', ['certificateId', 'ordinal'])
  await table(db, 'installation', {
    id: 'text', certificateId: 'text', botId: 'text', serverType: 'text', placeKey: 'text', title: 'text', fields: 'text', names: 'text', versionId: 'text?', fingerprint: 'text?', state: 'text',
    served: 'text', firstSeenAt: 'text', lastSeenAt: 'text',
  })
  await index(db, 'installation', ['botId', 'serverType', 'placeKey'], true)
  await index(db, 'installation', ['certificateId'])

  await table(db, 'configuration', {
    certificateId: 'text', complete: 'integer', authorityId: 'text?', csr: 'text', renewal: 'text', deployAfterRenewal: 'integer', rollback: 'integer', approval: 'text', updatedAt: 'text',
  })
  await table(db, 'target', {
    id: 'text', certificateId: 'text', position: 'integer', botId: 'text', serverType: 'text', reach: 'text', fields: 'text', placeKey: 'text', title: 'text', removedAt: 'text?', createdAt: 'text',
  })
  await index(db, 'target', ['certificateId'])

  await table(db, 'action', {
    id: 'text', certificateId: 'text', kind: 'text', state: 'text', requester: 'text', reason: 'text?', error: 'text?', versionId: 'text?', createdAt: 'text', endedAt: 'text?',
  })
  await index(db, 'action', ['certificateId', 'id'])
  // One lifecycle command at a time on one certificate.
  await db.schema.createIndex('action_open').unique().on('action').column('certificateId').where('endedAt' as never, 'is', null).execute()

  await table(db, 'certificateOrder', {
    id: 'text', certificateId: 'text', actionId: 'text?', authorityId: 'text', state: 'text', names: 'text', commonName: 'text?', keyAlgorithm: 'text', validityDays: 'integer?', custody: 'text',
    botId: 'text?', reuseKeyId: 'text?', keyId: 'text?', csrPem: 'text?', requester: 'text', reason: 'text', nextAction: 'text?', deadline: 'text?', versionId: 'text?', error: 'text?', createdAt: 'text', updatedAt: 'text',
  })
  await index(db, 'certificateOrder', ['certificateId', 'id'])
  await index(db, 'certificateOrder', ['actionId'])

  await table(db, 'deployment', {
    id: 'text', certificateId: 'text', actionId: 'text?', versionId: 'text', targetId: 'text', botId: 'text', state: 'text', rollback: 'integer', approval: 'text', plan: 'text?', differences: 'text', log: 'text',
    served: 'text', requester: 'text', reason: 'text', nextAction: 'text?', deadline: 'text?', error: 'text?', createdAt: 'text', updatedAt: 'text',
  })
  await index(db, 'deployment', ['certificateId', 'id'])
  await index(db, 'deployment', ['actionId'])
  await index(db, 'deployment', ['botId', 'id'])
  // Two deployments never work on one target at the same time.
  await db.schema.createIndex('deployment_open').unique().on('deployment').column('targetId').where('state' as never, 'in', ['planning', 'planned', 'pending', 'deploying']).execute()

  await table(db, 'proof', {
    id: 'text', certificateId: 'text', deploymentId: 'text?', botId: 'text', endpoint: 'text', expected: 'text?', served: 'text?', error: 'text?', at: 'text',
  })
  await index(db, 'proof', ['certificateId', 'id'])

  await table(db, 'bot', {
    id: 'text', name: 'text', purpose: 'text', publicKeyPem: 'text?', identityPem: 'text?', version: 'text?', host: 'text?', bootId: 'text?', lastContactAt: 'text?', joinedAt: 'text?', revokedAt: 'text?', createdAt: 'text',
  })
  await table(db, 'joinToken', { id: 'text', botId: 'text', secretHash: 'text', activeFrom: 'text', expiresAt: 'text', usedAt: 'text?', createdAt: 'text' })
  await index(db, 'joinToken', ['botId'])
  await table(db, 'hostScan', { botId: 'text', at: 'text', scan: 'text' })

  await table(db, 'authority', { id: 'text', name: 'text', kind: 'text', settings: 'text', createdAt: 'text' })
}
