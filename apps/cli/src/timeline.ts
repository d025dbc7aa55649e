import type { TimelineEvent } from '@certloop/api-client'
import type { Context } from './context.ts'
import { fittedTable } from './format/table.ts'
import { moment, timeOfDay } from './format/time.ts'

/** Events as a table, in the order they come. */
export function timelineLines({ world, paint }: Context, events: readonly TimelineEvent[]): string[] {
  return fittedTable(['WHEN', 'WHAT', 'WHO', 'EVENT'], events.map(({ at, kind, message, requester, error }) => [
    `${moment(at, world)?.slice(0, 10)} ${timeOfDay(at, world)}`, error ? paint('red', `${message} (${error.code})`) : message, requester, kind,
  ]), 1, world.columns)
}
