import type { RolloutId } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { implement, type App } from '../http/index.ts'
import { pauseRollout, resumeRollout, stopRollout, undoRollout } from './rollout-control.ts'
import { listRollouts, readRollout } from './rollout-view.ts'

export function registerRolloutRoutes(app: App, { database, now }: { database: Database; now: () => Date }): void {
  const { db } = database
  const carryOut = async (command: typeof pauseRollout, id: RolloutId, requester: string) => {
    await database.transaction((tx, wake) => command(tx, wake, id, requester, now()))
    return readRollout(db, id)
  }
  implement(app, 'listRollouts', async ({ query }) => listRollouts(db, { ...query, limit: query.limit ?? 50 }))
  implement(app, 'getRollout', async ({ params }) => readRollout(db, params.id))
  implement(app, 'pauseRollout', async ({ params, who }) => carryOut(pauseRollout, params.id, who.text))
  implement(app, 'resumeRollout', async ({ params, who }) => carryOut(resumeRollout, params.id, who.text))
  implement(app, 'stopRollout', async ({ params, who }) => carryOut(stopRollout, params.id, who.text))
  implement(app, 'undoRollout', async ({ params, who }) => carryOut(undoRollout, params.id, who.text))
}
