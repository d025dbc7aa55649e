import { CertloopError } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { implement, type App } from '../http/index.ts'
import type { Secrets } from '../secret/secrets.ts'
import { startRemoteScan } from './remote-scan.ts'
import { findRemoteScan, toRemoteScan } from './remote-scan-store.ts'

export function registerRemoteScanRoutes(app: App, { database, secrets, now }: { database: Database; secrets: Secrets; now: () => Date }): void {
  implement(app, 'startRemoteScan', async ({ params, body, who }) =>
    toRemoteScan(await database.transaction((tx, wake) => startRemoteScan(tx, wake, secrets, { ...body, botId: params.id, requester: who.text }, now()))))
  implement(app, 'getRemoteScan', async ({ params }) => {
    const row = await findRemoteScan(database.db, params.id)
    if (!row) throw new CertloopError('NOT_FOUND', `There is no scan ${params.id}; scans are kept for 7 days.`, { scanId: params.id })
    return toRemoteScan(row)
  })
}
