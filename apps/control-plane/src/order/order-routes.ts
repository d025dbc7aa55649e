import type { OrderId } from '@certloop/contract'
import { lockCertificate } from '../certificate/certificate-store.ts'
import type { Database } from '../database/database.ts'
import { listEvents } from '../event/event-store.ts'
import { implement, type App } from '../http/index.ts'
import { listOrderAttempts } from './attempt-store.ts'
import { cancelOrder } from './cancel-order.ts'
import { lookAgain } from './look-again.ts'
import { countOrders, getOrder, listOrders, readOrder } from './order-store.ts'

export function registerOrderRoutes(app: App, { database, now }: { database: Database; now: () => Date }): void {
  const { db } = database
  const read = (id: OrderId) => readOrder(db, id)
  implement(app, 'listOrders', async ({ query }) => ({ ...await listOrders(db, { ...query, limit: query.limit ?? 50 }), counts: await countOrders(db, query) }))
  implement(app, 'getOrder', async ({ params }) => ({ order: await read(params.id), timeline: await listEvents(db, { orderId: params.id }, 200) }))
  implement(app, 'listOrderAttempts', async ({ params }) => ({ items: await listOrderAttempts(db, (await getOrder(db, params.id)).id) }))
  implement(app, 'cancelOrder', async ({ params, who }) => {
    await database.transaction(async (tx, wake) => {
      await lockCertificate(tx, (await getOrder(tx, params.id)).certificateId)
      await cancelOrder(tx, wake, params.id, who.text, now())
    })
    return read(params.id)
  })
  implement(app, 'lookAgainOrder', async ({ params, who }) => {
    await database.transaction((tx, wake) => lookAgain(tx, wake, params.id, who.text, now()))
    return read(params.id)
  })
}
