import { actionPermissions, type Batch, type BatchId, type Permission } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { implement, requirePermission, type App } from '../http/index.ts'
import { batchCommands, createBatch } from './batch.ts'
import { getBatch } from './batch-store.ts'
import { listBatches, listBatchItems, readBatch } from './batch-view.ts'

const permissionsFor = (action: Batch['action']): readonly Permission[] => (action === 'delete' ? ['certificate:delete'] : actionPermissions[action])

export function registerBatchRoutes(app: App, { database, now }: { database: Database; now: () => Date }): void {
  const { db } = database

  implement(app, 'createBatch', async ({ body, who }) => {
    for (const permission of permissionsFor(body.action)) requirePermission(who, permission)
    return readBatch(db, await database.transaction((tx, wake) => createBatch(tx, wake, body, who.text, now())))
  })
  implement(app, 'listBatches', async ({ query }) => listBatches(db, { ...query, limit: query.limit ?? 50 }))
  implement(app, 'getBatch', async ({ params }) => readBatch(db, params.id))
  implement(app, 'listBatchItems', async ({ params, query }) => listBatchItems(db, params.id, { ...query, limit: query.limit ?? 50 }))

  const commands = { pauseBatch: batchCommands.pause, resumeBatch: batchCommands.resume, cancelBatch: batchCommands.cancel, retryBatch: batchCommands.retry } as const
  for (const [operation, command] of Object.entries(commands)) {
    implement(app, operation as keyof typeof commands, async ({ params, who }) => {
      const id: BatchId = params.id
      const { action } = await getBatch(db, id)
      for (const permission of permissionsFor(action as Batch['action'])) requirePermission(who, permission)
      await database.transaction((tx, wake) => command(tx, wake, id, who.text, now()))
      return readBatch(db, id)
    })
  }
}
