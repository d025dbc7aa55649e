import type { Database } from '../database/database.ts'
import { listEvents } from '../event/event-store.ts'
import { implement, type App } from '../http/index.ts'
import { countOrders, getOrder, listOrders, readOrder } from './order-store.ts'
import { cancelOrder } from './order-worker.ts'

export function registerOrderRoutes(app: App, { database, now }: { database: Database; now: () => Date }): void {
  const { db } = database
  implement(app, 'listOrders', async ({ query }) => ({ ...await listOrders(db, { ...query, limit: query.limit ?? 50 }), counts: await countOrders(db, query) }))
  implement(app, 'getOrder', async ({ params }) => ({ order: await readOrder(db, params.id), timeline: await listEvents(db, { orderId: params.id }, 200) }))
  implement(app, 'cancelOrder', async ({ params, who }) => {
    await database.transaction(async (tx, wake) => cancelOrder(tx, wake, await getOrder(tx, params.id), who.text, now()))
    return readOrder(db, params.id)
  })
}
