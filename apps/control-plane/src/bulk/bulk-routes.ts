import type { BulkChangeId, BulkParts } from '@certloop/contract'
import { fromJson } from '../database/columns.ts'
import { implement, requirePermission, type App, type Who } from '../http/index.ts'
import { bulkCommands, createBulkChange } from './bulk-change.ts'
import type { BulkDeps } from './bulk-item.ts'
import { getBulkChange } from './bulk-store.ts'
import { listBulkChanges, listBulkItems, readBulkChange } from './bulk-view.ts'

/** Who may not approve plans may not do away with their approval either. */
function mayLeaveApproval(who: Who, parts: BulkParts, leadsTo: 'automatic' | 'manual'): void {
  if (parts.approval === leadsTo) requirePermission(who, 'deployment:approve')
}

export function registerBulkRoutes(app: App, { database, now }: Pick<BulkDeps, 'database' | 'now'>): void {
  const { db } = database
  const partsOf = async (id: BulkChangeId) => fromJson<BulkParts>((await getBulkChange(db, id)).parts)

  implement(app, 'createBulkChange', async ({ body, who }) => {
    mayLeaveApproval(who, body.parts, 'automatic')
    return readBulkChange(db, await database.transaction((tx, wake) => createBulkChange(tx, wake, body, who.text, now())))
  })
  implement(app, 'listBulkChanges', async ({ query }) => listBulkChanges(db, { ...query, limit: query.limit ?? 50 }))
  implement(app, 'getBulkChange', async ({ params }) => readBulkChange(db, params.id))
  implement(app, 'listBulkItems', async ({ params, query }) => listBulkItems(db, params.id, { ...query, limit: query.limit ?? 50 }))
  implement(app, 'applyBulkChange', async ({ params, who }) => {
    mayLeaveApproval(who, await partsOf(params.id), 'automatic')
    await database.transaction((tx, wake) => bulkCommands.apply(tx, wake, params.id, who.text, now()))
    return readBulkChange(db, params.id)
  })
  implement(app, 'undoBulkChange', async ({ params, who }) => {
    // Giving back what was before "manual" may lead to "automatic".
    mayLeaveApproval(who, await partsOf(params.id), 'manual')
    await database.transaction((tx, wake) => bulkCommands.undo(tx, wake, params.id, who.text, now()))
    return readBulkChange(db, params.id)
  })
  implement(app, 'discardBulkChange', async ({ params, who }) => {
    await database.transaction((tx, wake) => bulkCommands.discard(tx, wake, params.id, who.text, now()))
    return readBulkChange(db, params.id)
  })
}
