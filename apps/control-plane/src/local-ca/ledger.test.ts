import assert from 'node:assert/strict'
import { appendFile, readFile, rename, rm, stat } from 'node:fs/promises'
import { test } from 'node:test'
import { join } from 'node:path'
import { buildOcspRequest, certificateParts, certIdOf, readOcspResponse } from '@certloop/pki'
import { tempFolder } from '@certloop/test-kit'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { caStart, caWorld, serverRequest } from './ca-testing.ts'
import { findIssued } from './issued-store.ts'
import { createLedger, recoverFromLedger } from './ledger.ts'

testOnDatabases('what a restored database forgot comes back from the ledger, once, and can be revoked', async (t, database) => {
  const folder = await tempFolder(t, 'ledger')
  const now = () => caStart
  const ledger = createLedger(folder, now)
  t.after(() => ledger.close())
  const { ca } = await caWorld(t, database, { ledger })
  const slot = (await ca.issuers()).find((issuer) => issuer.slot === 'intermediate')
  assert.ok(slot)
  await ca.issuerService.configure(slot.id, { crlShards: 500 })
  assert.equal(await recoverFromLedger(folder, database, now), 0, 'nothing is lost')
  const mark = await database.db.selectFrom('ca_ledger_mark').selectAll().execute()

  await ca.issue(await serverRequest('ord_1', { names: ['müller.example', 'shop.example'].map((name) => new URL(`http://${name}`).hostname) }))
  const before = await findIssued(database.db, 'ord_1')
  assert.ok(before)
  const file = join(folder, `issued-${caStart.toISOString().slice(0, 7)}.jsonl`)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.match(await readFile(file, 'ascii'), new RegExp(before.serialNumber))
  await appendFile(file, '\n{"v":1,"issuerId":"cut off by a cra')

  // As in a database from before: the certificate and what was read of the ledger since are gone.
  await database.transaction(async (tx) => {
    await tx.deleteFrom('ca_certificate').where('id', '=', before.id).execute()
    await tx.deleteFrom('ca_ledger_mark').execute()
    if (mark.length > 0) await tx.insertInto('ca_ledger_mark').values(mark).execute()
  })
  assert.equal(await recoverFromLedger(folder, database, now), 1)
  assert.equal(await recoverFromLedger(folder, database, now), 0)
  const after = await database.db.selectFrom('ca_certificate').selectAll().where('serialNumber', '=', before.serialNumber).executeTakeFirst()
  assert.ok(after)
  const { subject, names, profile, notAfter, spki, shard } = before
  assert.deepEqual({ subject: after.subject, names: after.names, profile: after.profile, notAfter: after.notAfter, spki: after.spki, shard: after.shard }, { subject, names, profile, notAfter, spki, shard }, 'its list is the one that the certificate names')
  assert.equal(after.status, 'intended')
  // Somebody may be using it: clients that ask must not be turned away.
  const { subject: issuerName, spki: issuerKey } = certificateParts(slot.certificate?.certificatePem ?? '')
  const { request } = buildOcspRequest({ certIds: [certIdOf({ subject: issuerName.raw, spki: issuerKey.raw }, before.serialNumber)], nonce: null })
  const told = readOcspResponse((await ca.ocsp.answer(request, 'asked')).body)
  assert.ok(told.status === 'successful')
  assert.equal(told.responses[0]?.status, 'good')
  assert.equal((await ca.revocation.revoke(after.id, { reason: 'superseded' })).status, 'revoked')
})

testOnDatabases('what was revoked and suspended since a backup is so again after it was put back', async (t, database) => {
  const folder = await tempFolder(t, 'ledger')
  const now = () => caStart
  const ledger = createLedger(folder, now)
  t.after(() => ledger.close())
  const { ca } = await caWorld(t, database, { ledger })
  const rows = []
  for (const reference of ['lost', 'held', 'resumed', 'before']) {
    await ca.issue(await serverRequest(reference))
    const row = await findIssued(database.db, reference)
    assert.ok(row)
    rows.push(row)
  }
  const [lost, held, resumed, before] = rows
  assert.ok(lost && held && resumed && before)
  await ca.revocation.revoke(before.id, { reason: 'superseded' })
  await ca.revocation.suspend(resumed.id)
  await recoverFromLedger(folder, database, now)
  const backup = { issued: await database.db.selectFrom('ca_certificate').selectAll().execute(), issuers: await database.db.selectFrom('ca_issuer').select(['id', 'changeNumber']).execute(), marks: await database.db.selectFrom('ca_ledger_mark').selectAll().execute() }

  await ca.revocation.revoke(lost.id, { reason: 'keyCompromise', invalidityDate: new Date(caStart.getTime() - 3_600_000) })
  await ca.revocation.suspend(held.id)
  await ca.revocation.resume(resumed.id)
  const wanted = await database.db.selectFrom('ca_certificate').selectAll().orderBy('id').execute()
  assert.equal(await recoverFromLedger(folder, database, now), 0, 'nothing is lost')
  assert.deepEqual(await database.db.selectFrom('ca_certificate').selectAll().orderBy('id').execute(), wanted)

  await database.transaction(async (tx) => {
    for (const { id, ...row } of backup.issued) await tx.updateTable('ca_certificate').set(row).where('id', '=', id).execute()
    for (const { id, changeNumber } of backup.issuers) await tx.updateTable('ca_issuer').set({ changeNumber }).where('id', '=', id).execute()
    await tx.deleteFrom('ca_ledger_mark').execute()
    await tx.insertInto('ca_ledger_mark').values(backup.marks).execute()
  })
  assert.equal((await findIssued(database.db, 'lost'))?.status, 'good')
  assert.equal(await recoverFromLedger(folder, database, now), 3)
  assert.deepEqual(await database.db.selectFrom('ca_certificate').selectAll().orderBy('id').execute(), wanted)
  assert.equal(await recoverFromLedger(folder, database, now), 0)
})

test('a ledger file that was moved or deleted is made anew; without its folder nothing is written', async (t) => {
  const folder = await tempFolder(t, 'ledger')
  const ledger = createLedger(folder, () => caStart)
  t.after(() => ledger.close())
  const change = (serialNumber: string) => ledger.append({ issuerId: 'iss_1', serialNumber, changeNumber: 1, status: 'revoked', revokedAt: caStart, reason: 'superseded', invalidityDate: null })
  const file = join(folder, 'issued-2026-03.jsonl')
  await change('01')
  await rename(file, `${file}.1`)
  await change('02')
  assert.match(await readFile(file, 'ascii'), /^\{[^\n]*"02"[^\n]*\}\n$/)
  await rm(file)
  await change('03')
  assert.match(await readFile(file, 'ascii'), /"03"/)
  await ledger.append({ issuerId: 'iss_lost', serialNumber: '04', reference: 'r', profile: 'server', subject: '', names: [], notBefore: caStart, notAfter: new Date(caStart.getTime() + 86_400_000), spki: Buffer.alloc(1), shard: 0 })
  const strangers = new Map<`iss_${string}`, number>()
  assert.equal(await recoverFromLedger(folder, await emptyDatabase(t), () => caStart, strangers), 0)
  assert.deepEqual([...strangers], [['iss_lost', 1]], 'an issuer that was made after the backup is told')
  await rm(folder, { recursive: true })
  await assert.rejects(change('04'), { code: 'DATA_FOLDER_UNWRITABLE' })
})
