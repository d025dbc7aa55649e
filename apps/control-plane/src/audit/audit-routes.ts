import { CertloopError } from '@certloop/contract'
import { implement, type App } from '../http/implement.ts'
import type { Audit } from './audit.ts'

export function registerAuditRoutes(app: App, audit: Audit): void {
  implement(app, 'listAuditEntries', async ({ query: { cursor, limit = 50 } }) => {
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) throw new CertloopError('INPUT_INVALID', 'The cursor is not one of this list.', { fields: ['query.cursor: is not one of this list'] })
    const rows = await audit.list(cursor === undefined ? undefined : Number(cursor), limit + 1)
    const items = rows.slice(0, limit)
    return { items, nextCursor: rows.length > limit ? String(items.at(-1)?.sequence) : null }
  })
}
