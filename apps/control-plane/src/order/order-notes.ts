import type { Tx } from '../database/database.ts'
import { addEvent, listEvents } from '../event/event-store.ts'
import type { OrderRow } from './order-store.ts'

const mostPerOrder = 150
const mostAtATime = 40
const longest = 1000

/** What a connector tells of its work, until it is written into the timeline of the order. */
export interface Notes { add(message: string): void; /** What was not written yet. */ take(): string[] }
export function createNotes(): Notes {
  let waiting: string[] = []
  return {
    add(message) {
      if (waiting.length < mostAtATime) waiting.push(message.slice(0, longest))
    },
    take() {
      const taken = waiting
      waiting = []
      return taken
    },
  }
}

/** Bounded: what the order was told already is not told again, and one that polls for days does not fill the timeline. */
export async function writeNotes(tx: Tx, order: Pick<OrderRow, 'id' | 'certificateId'>, notes: readonly string[], now: Date): Promise<void> {
  if (notes.length === 0) return
  const told = (await listEvents(tx, { orderId: order.id }, 2 * mostPerOrder)).filter(({ kind }) => kind === 'order.note').map(({ message }) => message)
  const news = [...new Set(notes)].filter((note) => !told.includes(note)).slice(0, Math.max(0, mostPerOrder - told.length))
  for (const message of news) await addEvent(tx, { kind: 'order.note', message, certificateId: order.certificateId, orderId: order.id }, now)
}
