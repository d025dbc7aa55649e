import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { createCsr, generateKey } from '@certloop/pki'
import type { KyselyPlugin } from 'kysely'
import type { Database } from '../database/database.ts'
import { createSecrets } from '../secret/secrets.ts'
import { addressesAt } from './addresses.ts'
import type { IssueOptions } from './issue-request.ts'
import { createLocalCa, type LocalCa, type LocalCaDeps } from './local-ca.ts'
import { createPublicHttp } from './public-http.ts'

export const caStart = new Date('2026-03-01T12:00:00.500Z')
export const caMasterKey = randomBytes(32)

export interface CaWorld { ca: LocalCa; /** "http://127.0.0.1:…" */ origin: string; clock: { now: Date } }

/** The built-in CA on a database, with what it publishes served on a free port. */
export async function caWorld(t: TestContext, database: Database, more: Partial<LocalCaDeps> = {}): Promise<CaWorld> {
  const clock = { now: caStart }
  const now = () => clock.now
  let origin = 'http://127.0.0.1:1'
  const ca = createLocalCa({ database, secrets: await createSecrets({ database, masterKey: caMasterKey, now }), now, addresses: () => addressesAt(origin), ...more })
  const handler = createPublicHttp({ database, ocsp: ca.ocsp, now, log: (message, error) => { throw new Error(message, { cause: error }) } })
  const server = createServer((request, response) => { if (!handler(request, response)) response.writeHead(404).end() })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => { server.closeAllConnections(); server.close() })
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await ca.ensureHierarchy()
  return { ca, origin, clock }
}

/** A request for a server certificate with a key of its own. */
export async function serverRequest(reference: string, more: Partial<IssueOptions> = {}): Promise<IssueOptions> {
  const { names = ['shop.example'], commonName = null } = more
  const csrPem = more.csrPem ?? await createCsr({ privateKeyPem: await generateKey('ec-256'), names, commonName })
  return { reference, profile: 'server', validityDays: null, ...more, csrPem, names, commonName }
}

/** The database as seen by a process that is cut off at its k-th statement, inside a transaction or not; 0: never. */
export function cutOffAt(database: Database, k: number): { database: Database; statements: () => number } {
  let count = 0
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      // Nothing comes through after it either: the process is gone.
      if (++count >= k && k > 0) throw new Error('cut off')
      return node
    },
    transformResult: async ({ result }) => result,
  }
  const transaction: Database['transaction'] = (body) => database.transaction((tx, wake) => body(tx.withPlugin(plugin), wake))
  return { database: { ...database, db: database.db.withPlugin(plugin), transaction }, statements: () => count }
}
