import assert from 'node:assert/strict'
import { CertloopError } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { insertCertificate, listCertificates, newestVersions, updateCertificate, versionsOf, type CertificateQuery } from './certificate-store.ts'
import { makeWorld } from '../world-testing.ts'
import { toSummaries } from './certificate-view.ts'

async function pages(database: Database, query: Omit<CertificateQuery, 'limit'>, limit: number) {
  const rows = []
  let cursor: string | undefined
  do {
    const page = await listCertificates(database.db, { ...query, limit, cursor })
    assert.ok(page.rows.length <= limit)
    rows.push(...page.rows)
    cursor = page.nextCursor ?? undefined
  } while (cursor)
  return rows
}
const add = (database: Database, name: string, notAfter: string | null, at = new Date('2026-01-01T00:00:00Z')) => database.transaction(async (tx) => {
  const id = await insertCertificate(tx, { name, names: [name], management: 'monitored', status: 'discovered' }, at)
  await updateCertificate(tx, id, { notAfter })
  return id
})

testOnDatabases('pages of every sort hold each row once, in order, with ties and without an end', async (_t, database) => {
  const ends = [null, '2026-05-01T00:00:00.000Z', '2026-06-01T00:00:00.000Z', null, '2026-05-01T00:00:00.000Z']
  const names = ['b', 'a', 'Ä', 'a', 'ab', "o'c", '_', '%', 'Z']
  for (let i = 0; i < 45; i++) await add(database, names[i % names.length] ?? '', ends[i % ends.length] ?? null, new Date(Date.UTC(2026, 0, 1 + (i % 4))))
  const keys = { name: (r: { name: string }) => r.name, notAfter: (r: { notAfter: string | null }) => r.notAfter ?? '9999', '-notAfter': (r: { notAfter: string | null }) => r.notAfter ?? '9999', '-createdAt': (r: { createdAt: string }) => r.createdAt }
  for (const sort of ['name', 'notAfter', '-notAfter', '-createdAt'] as const) {
    const whole = await pages(database, { sort }, 200)
    for (const limit of [1, 2, 7, 44, 45]) {
      const rows = await pages(database, { sort }, limit)
      assert.deepEqual(rows.map((r) => r.id), whole.map((r) => r.id), `${sort} by ${limit}`)
    }
    assert.equal(new Set(whole.map((r) => r.id)).size, 45)
    if (sort === 'name') continue // the order of letters is the database's
    const values = whole.map(keys[sort])
    assert.deepEqual(values, sort.startsWith('-') ? values.toSorted().toReversed() : values.toSorted(), sort)
  }
})

testOnDatabases('a search takes % _ and \\ as they are, whatever the case', async (_t, database) => {
  for (const name of ['a_b.example', 'axb.example', '100%.example', 'back\\slash.example', 'Upper.example', "quote'.example"]) await add(database, name, null)
  const search = async (text: string) => (await pages(database, { search: text }, 3)).map((r) => r.name)
  assert.deepEqual(await search('a_b'), ['a_b.example'])
  assert.deepEqual(await search('0%'), ['100%.example'])
  assert.deepEqual(await search('%'), ['100%.example'])
  assert.deepEqual(await search('k\\s'), ['back\\slash.example'])
  assert.deepEqual(await search('UPPER'), ['Upper.example'])
  assert.deepEqual(await search("e'."), ["quote'.example"])
  assert.equal((await search('example')).length, 6)
  for (const cursor of ['x', '[]', '[1,2]', '{"a":1}']) await assert.rejects(listCertificates(database.db, { limit: 5, cursor }), (e) => e instanceof CertloopError && e.code === 'INPUT_INVALID')
})

testOnDatabases('a certificate with hundreds of versions: the newest of each kind, and lists that ask the same however many', async (t, database) => {
  const w = await makeWorld(t, database)
  const bots = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('old.example', bots)
  await w.act(id, 'rotate')
  const [sample] = await versionsOf(database.db, id)
  assert.ok(sample)
  for (let i = 0; i < 300; i++) await database.db.insertInto('certificateVersion').values({ ...sample, id: `ver_${String(i).padStart(26, '0')}`, ordinal: -1 - i, fingerprint: String(i).padStart(64, '0'), source: 'order' }).execute()
  const newest = await newestVersions(database.db, id)
  assert.deepEqual(newest.map((v) => String(v.keyBotId)).toSorted(), bots.map((b) => String(b.id)).toSorted())
  assert.ok(newest.some((v) => v.id === sample.id))
  assert.equal((await versionsOf(database.db, id)).length, 100)
  assert.equal((await w.detail(id)).status, 'deployed')
  const { rows } = await listCertificates(database.db, { limit: 10 })
  const [summary] = await toSummaries(database.db, rows)
  assert.deepEqual([summary?.installationCount, summary?.fingerprint], [2, (await w.detail(id)).fingerprint])
  assert.deepEqual(await toSummaries(database.db, []), [])
})
