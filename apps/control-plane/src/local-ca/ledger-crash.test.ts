import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { newId } from '@certloop/contract'
import { findInCrl, readCertificate, readCrl } from '@certloop/pki'
import { startProcess, tempFolder } from '@certloop/test-kit'
import { emptyDatabase } from '../database/database-testing.ts'
import { openDatabase } from '../database/database.ts'
import { caMasterKey, caStart, caWorld, serverRequest } from './ca-testing.ts'
import { issuerInSlot } from './issue.ts'
import { createLedger, recoverFromLedger, type LedgerEntry } from './ledger.ts'
import { opensslFolder } from './openssl-ca-testing.ts'

const now = () => caStart
const entry = (i: number): LedgerEntry => ({ issuerId: newId('iss', caStart), serialNumber: i.toString(16).padStart(32, '0'), reference: `ref ${i}`, profile: 'server', subject: 'CN=ä', names: [], notBefore: caStart, notAfter: new Date(caStart.getTime() + 1e9), spki: Buffer.from('key'), shard: 0 })
const linesOf = async (folder: string, month = '2026-03') => (await readFile(join(folder, `issued-${month}.jsonl`), 'ascii')).split('\n').filter((line) => line !== '')

test('a process killed after the ledger and before the database: the number is not lost and can be revoked', { timeout: 60_000 }, async (t) => {
  const folder = await tempFolder(t, 'killed')
  const child = await startProcess(t, [process.execPath, fileURLToPath(new URL('ledger-crash-testing.ts', import.meta.url)), folder, caMasterKey.toString('hex'), new Date().toISOString()])
  const { signal } = await child.ended
  assert.equal(signal, 'SIGKILL', child.output())
  const [line = ''] = (await linesOf(join(folder, 'ledger'), new Date().toISOString().slice(0, 7))).slice(-1)
  const { serialNumber } = JSON.parse(line) as { serialNumber: string }
  const database = await openDatabase(`sqlite:${join(folder, 'db.sqlite')}`)
  t.after(() => database.close())
  assert.equal(await database.db.selectFrom('ca_certificate').select('id').where('serialNumber', '=', serialNumber).executeTakeFirst(), undefined)
  assert.equal(await recoverFromLedger(join(folder, 'ledger'), database, () => new Date()), 1)
  const row = await database.db.selectFrom('ca_certificate').selectAll().where('serialNumber', '=', serialNumber).executeTakeFirst()
  assert.equal(row?.status, 'intended')
  const { ca } = await caWorld(t, database, { now: () => new Date() })
  assert.equal((await ca.revocation.revoke(row.id, { reason: 'cessationOfOperation' })).status, 'revoked')
})

test('nothing is committed or signed before the ledger has it', async (t) => {
  const database = await emptyDatabase(t)
  let release = (_error: Error): void => { throw new Error('nothing was appended') }
  let asked = (): void => {}
  const begun = new Promise<void>((resolve) => { asked = resolve })
  const ready = await caWorld(t, database)
  const { ca } = await caWorld(t, database, { ledger: { append: () => new Promise((_, reject) => { release = reject; asked() }), close: async () => {} } })
  const issuing = ca.issue(await serverRequest('a'))
  issuing.catch(() => {}) // looked at below
  await begun
  assert.equal((await database.db.selectFrom('ca_certificate').select('id').where('reference', '=', 'a').execute()).length, 0)
  release(new Error('no disk'))
  await assert.rejects(issuing, /no disk/)
  assert.equal(await ready.ca.findByReference('a'), undefined)
  assert.equal((await database.db.selectFrom('ca_certificate').select('id').where('reference', '=', 'a').execute()).length, 0)
})

test('a ledger that can not be written stops signing with a plain word, and goes on when it can', async (t) => {
  const folder = await tempFolder(t, 'full')
  const database = await emptyDatabase(t)
  const place = join(folder, 'ledger')
  const ledger = createLedger(place, now)
  t.after(() => ledger.close())
  await caWorld(t, database) // the hierarchy is there before
  const { ca } = await caWorld(t, database, { ledger })
  const refused = async (reference: string) => {
    await assert.rejects(async () => ca.issue(await serverRequest(reference)), { code: 'DATA_FOLDER_UNWRITABLE', message: new RegExp(`${place}.*nothing is signed`) })
    assert.equal((await database.db.selectFrom('ca_certificate').select('id').where('reference', '=', reference).execute()).length, 0)
  }
  await refused('no folder')
  await writeFile(place, 'a file')
  await refused('a file in its place')
  await rm(place)
  await mkdir(place)
  await symlink('/dev/full', join(place, 'issued-2026-03.jsonl'))
  await refused('a full disk')
  await rm(join(place, 'issued-2026-03.jsonl'))
  await ca.issue(await serverRequest('room again'))
  assert.equal((await linesOf(place)).length, 1)
})

