import { implement, type App, type Who } from '../http/index.ts'
import { bulkCommands, createBulkChange } from './bulk-change.ts'
import type { BulkDeps } from './bulk-item.ts'
import type { Asker } from './bulk-store.ts'
import { listBulkChanges, listBulkItems, readBulkChange } from './bulk-view.ts'

const askerOf = (who: Who): Asker => ({ requester: who.text, mayApprove: who.permissions.has('deployment:approve') })

export function registerBulkRoutes(app: App, { database, now }: Pick<BulkDeps, 'database' | 'now'>): void {
  const { db } = database

  implement(app, 'createBulkChange', async ({ body, who }) => {
    return readBulkChange(db, await database.transaction((tx, wake) => createBulkChange(tx, wake, body, askerOf(who), now())))
  })
  implement(app, 'listBulkChanges', async ({ query }) => listBulkChanges(db, { ...query, limit: query.limit ?? 50 }))
  implement(app, 'getBulkChange', async ({ params }) => readBulkChange(db, params.id))
  implement(app, 'listBulkItems', async ({ params, query }) => listBulkItems(db, params.id, { ...query, limit: query.limit ?? 50 }))
  implement(app, 'applyBulkChange', async ({ params, who }) => {
    await database.transaction((tx, wake) => bulkCommands.apply(tx, wake, params.id, askerOf(who), now()))
    return readBulkChange(db, params.id)
  })
  implement(app, 'undoBulkChange', async ({ params, who }) => {
    await database.transaction((tx, wake) => bulkCommands.undo(tx, wake, params.id, askerOf(who), now()))
    return readBulkChange(db, params.id)
  })
  implement(app, 'discardBulkChange', async ({ params, who }) => {
    await database.transaction((tx, wake) => bulkCommands.discard(tx, wake, params.id, askerOf(who), now()))
    return readBulkChange(db, params.id)
  })
}
