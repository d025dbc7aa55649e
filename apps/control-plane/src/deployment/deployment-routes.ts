import type { Database } from '../database/database.ts'
import { listEvents } from '../event/event-store.ts'
import { implement, type App } from '../http/index.ts'
import { toAction } from '../provisioning/action-store.ts'
import type { Secrets } from '../secret/secrets.ts'
import { listDeployments, readDeployment } from './deployment-store.ts'
import { cancelDeployment } from './cancel.ts'
import { approveDeployment } from './deployment-worker.ts'
import { retryDeployment } from './retry.ts'
import { undoDeployment } from './undo.ts'

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
  implement(app, 'undoDeployment', async ({ params, who }) => {
    const { id } = await database.transaction((tx, wake) => undoDeployment(tx, wake, params.id, { requester: who.text }, secrets, now()))
    return readDeployment(db, id)
  })
  implement(app, 'retryDeployment', async ({ params, who }) => toAction(db, await database.transaction((tx, wake) => retryDeployment(tx, wake, params.id, who.text, secrets, now()))))
}
