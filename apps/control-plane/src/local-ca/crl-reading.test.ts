import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { IssuerId } from '@certloop/contract'
import { iso } from '../database/columns.ts'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { caStart, caWorld } from './ca-testing.ts'
import { dropOldBodies, findCrl, listCrls, readBody, replaceCrl, writeBody } from './crl-store.ts'
import { issuerInSlot } from './issue.ts'
import { createPublicFiles } from './public-files.ts'

const hour = 3_600_000
const slices = 20
const now = () => caStart

/** A list of five megabytes under the intermediate, which is too large to be kept in memory. */
async function largeList(database: Database, issuerId: IssuerId): Promise<string> {
  const bodyId = await writeBody(database.db, Buffer.alloc(slices << 18, 7), now())
  const before = await findCrl(database.db, issuerId, 'full')
  const row = { issuerId, scope: 'full' as const, number: (before?.number ?? 0) + 1, thisUpdate: iso(now()), nextUpdate: iso(new Date(caStart.getTime() + hour)), entries: 1, bytes: slices << 18, changeNumber: 0, buildMs: 1, bodyId }
  await database.transaction((tx) => replaceCrl(tx, row, now()))
  return bodyId
}

testOnDatabases('a list that is replaced after days stays readable for an hour', async (t, database) => {
  const { ca, clock } = await caWorld(t, database)
  const { id } = issuerInSlot(await ca.issuers(), 'intermediate')
  await ca.crls.publish(id)
  const old = await findCrl(database.db, id, 'full')
  assert.ok(old)
  const there = async () => (await Array.fromAsync(readBody(database.db, old.bodyId))).length > 0
  clock.now = new Date(caStart.getTime() + 72 * hour)
  await ca.crls.publish(id)
  assert.ok(await there(), 'somebody may be in the midst of it')
  clock.now = new Date(clock.now.getTime() + hour - 1000)
  await dropOldBodies(database, new Date(clock.now.getTime() - hour))
  assert.ok(await there())
  clock.now = new Date(clock.now.getTime() + 2000)
  await dropOldBodies(database, new Date(clock.now.getTime() - hour))
  assert.ok(!await there())
})

test('a list that is gone in the midst of reading ends the connection: half of one is never taken for the whole', async (t) => {
  const database = await emptyDatabase(t)
  const { ca } = await caWorld(t, database)
  const { id } = issuerInSlot(await ca.issuers(), 'intermediate')
  const { sendCrl } = createPublicFiles({ database, now })
  let sent: Promise<void> | undefined
  const server = createServer((request, response) => { sent = sendCrl(request, response, id, 'full') })
  t.after(() => { server.closeAllConnections(); server.close() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const get = async () => Buffer.from(await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { signal: AbortSignal.timeout(4000) })).arrayBuffer())
  const warnings: Error[] = []
  const onWarning = (warning: Error) => { warnings.push(warning) }
  process.on('warning', onWarning)
  t.after(() => { process.off('warning', onWarning) })

  const bodyId = await largeList(database, id)
  assert.equal((await get()).length, slices << 18)
  assert.deepEqual(warnings, [])
  await database.db.deleteFrom('ca_crl_slice').where('bodyId', '=', bodyId).where('position', '>', 8).execute()
  await assert.rejects(get(), (error: Error) => error.name !== 'TimeoutError')
  await sent
})

test('many who ask at once for a list that nobody read yet read it once; half of one is not kept', async (t) => {
  const database = await emptyDatabase(t)
  const { ca, origin } = await caWorld(t, database)
  const { id } = issuerInSlot(await ca.issuers(), 'intermediate')
  await ca.crls.publish(id)
  const list = await findCrl(database.db, id, 'full')
  assert.ok(list)
  let reads = 0
  const counted: Database = { ...database, db: database.db.withPlugin({ transformQuery: ({ node }) => { if (JSON.stringify(node).includes('ca_crl_slice')) reads++; return node }, transformResult: async ({ result }) => result }) }
  const { sendCrl } = createPublicFiles({ database: counted, now })
  const server = createServer((request, response) => { sendCrl(request, response, id, 'full').catch(() => { response.destroy() }) })
  t.after(() => { server.closeAllConnections(); server.close() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const wanted = Buffer.from(await (await fetch(`${origin}/crl/${id}.crl`)).arrayBuffer())
  const gone = await database.db.selectFrom('ca_crl_slice').selectAll().where('bodyId', '=', list.bodyId).execute()
  await database.db.deleteFrom('ca_crl_slice').where('bodyId', '=', list.bodyId).execute()
  await assert.rejects(fetch(address))
  await database.db.insertInto('ca_crl_slice').values(gone).execute()
  reads = 0
  const all = await Promise.all(Array.from({ length: 20 }, async () => Buffer.from(await (await fetch(address)).arrayBuffer())))
  assert.ok(all.every((body) => body.equals(wanted)))
  assert.equal(reads, 2, 'its one slice, and the look for another')
})

test('no list of a part is made that would pass for the whole', async (t) => {
  const database = await emptyDatabase(t)
  const { ca } = await caWorld(t, database, { addresses: () => undefined })
  const { id } = issuerInSlot(await ca.issuers(), 'intermediate')
  await ca.issuerService.configure(id, { crlShards: 2 })
  await ca.crls.publish(id)
  assert.deepEqual((await listCrls(database.db, id)).map(({ scope }) => scope), ['full'])
})
