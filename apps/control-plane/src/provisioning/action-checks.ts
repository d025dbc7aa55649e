import type { BotTaskPayload, TargetId } from '@certloop/contract'
import { updateCertificate } from '../certificate/certificate-store.ts'
import type { Tx } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { usableTargets } from './action-deployments.ts'
import type { ActionRow } from './action-store.ts'
import { briefTarget } from './target-briefing.ts'

export const checkMinutes = 15

const inspectDedupe = (action: ActionRow['id'], target: TargetId) => `inspect:${action}:${target}`
/** The target that an inspect-target is about. */
export const inspectedTarget = ({ dedupe }: { dedupe: string | null }): TargetId | undefined => dedupe?.split(':')[2] as TargetId | undefined

/** initiate and recheck-pinning: the bots look at each target; nothing is replaced. */
export async function checkAll(tx: Tx, wake: Wakes, action: ActionRow, secrets: Secrets, now: Date): Promise<void> {
  if (action.kind === 'initiate') await updateCertificate(tx, action.certificateId, { management: 'managed' })
  for (const target of await usableTargets(tx, action, now)) {
    const payload: BotTaskPayload<'inspect-target'> = { target: await briefTarget(tx, secrets, target) }
    await addTask(tx, wake, { executor: target.botId, kind: 'inspect-target', subject: action.id, payload, deadline: new Date(now.getTime() + checkMinutes * 60_000), dedupe: inspectDedupe(action.id, target.id) }, now)
  }
}
