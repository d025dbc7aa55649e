import type { AttemptId, AuthorityId } from '@certloop/contract'
import type { Handle } from '@certloop/plugin-kit'
import type { AuthorityOf } from '../authority/authority.ts'
import { fromJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { addTask } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { getAttempt, type AttemptRow } from './attempt-store.ts'

const givesUpAfterHours = 24
interface Abandoned { authorityId: AuthorityId; handle: Handle }

/** What waits at the authority for a request that is not wanted any more is freed, by a task of its own: nothing waits for that. */
export async function abandonLater(tx: Tx, wake: Wakes, { id, authorityId, handle, submissions }: AttemptRow, now: Date): Promise<void> {
  if (handle === null) return
  const payload: Abandoned = { authorityId, handle: fromJson<Handle>(handle) }
  await addTask(tx, wake, { executor: 'control-plane', kind: 'abandon-request', subject: id, payload, dedupe: `abandon:${id}:${submissions}`, deadline: new Date(now.getTime() + givesUpAfterHours * 3_600_000), maxAttempts: 100 }, now)
}

export function abandonRequestKind({ database, authorityOf, now }: { database: Database; authorityOf: AuthorityOf; now: () => Date }): PlaneTaskKind {
  return {
    async run(task, signal) {
      const { authorityId, handle } = fromJson<Abandoned>(task.payload)
      const authority = await authorityOf(database.db, authorityId)
      await authority.abandon?.(handle, { signal, note: () => {}, keep: async () => {} })
      return async () => {}
    },
    /** It runs out there by itself; nothing here depends on it. */
    async failed(tx, _wake, task, error) {
      const { orderId } = await getAttempt(tx, task.subject as AttemptId)
      await addEvent(tx, { kind: 'order.not-abandoned', message: 'What is left of the request at the authority could not be given up. It runs out there by itself.', error: error.toWire(), orderId }, now())
    },
  }
}
