import assert from 'node:assert/strict'
import type { BotId, DetectedSlot, HostScan } from '@certloop/contract'
import { sql } from 'kysely'
import { testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import * as scannedPlaces from '../database/migrations/0006-scanned-places.ts'
import { wideReads } from '../database/plan-testing.ts'
import { insertBot, placesAnsweringTo, saveScan, updateBot, type BotPurpose } from './bot-store.ts'

const now = new Date('2026-03-01T00:00:00.000Z')
const slot = (certificatePath: string, names: string[]): DetectedSlot => ({ title: certificatePath, fields: { certificatePath }, names, served: [], installedPem: null, problem: null })
const scanOf = (...slots: DetectedSlot[]): HostScan => ({
  at: now.toISOString(), host: { hostName: 'h', os: 'linux', osVersion: '6', arch: 'x64', addresses: [] }, listeners: [], problems: [],
  servers: slots.map((one, i) => ({ serverType: 'nginx', key: `k${i}`, title: 't', version: null, process: { pid: 1, user: 'root', command: 'nginx', service: null, container: null }, slots: [one], problem: null })),
})
const addBot = (database: Database, name: string, purpose: BotPurpose = 'both') => database.transaction((tx) => insertBot(tx, { name, purpose }, now))
const save = (database: Database, botId: BotId, scan: HostScan) => database.transaction((tx) => saveScan(tx, botId, scan))
const found = async (database: Database, ...names: string[]) => (await placesAnsweringTo(database.db, names)).map((place) => [place.botName, place.serverType, place.fields['certificatePath'], place.names])

testOnDatabases('places are found by the names they answer to, as the newest scan has them', async (_t, database) => {
  const [first, second] = [await addBot(database, 'first'), await addBot(database, 'second')]
  await save(database, first, scanOf(slot('/a', ['a.example', 'b.example', 'a.example']), slot('/c', ['c.example'])))
  await save(database, second, scanOf(slot('/b', ['b.example', 'xa.example'])))
  assert.deepEqual(await found(database, 'a.example', 'b.example'), [['first', 'nginx', '/a', ['a.example', 'b.example']], ['second', 'nginx', '/b', ['b.example']]])
  assert.deepEqual(await found(database, '%.example', 'A.example'), [])
  assert.deepEqual(await found(database), [])
  await save(database, first, scanOf(slot('/new', ['c.example'])))
  assert.deepEqual(await found(database, 'a.example', 'c.example'), [['first', 'nginx', '/new', ['c.example']]])
  await save(database, first, scanOf())
  assert.deepEqual(await found(database, 'a.example', 'b.example', 'c.example'), [['second', 'nginx', '/b', ['b.example']]])
})

testOnDatabases('bots that may not deploy, or no longer, offer no places', async (_t, database) => {
  const [looker, gone] = [await addBot(database, 'looker', 'discovery'), await addBot(database, 'gone')]
  for (const bot of [looker, gone]) await save(database, bot, scanOf(slot('/a', ['a.example'])))
  await updateBot(database.db, gone, { revokedAt: now.toISOString() })
  assert.deepEqual(await found(database, 'a.example'), [])
})

testOnDatabases('a large host is written whole, and looking for names reads no other places', async (_t, database) => {
  const big = await addBot(database, 'big')
  await save(database, big, scanOf(...Array.from({ length: 5000 }, (_, i) => slot(`/${i}`, [`${i}.example`, `www.${i}.example`]))))
  if (database.kind === 'postgresql') await sql`analyze`.execute(database.db)
  const names = ['4999.example', 'www.4999.example', '7.example', 'none.example']
  assert.deepEqual(await found(database, ...names), [['big', 'nginx', '/7', ['7.example']], ['big', 'nginx', '/4999', ['4999.example', 'www.4999.example']]])
  assert.deepEqual(await wideReads(database, ({ db }) => placesAnsweringTo(db, names), { most: 30 }), [])
})

testOnDatabases('scans taken before there was a table of places are read into it', async (_t, database) => {
  const bot = await addBot(database, 'old')
  await save(database, bot, scanOf(slot('/a', ['a.example', 'a.example']), slot('/b', [])))
  for (const table of ['scannedPlace', 'scannedName']) await database.db.schema.dropTable(table).execute()
  await scannedPlaces.up(database.db as never)
  assert.deepEqual(await found(database, 'a.example'), [['old', 'nginx', '/a', ['a.example']]])
})

testOnDatabases('names that no database or certificate can hold do not keep a scan from being written', async (_t, database) => {
  const bot = await addBot(database, 'odd')
  await save(database, bot, scanOf(slot('/a', ['a\u0000b', '\ud800', '\ud801', 'x'.repeat(5000), '', 'a.example'])))
  assert.deepEqual(await found(database, 'a\u0000b', 'a.example'), [['odd', 'nginx', '/a', ['a.example']]])
})
