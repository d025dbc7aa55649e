import type { OptionSpecs } from './command.ts'
import type { Context } from './context.ts'
import { wholeNumber } from './parse.ts'

/** Options of every list that comes in pages. */
export const pageOptions = {
  limit: { type: 'string', value: 'COUNT', help: 'at most this many, 1 to 10000; default 100' },
  all: { type: 'boolean', help: 'all of them' },
  cursor: { type: 'string', value: 'CURSOR', help: 'go on where a list ended: its "nextCursor"' },
} as const satisfies OptionSpecs

export interface Page<T> { items: T[]; nextCursor: string | null }
interface PageOptions { limit: string | undefined; all: boolean | undefined; cursor: string | undefined }
const mostPerCall = 200

/** Reads pages until there is enough. */
export async function readPages<T>(options: PageOptions, read: (query: { cursor: string | undefined; limit: number }) => Promise<Page<T>>): Promise<Page<T>> {
  const wanted = options.all ? Infinity : wholeNumber('limit', options.limit, 1, 10_000) ?? 100
  const items: T[] = []
  let cursor = options.cursor
  for (;;) {
    const page = await read({ cursor, limit: Math.min(mostPerCall, wanted - items.length) })
    items.push(...page.items)
    if (page.nextCursor === null || items.length >= wanted) return { items, nextCursor: page.nextCursor }
    cursor = page.nextCursor
  }
}

/** The list, or what it means that it is empty; and how to see the rest. */
export function showPage<T>(context: Context, page: Page<T>, empty: string, lines: (items: T[]) => string[]): void {
  context.show(page, ({ items }) => (items.length === 0 ? [empty] : lines(items)))
  if (page.nextCursor !== null) context.note(`There are more: add --all, or go on with --cursor ${page.nextCursor}`)
}
