import type { Batch, BatchItem } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { exitCodes } from '../failure.ts'
import { follow } from '../follow.ts'
import { paintState } from '../format/paint.ts'
import { facts, headed, plural, table } from '../format/table.ts'
import { moment, timeOfDay } from '../format/time.ts'
import { readPages, type Page } from '../page.ts'
import { countsText } from './selection.ts'

const endedCount = ({ counts }: Batch) => counts.done + counts.failed + counts.refused + counts.cancelled

export function batchLines({ paint, world }: Context, b: Batch): string[] {
  const { total, perAuthority, perBot, perHost } = b.limits
  return facts([
    ['Batch', b.id], ['Action', b.action], ['State', paintState(paint, b.state)], ['Why', b.reason], ['Next', b.nextAction], ['Certificates', `${b.total}: ${countsText(b.counts)}`],
    ['At a time', `${total}; ${perAuthority} for an authority, ${perBot} for a bot, ${perHost} for a host`], ['Pauses', b.stopAfterFailures === null ? 'never by itself' : `after ${plural(b.stopAfterFailures, 'failure')}`],
    ['By', b.requester], ['Began', moment(b.createdAt, world)], ['Ended', moment(b.endedAt, world)],
  ])
}

const wentWrong = ['failed', 'refused', 'cancelled'] as const
const whatOf = ({ error, reason }: BatchItem) => (error ? `${error.message} (${error.code})` : reason)

export const itemTable = ({ paint, world }: Context, items: readonly BatchItem[]): string[] => table(
  ['CERTIFICATE', 'STATE', 'TRIES', 'FROM', 'TO', 'WHAT', 'ACTION'],
  items.map((i) => [i.certificateName, paintState(paint, i.state), i.attempts, i.startedAt && timeOfDay(i.startedAt, world), i.endedAt && timeOfDay(i.endedAt, world), whatOf(i), i.actionId]),
)

/** The first of what went wrong, so that nobody has to look for it. */
const mostShown = 20

async function wrongLines(context: Context, { id, counts }: Batch): Promise<string[]> {
  const client = await context.client()
  const all: BatchItem[] = []
  for (const state of wentWrong) {
    if (counts[state] > 0 && all.length < mostShown) all.push(...(await client.call('listBatchItems', { params: { id }, query: { state, limit: mostShown } })).items)
  }
  const rest = wentWrong.reduce((sum, state) => sum + counts[state], 0) - Math.min(all.length, mostShown)
  return all.length === 0 ? [] : headed('Not done', [...itemTable(context, all.slice(0, mostShown)), ...(rest > 0 ? [`and ${rest} more: certloop batch show ${id} --state failed --all`] : [])])
}

/** Where it stands, in one line. */
export const standing = ({ world }: Pick<Context, 'world'>, b: Batch): string =>
  `${timeOfDay(world.now().toISOString(), world)}  ${b.action}: ${endedCount(b)} of ${b.total}; ${countsText(b.counts)}${b.state === 'running' || b.state === 'done' ? '' : `; ${b.state}`}`

/** Follows it to its end; one that pauses is over for now as well. */
export async function followBatch(context: Context, id: Batch['id'], timeoutSeconds: number | undefined): Promise<Batch> {
  const client = await context.client()
  return follow(context, {
    look: async () => {
      const value = await client.call('getBatch', { params: { id } })
      const rests = value.state === 'paused' && value.counts.running === 0
      return { value, lines: [], standing: standing(context, value), ended: value.endedAt !== null || rests }
    },
    concerns: (notice) => notice.id === id, timeoutSeconds, later: `certloop batch show ${id}`,
  })
}

/** 0 when every certificate is done, or when it is as it was asked to be. */
export async function showEndedBatch(context: Context, b: Batch, asked?: Batch['state']): Promise<number> {
  const wrong = context.json ? [] : await wrongLines(context, b)
  context.show(b, (safe) => [...batchLines(context, safe), ...wrong])
  if (b.state === asked || (b.state === 'done' && b.counts.done === b.total)) return exitCodes.done
  const { done, ...others } = b.counts
  context.fail({
    exit: exitCodes.failed, what: `The batch is ${b.state}; ${done} of ${plural(b.total, 'certificate')} done, ${countsText(others)}.`,
    remedy: b.state === 'paused' ? `Go on with it: certloop batch resume ${b.id} --follow` : `Mend what the list above says, then start those again: certloop batch retry ${b.id} --follow`, where: `certloop batch show ${b.id}`,
  })
  return exitCodes.failed
}

export interface BatchWithItems { batch: Batch; items: BatchItem[]; nextCursor: string | null }
/** One page of its items beside it. */
export async function readItems(context: Context, id: Batch['id'], paging: Parameters<typeof readPages>[0], state: BatchItem['state'] | undefined): Promise<Page<BatchItem>> {
  const client = await context.client()
  return readPages(paging, (query) => client.call('listBatchItems', { params: { id }, query: { ...query, state } }))
}
