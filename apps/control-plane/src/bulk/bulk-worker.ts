import { fromWire, toCertloopError, type CertloopError, type BulkChangeId, type BulkParts } from '@certloop/contract'
import { fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { announce } from '../event/event-store.ts'
import { repeatTask, taskTopic, type Task } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { applyItem, previewItem, undoItem, type BulkDeps, type ItemWork } from './bulk-item.ts'
import { isWorking, phases, type WorkingState } from './bulk-state.ts'
import { changeBulk, changeItem, countBulk, failItems, findBulkChange, nextItems, type Asker, type BulkChangeRow, type BulkCounts, type BulkItemRow } from './bulk-store.ts'

/** One look ends after so much and asks for the next, so that other work gets its turn. */
const slice = { milliseconds: 2000, items: 200 } as const
/** So many previews share a transaction: they only read. A change is one of its own. */
const page = 25

/** Works on a bulk change: previews, applies or takes back item after item. All it goes by is in the rows. */
export function advanceBulkKind(deps: BulkDeps): PlaneTaskKind {
  const { now, database: { db } } = deps
  return {
    run: async (task) => {
      const id = task.subject as BulkChangeId
      const endsAt = now().getTime() + slice.milliseconds
      for (let left: number = slice.items; left > 0 && now().getTime() < endsAt;) {
        const bulk = await findBulkChange(db, id)
        if (!bulk || !isWorking(bulk.state)) break
        const items = await nextItems(db, id, phases[bulk.state].items, page)
        if (items.length === 0) break
        await workOn(bulk.state, { deps, parts: fromJson<BulkParts>(bulk.parts), asker: askerOf(task, bulk) }, items)
        left -= items.length
      }
      return (tx, wake) => conclude(tx, wake, task, now())
    },
    async failed(tx, wake, task, error) {
      const bulk = await findBulkChange(tx, task.subject as BulkChangeId)
      if (!bulk || !isWorking(bulk.state)) return
      await endItems(tx, bulk, error)
      await changeBulk(tx, wake, bulk, { event: phases[bulk.state].end, message: `it had to end early: ${error.message}`, asker: askerOf(task, bulk) }, now())
    },
  }
}

/** What the work that broke down had not come to: a preview names it, and a change can be applied again. What was to be taken back stays applied, and is when it is asked for again. */
async function endItems(tx: Tx, { id, state }: BulkChangeRow, error: CertloopError): Promise<void> {
  if (state === 'previewing' || state === 'applying') await failItems(tx, id, phases[state].items, error)
}

const askerOf = (task: Task, bulk: BulkChangeRow): Asker => ({ requester: bulk.requester, mayApprove: false, ...fromJson<Partial<Asker>>(task.payload) })

async function workOn(state: WorkingState, work: ItemWork, items: readonly BulkItemRow[]): Promise<void> {
  if (state === 'previewing') return previewAll(work, items)
  for (const item of items) await (state === 'applying' ? applyItem : undoItem)(work, item)
}

/** Together, as long as all goes well; else one by one, so that what breaks is known by itself. */
async function previewAll(work: ItemWork, items: readonly BulkItemRow[]): Promise<void> {
  const { database } = work.deps
  try {
    await database.transaction(async (tx) => { for (const item of items) await previewItem(tx, work, item) })
  } catch (thrown) {
    const [item] = items
    const error = toCertloopError(thrown)
    if (error.code !== 'INTERNAL' || !item) throw error
    if (items.length === 1) await database.transaction((tx) => changeItem(tx, item, { state: 'failed', error: fromWire(error.toWire()) }))
    else for (const each of items) await previewAll(work, [each])
  }
}

const said: Record<WorkingState, (counts: BulkCounts) => string> = {
  previewing: (c) => `${c.ready} would change, ${c.unchanged} have these settings already, ${c.conflict + c.failed} can not take them.`,
  applying: (c) => `${c.applied} changed, ${c['changed-since']} left alone because somebody changed them since, ${c.failed} failed.`,
  undoing: (c) => `${c.undone} have their earlier settings again, ${c['changed-since']} left alone because somebody changed them since, ${c.applied} could not be taken back.`,
}

async function conclude(tx: Tx, wake: Wakes, task: Task, now: Date): Promise<void> {
  const bulk = await findBulkChange(tx, task.subject as BulkChangeId)
  if (!bulk || !isWorking(bulk.state)) return
  if ((await nextItems(tx, bulk.id, phases[bulk.state].items, 1)).length > 0) {
    announce(wake, 'bulk-change', bulk.id)
    await repeatTask(tx, task.id, now)
    wake(taskTopic('control-plane'))
    return
  }
  await changeBulk(tx, wake, bulk, { event: phases[bulk.state].end, message: said[bulk.state](await countBulk(tx, bulk.id)), asker: askerOf(task, bulk) }, now)
}
