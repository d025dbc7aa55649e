import { CertloopError } from '@certloop/contract'
import { sql } from 'kysely'
import type { Database } from '../database/database.ts'
import type { App } from './implement.ts'

/** /healthz: the process answers. /readyz: the database does too. */
export function installHealth(app: App, { database }: { database: Database }): void {
  const options = { config: { access: 'public' as const }, schema: { hide: true } }
  app.get('/healthz', options, async (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }))
  app.get('/readyz', options, async (request, reply) => {
    try {
      await sql`select 1`.execute(database.db)
    } catch (error) {
      request.log.error({ err: error }, 'the database does not answer')
      throw new CertloopError('UNAVAILABLE', 'The database does not answer.', {}, error)
    }
    return reply.header('cache-control', 'no-store').send({ status: 'ready' })
  })
}
