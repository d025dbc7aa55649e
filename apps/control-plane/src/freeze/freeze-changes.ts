import type { ActionId, FreezeId } from '@certloop/contract'
import { fromJson, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { advanceAt } from '../provisioning/action-store.ts'
import { addTask, repeatTask, replacePayload, taskTopic } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'

interface Cursor { waitsUntil: string; id: ActionId }
const pageSize = 200

/** In the transaction that changes a freeze period: whatever waits for its deployment is looked at again, page by page. */
export async function freezeChanged(tx: Tx, wake: Wakes, id: FreezeId, now: Date): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: 'freeze-changed', subject: id }, now)
}

/** One page of the actions that wait for their time, in the order of that time. */
async function waitingActions(db: Db, after: Cursor | undefined): Promise<Cursor[]> {
  const query = db.selectFrom('action').select(['id', 'waitsUntil']).where('state', '=', 'waiting').where('waitsUntil', 'is not', null)
  const rows = await (after ? query.where((eb) => eb.or([eb('waitsUntil', '>', after.waitsUntil), eb.and([eb('waitsUntil', '=', after.waitsUntil), eb('id', '>', after.id)])])) : query)
    .orderBy('waitsUntil').orderBy('id').limit(pageSize).execute()
  return rows.flatMap(({ waitsUntil, id }) => (waitsUntil === null ? [] : [{ waitsUntil, id }]))
}

/** Has one page looked at and comes again for the next. The look itself is each action's own, so a repeated page does no harm. */
export function freezeChangedKind({ database, now }: { database: { db: Db }; now: () => Date }): PlaneTaskKind {
  return {
    async run(task) {
      const page = await waitingActions(database.db, fromJson<{ after?: Cursor }>(task.payload).after)
      return async (tx, wake) => {
        for (const { id } of page) await advanceAt(tx, wake, id, now(), now())
        const last = page.at(-1)
        if (page.length < pageSize || !last) return
        await replacePayload(tx, task.id, toJson({ after: { waitsUntil: last.waitsUntil, id: last.id } }))
        await repeatTask(tx, task.id, now())
        wake(taskTopic('control-plane'))
      }
    },
    failed: async () => {},
  }
}
