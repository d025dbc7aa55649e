import type { Database } from '../database/database.ts'
import { listEvents } from '../event/event-store.ts'
import { implement, type App } from '../http/index.ts'
import type { Secrets } from '../secret/secrets.ts'
import { listDeployments, readDeployment } from './deployment-store.ts'
import { approveDeployment, cancelDeployment } from './deployment-worker.ts'

export function registerDeploymentRoutes(app: App, { database, secrets, now }: { database: Database; secrets: Secrets; now: () => Date }): void {
  const { db } = database
  implement(app, 'listDeployments', async ({ query }) => listDeployments(db, { ...query, limit: query.limit ?? 50 }))
  implement(app, 'getDeployment', async ({ params }) => ({ deployment: await readDeployment(db, params.id), timeline: await listEvents(db, { deploymentId: params.id }, 200) }))
  implement(app, 'approveDeployment', async ({ params, body, who }) => {
    await database.transaction((tx, wake) => approveDeployment(tx, wake, params.id, { digest: body.digest, requester: who.text }, secrets, now()))
    return readDeployment(db, params.id)
  })
  implement(app, 'cancelDeployment', async ({ params, who }) => {
    await database.transaction((tx, wake) => cancelDeployment(tx, wake, params.id, who.text, now()))
    return readDeployment(db, params.id)
  })
}
