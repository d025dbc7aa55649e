import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { IssuerId } from '@certloop/contract'
import { findInCrl, readCertificate, readCrl } from '@certloop/pki'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { leaseTasks } from '../task/task-store.ts'
import { runTask } from '../task/task-worker.ts'
import { caWorld, serverRequest, type CaWorld } from './ca-testing.ts'
import { findIssued, type IssuedRow } from './issued-store.ts'
import { issuerInSlot } from './issue.ts'
import type { LocalCa, LocalIssued } from './local-ca.ts'
import { opensslFolder } from './openssl-ca-testing.ts'

const inUse = async (ca: LocalCa) => issuerInSlot(await ca.issuers(), 'intermediate')
async function rowOf(database: Database, reference: string): Promise<IssuedRow> {
  const row = await findIssued(database.db, reference)
  assert.ok(row)
  return row
}
async function fetched({ origin }: CaWorld, path: string): Promise<Buffer> {
  const response = await fetch(`${origin}${path}`)
  assert.equal(response.status, 200, path)
  return Buffer.from(await response.arrayBuffer())
}
const crlPathOf = ({ chainPem: [pem = ''] }: LocalIssued): string => new URL(readCertificate(pem).crlUrls[0] ?? '').pathname

const numberOf = ({ number }: ReturnType<typeof readCrl>): number => Number.parseInt(number ?? '', 16)

/** A CA with the clock that openssl has; some seconds can be added to it. */
async function world(t: TestContext, database: Database) {
  const ahead = { ms: 0 }
  const now = () => new Date(Date.now() + ahead.ms)
  const w = await caWorld(t, database, { now })
  const { id } = await inUse(w.ca)
  // Verified with the full list of the root, so that the whole chain can be looked at.
  const root = issuerInSlot(await w.ca.issuers(), 'root')
  await w.ca.crls.publish(root.id)
  const rootList = await fetched(w, `/crl/${root.id}.crl`)
  return { ...w, ahead, now, id, rootList, openssl: opensslFolder(t) }
}

/** Does the tasks that are due, as the control plane does. */
async function runDue(database: Database, ca: LocalCa, now: () => Date, id?: IssuerId): Promise<number> {
  let count = 0
  const deps = { database, kinds: { 'publish-crl': ca.crls.taskKind }, now, random: () => 0.5, log: (level: string, message: string, facts: object) => { if (level === 'error') throw new Error(`${message} ${JSON.stringify(facts)}`) } }
  for (;;) {
    const tasks = (await leaseTasks(database, 'control-plane', { owner: 'test', max: 8, seconds: 60 }, now())).filter(({ kind }) => kind === 'publish-crl')
    for (const task of tasks) await runTask(deps, task)
    count += tasks.filter(({ subject }) => id === undefined || subject === id).length
    assert.ok(count < 50, 'there is no end to publishing')
    if (tasks.length === 0) return count
  }
}

testOnDatabases('shards: the list that a certificate names says of itself that it is that one, and openssl checks by it', async (t, database) => {
  const w = await world(t, database)
  await w.ca.issuerService.configure(w.id, { crlShards: 3 })
  const byPath = new Map<string, { reference: string; issued: LocalIssued }>()
  for (let i = 0; byPath.size < 3; i++) {
    assert.ok(i < 200, 'certificates are spread among the lists')
    const issued = await w.ca.issue(await serverRequest(`a${i}`))
    byPath.set(crlPathOf(issued), { reference: `a${i}`, issued })
  }
  await w.ca.crls.publish(w.id)
  const full = await fetched(w, `/crl/${w.id}.crl`)
  assert.doesNotMatch(w.openssl.run('crl', '-inform', 'DER', '-noout', '-text', '-in', w.openssl.file(full)), /Issuing Distribution Point/)
  const [first, second] = [...byPath]
  assert.ok(first && second)
  for (const [path, { issued }] of byPath) {
    const list = await fetched(w, path)
    assert.match(w.openssl.run('crl', '-inform', 'DER', '-noout', '-text', '-in', w.openssl.file(list)), new RegExp(`Issuing Distribution Point: critical\\s+Full Name:\\s+URI:\\S+${path}\\n`))
    w.openssl.verifyIssued(issued, { crls: [list], more: ['-crl_check', '-extended_crl'] })
  }
  // The list of another shard does not speak for it.
  assert.throws(() => w.openssl.verifyIssued(first[1].issued, { crls: [Buffer.from([])].slice(1), more: ['-crl_check', '-extended_crl'] }), /unable to get certificate CRL/)
  const foreign = await fetched(w, second[0])
  assert.throws(() => w.openssl.verifyIssued(first[1].issued, { crls: [foreign], more: ['-crl_check', '-extended_crl'] }), /different CRL scope|unable to get certificate CRL/i)
  await w.ca.revocation.revoke((await rowOf(database, first[1].reference)).id, { reason: 'keyCompromise' })
  await w.ca.crls.publish(w.id)
  const serial = readCertificate(first[1].issued.chainPem[0] ?? '').serialNumber
  for (const path of [...byPath.keys(), `/crl/${w.id}.crl`]) assert.equal(Boolean(findInCrl(readCrl(await fetched(w, path)), serial)), path === first[0] || path.endsWith(`${w.id}.crl`), path)
  const list = await fetched(w, first[0])
  assert.throws(() => w.openssl.verifyIssued(first[1].issued, { crls: [list], more: ['-crl_check', '-extended_crl'] }), /certificate revoked/)
  // Fewer shards than before: what names one of the old ones is still found there.
  await w.ca.issuerService.configure(w.id, { crlShards: 0 })
  await w.ca.crls.publish(w.id)
  assert.ok(findInCrl(readCrl(await fetched(w, first[0])), serial))
  assert.equal(crlPathOf(await w.ca.issue(await serverRequest('later'))), `/crl/${w.id}.crl`)
})

