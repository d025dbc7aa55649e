import type { BotId, DeploymentId, StopsResponse } from '@certloop/contract'
import type { Db, Tx } from '../database/database.ts'

/** The word of the timeline for a second request to stop what is being undone. */
export const askedAgain = 'deployment.cancel-asked-again'

/** Which of these deployments of a bot people asked to stop. Those that were given up are among them: nobody wants them to go on. */
export async function stopsOf(db: Db | Tx, botId: BotId, ids: readonly DeploymentId[]): Promise<StopsResponse> {
  if (ids.length === 0) return { cancel: [], again: [] }
  const asked = await db.selectFrom('deployment').select('id').where('id', 'in', ids).where('botId', '=', botId).where('cancelRequestedAt', 'is not', null).execute()
  const cancel = asked.map(({ id }) => id)
  const again = cancel.length === 0 ? [] : await db.selectFrom('event').select('deploymentId').distinct().where('deploymentId', 'in', cancel).where('kind', '=', askedAgain).execute()
  return { cancel, again: again.flatMap(({ deploymentId }) => deploymentId ?? []) }
}
