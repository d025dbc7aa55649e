import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCertificate } from '@certloop/pki'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { caWorld, serverRequest } from './ca-testing.ts'
import { findIssued } from './issued-store.ts'
import { listIssuers } from './issuer-store.ts'

const days = (n: number) => n * 86_400_000

testOnDatabases('ended certificates are forgotten only when no list can name them any more', async (t, database) => {
  const { ca, clock } = await caWorld(t, database)
  await ca.issue(await serverRequest('short', { validityDays: 10 }))
  await ca.issue(await serverRequest('long', { validityDays: 400 }))
  const short = await findIssued(database.db, 'short')
  assert.ok(short)
  await ca.revocation.revoke(short.id, { reason: 'superseded' })
  const { issuerId } = short
  await ca.crls.publish(issuerId)
  clock.now = new Date(clock.now.getTime() + days(120))
  // Nothing was published since: the list out there still names it.
  assert.deepEqual(await ca.maintenance.run(), { forgotten: 0 })
  await ca.crls.publish(issuerId)
  await ca.crls.publish(issuerId)
  assert.deepEqual(await ca.maintenance.run(), { forgotten: 1 })
  assert.equal(await findIssued(database.db, 'short'), undefined)
  assert.ok(await findIssued(database.db, 'long'))
})

test('the intermediate is replaced when a quarter of its life is left, once, and what it signed stays good', async (t) => {
  const database = await emptyDatabase(t)
  const { ca, clock } = await caWorld(t, database)
  const before = await ca.issue(await serverRequest('before'))
  const old = (await listIssuers(database.db)).find(({ slot }) => slot === 'intermediate')
  assert.ok(old?.certificate)
  clock.now = new Date(clock.now.getTime() + days(1826 * 0.7))
  await ca.maintenance.run()
  assert.equal((await listIssuers(database.db)).length, 2)
  clock.now = new Date(clock.now.getTime() + days(1826 * 0.1))
  await ca.maintenance.run()
  await ca.maintenance.run()
  const issuers = await listIssuers(database.db)
  assert.deepEqual(issuers.map(({ slot, status }) => `${slot} ${status}`), ['root active', 'null retired', 'intermediate active'])
  const after = await ca.issue(await serverRequest('after'))
  assert.notEqual(readCertificate(after.chainPem[0] ?? '').issuer, readCertificate(before.chainPem[0] ?? '').issuer)
  assert.deepEqual(await ca.findByReference('before'), before)
})