testOnDatabases('delta lists: what changed since the full one, a resumption as removeFromCRL; openssl takes them', async (t, database) => {
  const w = await world(t, database)
  const deltas = { more: ['-crl_check', '-extended_crl', '-use_deltas'] }
  await w.ca.issuerService.configure(w.id, { deltaCrl: true })
  const [held, lost] = [await w.ca.issue(await serverRequest('held')), await w.ca.issue(await serverRequest('lost'))]
  await w.ca.revocation.suspend((await rowOf(database, 'held')).id)
  await w.ca.crls.publish(w.id)
  const base = await fetched(w, `/crl/${w.id}.crl`)
  assert.match(w.openssl.run('crl', '-inform', 'DER', '-noout', '-text', '-in', w.openssl.file(base)), new RegExp(`Freshest CRL:\\s+Full Name:\\s+URI:\\S+/crl/${w.id}-delta\\.crl`))
  assert.throws(() => w.openssl.verifyIssued(held, { crls: [base], ...deltas }), /certificate revoked/)
  w.openssl.verifyIssued(lost, { crls: [base], ...deltas })

  w.ahead.ms += 2000
  await w.ca.revocation.resume((await rowOf(database, 'held')).id)
  await w.ca.revocation.revoke((await rowOf(database, 'lost')).id, { reason: 'keyCompromise' })
  await w.ca.crls.publish(w.id)
  const delta = await fetched(w, `/crl/${w.id}-delta.crl`)
  assert.equal(readCrl(delta).baseNumber, readCrl(base).number)
  assert.deepEqual([findInCrl(readCrl(delta), (await rowOf(database, 'held')).serialNumber)?.reason, findInCrl(readCrl(delta), (await rowOf(database, 'lost')).serialNumber)?.reason], ['removeFromCRL', 'keyCompromise'])
  const at = { at: new Date(Date.now() + 10_000) }
  w.openssl.verifyIssued(held, { crls: [base, delta], ...deltas, ...at })
  assert.throws(() => w.openssl.verifyIssued(lost, { crls: [base, delta], ...deltas, ...at }), /certificate revoked/)
  const full = readCrl(await fetched(w, `/crl/${w.id}.crl`))
  assert.equal(full.number, readCrl(delta).number, 'made together, they have one number')
  assert.deepEqual([Boolean(findInCrl(full, (await rowOf(database, 'held')).serialNumber)), Boolean(findInCrl(full, (await rowOf(database, 'lost')).serialNumber))], [false, true])
})

testOnDatabases('the task: at once after a revocation, again at half of the lists\' life', async (t, database) => {
  const w = await world(t, database)
  await runDue(database, w.ca, w.now)
  await w.ca.issue(await serverRequest('a'))
  assert.equal(await runDue(database, w.ca, w.now, w.id), 0, 'nothing is due')
  const before = readCrl(await fetched(w, `/crl/${w.id}.crl`))
  w.ahead.ms += 600_000 // a list that took long to make, on a busy machine, has a pause
  await w.ca.revocation.revoke((await rowOf(database, 'a')).id, { reason: 'superseded' })
  assert.equal(await runDue(database, w.ca, w.now, w.id), 1)
  const after = readCrl(await fetched(w, `/crl/${w.id}.crl`))
  assert.ok(findInCrl(after, (await rowOf(database, 'a')).serialNumber))
  assert.ok(numberOf(after) > numberOf(before))
  const { settings } = await inUse(w.ca)
  w.ahead.ms += settings.crlHours * 1_800_000 - 60_000
  assert.equal(await runDue(database, w.ca, w.now, w.id), 0)
  w.ahead.ms += 120_000
  assert.equal(await runDue(database, w.ca, w.now, w.id), 1)
  assert.ok(readCrl(await fetched(w, `/crl/${w.id}.crl`)).thisUpdate > after.thisUpdate)
})

