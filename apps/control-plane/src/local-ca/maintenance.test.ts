import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCertificate } from '@certloop/pki'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { caWorld, serverRequest } from './ca-testing.ts'
import { schedulePublishing } from './crl-schedule.ts'
import { findCrl } from './crl-store.ts'
import { issuerInSlot } from './issue.ts'
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

test('delta lists that are not made any more hold nothing back and raise no alarm', async (t) => {
  const database = await emptyDatabase(t)
  const said: string[] = []
  const { ca, clock } = await caWorld(t, database, { log: (_level, message) => { said.push(message) } })
  const { id } = issuerInSlot(await ca.issuers(), 'intermediate')
  await ca.issuerService.configure(id, { deltaCrl: true })
  await ca.issue(await serverRequest('short', { validityDays: 10 }))
  await ca.crls.publish(id)
  await ca.crls.publish(id)
  await ca.issuerService.configure(id, { deltaCrl: false })
  await ca.maintenance.run()
  assert.ok(await findCrl(database.db, id, 'delta'), 'the full list that names it is still out there')
  clock.now = new Date(clock.now.getTime() + days(200))
  await ca.crls.publish(id)
  assert.deepEqual([await ca.maintenance.run(), said], [{ forgotten: 1 }, []])
})

test('an intermediate that ends while its successor was never put into use is spoken of', async (t) => {
  const database = await emptyDatabase(t)
  const said: string[] = []
  const { ca, clock } = await caWorld(t, database, { log: (level, message, { status }) => { said.push(`${level}: ${message} (${String(status)})`) } })
  await ca.issuerService.rollOver(issuerInSlot(await ca.issuers(), 'intermediate').id, { later: true })
  await ca.maintenance.run()
  assert.deepEqual(said, [])
  clock.now = new Date(clock.now.getTime() + days(1826 * 0.8))
  await ca.maintenance.run()
  assert.deepEqual(said, ['warn: the intermediate in use ends before long, and its successor is not in use: activate that (active)'])
  assert.equal((await listIssuers(database.db)).length, 3)
})

testOnDatabases('lists come again at half of their life, sooner near the end of the issuer, and not once it has ended', async (t, database) => {
  const { ca, clock } = await caWorld(t, database)
  const issuer = (await listIssuers(database.db)).find(({ slot }) => slot === 'intermediate')
  assert.ok(issuer?.certificate)
  const { id, certificate: { notAfter } } = issuer
  /** Publishes as the task does. @returns when it comes again; null: never */
  const next = async () => {
    await database.transaction((tx, wake) => schedulePublishing(tx, wake, id, clock.now, clock.now))
    const [task] = await database.db.selectFrom('task').selectAll().where('kind', '=', 'publish-crl').where('subject', '=', id).execute()
    assert.ok(task)
    const commit = await ca.crls.taskKind.run(task, new AbortController().signal)
    await database.transaction(async (tx, wake) => {
      await tx.updateTable('task').set({ state: 'done' }).where('id', '=', task.id).execute()
      await commit(tx, wake)
    })
    const [after] = await database.db.selectFrom('task').selectAll().where('id', '=', task.id).execute()
    return after?.state === 'ready' ? new Date(after.notBefore).getTime() - clock.now.getTime() : null
  }
  assert.ok(Math.abs((await next() ?? 0) - days(3.5)) < 1000)
  clock.now = new Date(notAfter.getTime() - days(2))
  assert.ok(Math.abs((await next() ?? 0) - days(1)) < 1000)
  clock.now = new Date(notAfter.getTime() + 1000)
  assert.equal(await next(), null)
})
