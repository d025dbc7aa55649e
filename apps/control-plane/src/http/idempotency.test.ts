import assert from 'node:assert/strict'
import { sql } from 'kysely'
import { newId } from '@certloop/contract'
import { insertCertificate } from '../certificate/certificate-store.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { wideReads } from '../database/plan-testing.ts'
import { asPage, startHttp } from './http-testing.ts'
import { deleteKeysBefore } from './idempotency-store.ts'
import { implement } from './implement.ts'

testOnDatabases('what failed after it was written is not done again under its Idempotency-Key; what failed before is', async (t, database) => {
  let fails: 'before' | 'inside' | 'after' | 'never' = 'after'
  const { call, root } = await startHttp(t, database, (app) => {
    implement(app, 'createCertificate', async () => {
      if (fails === 'before') throw new Error('down before')
      await database.transaction(async (tx) => {
        await insertCertificate(tx, { name: 'a', names: ['a.example'], management: 'managed', status: 'configuration-pending' }, new Date('2026-01-01T00:00:00Z'))
        if (fails === 'inside') throw new Error('down inside')
      })
      throw new Error('down after')
    })
  })
  const post = (key: string) => call('POST', '/api/v1/certificates', { ...asPage(root.cookie), 'idempotency-key': key }, { names: ['a.example'] })
  const made = async () => (await database.db.selectFrom('certificate').select('id').execute()).length
  assert.equal((await post('k1')).statusCode, 500)
  const again = await post('k1')
  assert.equal(again.json().code, 'CONFLICT')
  assert.match(again.json().detail, /Look whether it took effect/)
  assert.equal(await made(), 1)
  for (fails of ['before', 'inside'] as const) {
    assert.equal((await post('k2')).statusCode, 500)
    assert.equal(await made(), 1)
  }
  fails = 'after'
  assert.equal((await post('k2')).statusCode, 500, 'its key was free: nothing had been written')
  assert.equal(await made(), 2)
  assert.equal((await post('k2')).json().code, 'CONFLICT')
  assert.equal(await made(), 2)
})

testOnDatabases('old keys are found without reading the others', async (_t, { db, ...rest }) => {
  const rows = Array.from({ length: 2000 }, (_, i) => ({ who: 'user:a', key: newId('req', new Date(i)), requestHash: 'x', answer: null, createdAt: '2026-03-01T00:00:00.000Z' }))
  await db.insertInto('idempotency').values(rows).execute()
  if (rest.kind === 'postgresql') await sql`analyze`.execute(db)
  assert.deepEqual(await wideReads({ db, ...rest }, (database) => deleteKeysBefore(database.db, '2026-02-01T00:00:00.000Z')), [])
})