/** Calls `meanwhile` once, when a list is about to be put in its place: it has been read and signed by then. */
function interrupted(database: Database, meanwhile: () => Promise<void>): Database {
  let isOver = false
  return {
    ...database,
    async transaction(body) {
      return database.transaction(body)
    },
    db: new Proxy(database.db, {
      get(db, name, receiver) {
        if (name === 'insertInto' && !isOver) {
          isOver = true
          return (table: 'ca_crl_slice') => {
            const query = db.insertInto(table)
            return { values: (row: never) => ({ execute: async () => { await meanwhile(); await query.values(row).execute() } }) }
          }
        }
        const value: unknown = Reflect.get(db, name, receiver)
        return typeof value === 'function' ? value.bind(db) : value
      },
    }),
  }
}

testOnDatabases('a revocation while a list is being made is not lost', async (t, database) => {
  const w = await world(t, database)
  await runDue(database, w.ca, w.now)
  await w.ca.issue(await serverRequest('a'))
  await w.ca.issue(await serverRequest('b'))
  let calls = 0
  const slow = (await caWorld(t, interrupted(database, async () => {
    calls++
    await w.ca.revocation.revoke((await rowOf(database, 'b')).id, { reason: 'superseded' })
  }), { now: w.now })).ca
  await w.ca.revocation.revoke((await rowOf(database, 'a')).id, { reason: 'superseded' })
  assert.equal(await runDue(database, slow, w.now), 2, 'made once more at once')
  assert.equal(calls, 1)
  const list = readCrl(await fetched(w, `/crl/${w.id}.crl`))
  for (const reference of ['a', 'b']) assert.ok(findInCrl(list, (await rowOf(database, reference)).serialNumber), reference)
})

testOnDatabases('two replicas that publish at once: what the later one knew stays on the list', async (t, database) => {
  const w = await world(t, database)
  await runDue(database, w.ca, w.now)
  const frozen = new Date()
  const other = (await caWorld(t, database, { now: () => frozen })).ca
  await w.ca.issue(await serverRequest('a'))
  const row = await rowOf(database, 'a')
  // One has read everything and is about to store its list; the other makes a whole one with a revocation meanwhile, in the same second.
  const stale = (await caWorld(t, interrupted(database, async () => {
    await other.revocation.revoke(row.id, { reason: 'superseded' })
    await other.crls.publish(w.id)
  }), { now: () => new Date(frozen.getTime() + 5000) })).ca
  await stale.crls.publish(w.id)
  assert.ok(findInCrl(readCrl(await fetched(w, `/crl/${w.id}.crl`)), row.serialNumber), 'older news does not replace newer')

  await w.ca.issue(await serverRequest('b'))
  const second = await rowOf(database, 'b')
  const early = (await caWorld(t, interrupted(database, () => stale.crls.publish(w.id).then(() => {})), { now: () => frozen })).ca
  await other.revocation.revoke(second.id, { reason: 'superseded' })
  await early.crls.publish(w.id)
  assert.ok(findInCrl(readCrl(await fetched(w, `/crl/${w.id}.crl`)), second.serialNumber))
})

test('two replicas, a number taken by the other: the list with the revocation gets the next one', async (t) => {
  const database = await emptyDatabase(t)
  const w = await world(t, database)
  await w.ca.issue(await serverRequest('a'))
  const row = await rowOf(database, 'a')
  const frozen = new Date(Date.now() + 60_000)
  const make = async (meanwhile: () => Promise<void>) => (await caWorld(t, interrupted(database, meanwhile), { now: () => frozen })).ca
  const other = (await caWorld(t, database, { now: () => frozen })).ca
  // Both decide on the same number; the one without the revocation stores first.
  let late: Promise<unknown> = Promise.resolve()
  const first = await make(async () => {
    await other.revocation.revoke(row.id, { reason: 'superseded' })
    const second = await make(async () => { await release })
    late = second.crls.publish(w.id)
    await reached
  })
  let letGo = (): void => {}
  let arrive = (): void => {}
  const release = new Promise<void>((resolve) => { letGo = resolve })
  const reached = new Promise<void>((resolve) => { arrive = resolve })
  setImmediate(() => arrive())
  await first.crls.publish(w.id)
  letGo()
  await late
  assert.ok(findInCrl(readCrl(await fetched(w, `/crl/${w.id}.crl`)), row.serialNumber))
})