test('two replicas that share a folder write whole lines, also after a torn one', async (t) => {
  const folder = await tempFolder(t, 'shared')
  await writeFile(join(folder, 'issued-2026-03.jsonl'), '{"v":1,"serialNumber":"torn')
  const ledgers = [createLedger(folder, now), createLedger(folder, now)]
  await Promise.all(ledgers.flatMap((one, replica) => Array.from({ length: 200 }, (_, i) => one.append(entry(replica * 200 + i)))))
  await Promise.all(ledgers.map((one) => one.close()))
  const whole = (await linesOf(folder)).flatMap((line) => { try { return [(JSON.parse(line) as { serialNumber: string }).serialNumber] } catch { return [] } }) // the torn one
  assert.deepEqual(new Set(whole), new Set(Array.from({ length: 400 }, (_, i) => entry(i).serialNumber)))
  assert.equal((await linesOf(folder)).length, 401)
})

test('a database put back from before: what was issued since is there, is revoked, and stands in OCSP and on its list; list numbers grow', { timeout: 60_000 }, async (t) => {
  const folder = await tempFolder(t, 'restore')
  const [file, backup, ledgerFolder] = ['db.sqlite', 'backup.sqlite', 'ledger'].map((name) => join(folder, name)) as [string, string, string]
  await mkdir(ledgerFolder)
  const clock = { ms: Date.now() }
  const time = () => new Date(clock.ms)
  const start = async () => {
    const database = await openDatabase(`sqlite:${file}`)
    const recovered = await recoverFromLedger(ledgerFolder, database, time)
    const ledger = createLedger(ledgerFolder, time)
    return { database, recovered, ...await caWorld(t, database, { now: time, ledger }), stop: async () => { await ledger.close(); await database.close() } }
  }
  const first = await start()
  const { id } = issuerInSlot(await first.ca.issuers(), 'intermediate')
  await first.ca.issuerService.configure(id, { crlShards: 3 })
  await first.ca.crls.publish(id)
  await first.stop()
  await copyFile(file, backup)

  clock.ms += 60_000
  const second = await start()
  assert.equal(second.recovered, 0)
  const issued = await Promise.all(Array.from({ length: 6 }, async (_, i) => second.ca.issue(await serverRequest(`lost ${i}`))))
  await second.ca.crls.publish(id)
  const numbers = await second.database.db.selectFrom('ca_crl').select(['scope', 'number']).execute()
  await second.stop()
  await rename(backup, file)
  await Promise.all(['-wal', '-shm'].map((end) => rm(`${file}${end}`, { force: true })))

  clock.ms += 60_000
  const third = await start()
  t.after(third.stop)
  assert.equal(third.recovered, 6)
  const openssl = opensslFolder(t)
  for (const one of issued) {
    const leaf = readCertificate(one.chainPem[0] ?? '')
    const row = await third.database.db.selectFrom('ca_certificate').selectAll().where('serialNumber', '=', leaf.serialNumber).executeTakeFirst()
    assert.equal(row?.status, 'intended')
    await third.ca.revocation.revoke(row.id, { reason: 'superseded' })
    const [certificate, issuer, root] = [openssl.file(one.chainPem[0] ?? '', 'leaf'), openssl.file(one.chainPem[1] ?? ''), openssl.file(one.rootPem)]
    const { stdout } = await openssl.runBeside('ocsp', '-issuer', issuer, '-cert', certificate, '-CAfile', root, '-verify_other', issuer, '-validity_period', '86400', '-url', `${third.origin}/ocsp/${id}`)
    assert.match(stdout, /leaf: revoked/)
  }
  await third.ca.crls.publish(id)
  for (const one of issued) {
    const { serialNumber, crlUrls } = readCertificate(one.chainPem[0] ?? '')
    const address = new URL(crlUrls[0] ?? '')
    const list = readCrl(Buffer.from(await (await fetch(`${third.origin}${address.pathname}`)).arrayBuffer()))
    assert.equal(findInCrl(list, serialNumber)?.reason, 'superseded', address.pathname)
  }
  for (const { scope, number } of numbers) {
    const after = await third.database.db.selectFrom('ca_crl').select('number').where('issuerId', '=', id).where('scope', '=', scope).executeTakeFirst()
    assert.ok(Number(after?.number) > number, scope)
  }
})
