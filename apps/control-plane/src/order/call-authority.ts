import { CertloopError, toCertloopError } from '@certloop/contract'
import type { Call, Handle, IssueRequest, Progress } from '@certloop/plugin-kit'
import type { Authority, AuthorityOf } from '../authority/authority.ts'
import { fromJson, toJson } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import { confirmLease, type Task } from '../task/task-store.ts'
import { keepHandle } from './attempt-store.ts'
import type { Under } from './begin-call.ts'
import { verdictOf } from './failure-verdict.ts'
import { lockOrder } from './order-store.ts'
import { writeNotes, type Notes } from './order-notes.ts'

/** What came of asking. absent: a person had it looked up, and the authority has no such request. */
export type Answer =
  | { is: 'progress'; progress: Progress }
  | { is: 'absent' }
  | { is: 'failure'; error: CertloopError; /** It may issue, or may have issued, without our knowing. */ mayIssue: boolean; /** Nothing came of it that a limit would count. */ unused: boolean }

export interface CallDeps { database: Database; authorityOf: AuthorityOf; now: () => Date }

const mostHandle = 20_000

/** One call to the authority of the attempt: by its handle where there is one, else by its reference, else anew. */
export async function callAuthority({ database, authorityOf, now }: CallDeps, task: Task, { under, couldIssue }: { under: Under; couldIssue: boolean }, notes: Notes, signal: AbortSignal): Promise<Answer> {
  const { order, attempt } = under
  let [handle, kept, keepsFirst] = [attempt.handle === null ? null : fromJson<Handle>(attempt.handle), false, true]
  let before = attempt.mayIssue === 1
  const call: Call = {
    signal,
    note: (message) => notes.add(message),
    async keep(next, { issues } = { issues: true }) {
      const text = toJson(next)
      if (text.length > mostHandle) throw new CertloopError('INTERNAL', `The handle of order ${order.id} is longer than ${mostHandle} characters.`)
      const mayIssue = issues || !keepsFirst || (before && handle !== null)
      // Another worker may have the order by now, and goes by what was kept before; and what is cancelled just now must not be issued.
      await database.transaction(async (tx) => {
        await confirmLease(tx, task, now())
        await lockOrder(tx, order.id)
        if (!await keepHandle(tx, attempt.id, text, mayIssue)) throw new CertloopError('LEASE_LOST', `Order ${order.id} has ended meanwhile.`)
        await writeNotes(tx, order, notes.take(), now())
      })
      // One whose handle was not kept has led to nothing.
      if (!mayIssue) before = false
      ;[handle, kept] = [next, kept || mayIssue]
    },
  }
  try {
    const authority = await authorityOf(database.db, attempt.authorityId)
    keepsFirst = authority.keepsFirst ?? authority.find === undefined
    return await ask(authority, under, handle, call)
  } catch (thrown) {
    const error = toCertloopError(thrown)
    // Stopped from outside: nothing is known, and whoever holds the task now finds out.
    if (error.code === 'LEASE_LOST' || signal.aborted) throw error
    // A fault of ours belongs into the log, with its cause.
    if (error.code === 'INTERNAL') throw thrown
    const mayIssue = (couldIssue || kept) && stillMayIssue(error, { before, kept, keepsFirst })
    return { is: 'failure', error, mayIssue, unused: handle === null && verdictOf(error).leaves === 'as-before' }
  }
}

/** What is true of the request after a failure. Who keeps a handle first, and kept none in this call, did nothing in it that can't be repeated. */
function stillMayIssue(error: CertloopError, { before, kept, keepsFirst }: { before: boolean; kept: boolean; keepsFirst: boolean }): boolean {
  const { leaves } = verdictOf(error)
  if (leaves === 'over') return false
  if (!kept && (keepsFirst || leaves === 'as-before')) return before
  return true
}

const answer = (progress: Progress): Answer => ({ is: 'progress', progress })
async function ask(authority: Authority, { attempt, request }: Under, handle: Handle | null, call: Call): Promise<Answer> {
  if (handle) return answer(await authority.proceed(request, handle, call))
  const isLook = attempt.state === 'uncertain'
  // An answer that was lost may have left a request there, also where nothing can come of it.
  const wasAsked = attempt.mayIssue === 1 || attempt.callFence !== null
  const found = wasAsked ? await authority.find?.(request, call) : undefined
  if (found) return answer(found)
  if (isLook) return lookedInVain(authority, request)
  return answer(await authority.submit(request, call))
}

function lookedInVain({ find }: Authority, { reference }: IssueRequest): Answer {
  if (find) return { is: 'absent' }
  throw new CertloopError('ORDER_UNCERTAIN', `The authority can not be asked what became of ${reference}. Look there yourself: if it did not issue, cancel this order and start another.`)
}
