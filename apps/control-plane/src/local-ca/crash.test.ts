import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IssuerId } from '@certloop/contract'
import { findInCrl, readCertificate, readCrl } from '@certloop/pki'
import { emptyDatabase } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { createSecrets } from '../secret/secrets.ts'
import { addressesAt } from './addresses.ts'
import { caMasterKey, caStart, cutOffAt, serverRequest } from './ca-testing.ts'
import { findCrl, readBody } from './crl-store.ts'
import { findIssued } from './issued-store.ts'
import { issuerInSlot } from './issue.ts'
import type { NewIssuer } from './issuer-making.ts'
import { listIssuers } from './issuer-store.ts'
import { createLocalCa, type LocalCa } from './local-ca.ts'
import { outsideCa } from './openssl-ca-testing.ts'

const now = () => caStart

interface Trial {
  /** What is there before. */
  prepare?(ca: LocalCa, database: Database): Promise<void>
  /** What is cut off, and repeated. */
  act(ca: LocalCa, database: Database): Promise<unknown>
  /** Whether it is also repeated without a new start in between. */
  goesOn?: boolean
  /** An error with which the repeat may say that it was done already. */
  alreadyDone?: string
  /** How it has to end. */
  check(ca: LocalCa, database: Database): Promise<void>
}

/** Cuts the act off at each of its statements in turn; starts anew, repeats it, and looks. @returns the number of statements */
async function cutEverywhere(t: Parameters<typeof emptyDatabase>[0], { prepare, act, alreadyDone, goesOn, check }: Trial): Promise<number> {
  const world = async () => {
    const database = await emptyDatabase(t)
    const secrets = await createSecrets({ database, masterKey: caMasterKey, now })
    const start = (through: Database) => createLocalCa({ database: through, secrets, now, addresses: () => addressesAt('http://pki.example') })
    await start(database).ensureHierarchy()
    await prepare?.(start(database), database)
    return { database, start }
  }
  const whole = await world()
  const counted = cutOffAt(whole.database, 0)
  await act(whole.start(counted.database), whole.database)
  await check(whole.start(whole.database), whole.database)
  const cuts = Array.from({ length: counted.statements() }, (_, i) => i + 1)
  for (const [k, isStarted] of cuts.flatMap((k): [number, boolean][] => (goesOn ? [[k, true], [k, false]] : [[k, true]]))) {
    const { database, start } = await world()
    await assert.rejects(act(start(cutOffAt(database, k).database), database), /cut off/, `at ${k}`)
    const ca = start(database)
    if (isStarted) await ca.ensureHierarchy()
    try {
      await act(ca, database)
    } catch (error) {
      assert.equal((error as { code?: string }).code, alreadyDone, `the repeat after ${k}: ${String(error)}`)
    }
    await sound(database, k)
    await check(ca, database)
  }
  return counted.statements()
}

/** True whatever was done: one pair in use, nothing half made, no serial number twice. */
async function sound(database: Database, k: number): Promise<void> {
  const issuers = await listIssuers(database.db)
  for (const slot of ['root', 'intermediate']) assert.equal(issuers.filter((one) => one.slot === slot && one.status !== 'pending').length, 1, `${slot} after ${k}`)
  assert.deepEqual(issuers.filter(({ status }) => status === 'pending'), [], `after ${k}`)
  const serials = [
    ...(await database.db.selectFrom('ca_certificate').select('serialNumber').execute()).map(({ serialNumber }) => serialNumber),
    ...issuers.filter(({ kind }) => kind === 'root').flatMap(({ certificates }) => certificates.filter(({ signedBy }) => issuers.some(({ id, kind }) => id === signedBy && kind === 'root')).map(({ certificatePem }) => readCertificate(certificatePem)).filter((one) => one.isSelfIssued).map((one) => one.serialNumber)),
  ]
  assert.equal(new Set(serials).size, serials.length, `after ${k}`)
  for (const row of await database.db.selectFrom('ca_certificate').selectAll().execute()) {
    if (row.certificatePem !== null) assert.equal(readCertificate(row.certificatePem).serialNumber, row.serialNumber)
  }
}

const named = async (database: Database, name: string) => (await listIssuers(database.db)).filter((issuer) => issuer.name === name)
const inUse = async (ca: LocalCa) => issuerInSlot(await ca.issuers(), 'intermediate')
const rootOf = async (ca: LocalCa) => issuerInSlot(await ca.issuers(), 'root')
const other: NewIssuer = { name: 'Other', commonName: 'Other', keyAlgorithm: 'ec-256', signedBy: 'self', validityDays: 1000 }

test('making a root, cut off at any statement', async (t) => {
  const statements = await cutEverywhere(t, {
    goesOn: true,
    act: (ca) => ca.issuerService.create(other),
    alreadyDone: 'CONFLICT',
    async check(_ca, database) {
      const made = await named(database, 'Other')
      assert.deepEqual(made.map(({ status, certificates }) => [status, certificates.length]), [['active', 1]])
    },
  })
  assert.ok(statements >= 8, `${statements}`)
})

test('making an intermediate, cut off at any statement', async (t) => {
  await cutEverywhere(t, {
    goesOn: true,
    act: async (ca) => ca.issuerService.create({ ...other, signedBy: (await rootOf(ca)).id, settings: { pathLength: 0 } }),
    alreadyDone: 'CONFLICT',
    async check(_ca, database) {
      assert.deepEqual((await named(database, 'Other')).map(({ status, certificates }) => [status, certificates.length]), [['active', 1]])
      assert.equal((await database.db.selectFrom('ca_certificate').select('id').where('commonName', '=', 'Other').execute()).length, 1)
    },
  })
})

test('importing, cut off at any statement', async (t) => {
  const { keyPem } = outsideCa(t, { keyType: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] })
  const outside = outsideCa(t)
  const certificatesPem = outside.run('req', '-x509', '-new', '-key', outside.file(keyPem), '-subj', '/CN=Imported', '-days', '3000', '-addext', 'basicConstraints=critical,CA:true')
  await cutEverywhere(t, {
    act: (ca) => ca.issuerService.import({ name: 'Imported', certificatesPem, keyPem }),
    alreadyDone: 'CONFLICT',
    async check(_ca, database) {
      assert.deepEqual((await named(database, 'Imported')).map(({ status, certificates }) => [status, certificates.length]), [['active', 1]])
    },
  })
})

test('rolling over, cut off at any statement', async (t) => {
  await cutEverywhere(t, {
    goesOn: true,
    act: async (ca) => {
      const [first] = (await ca.issuers()).filter(({ kind }) => kind === 'intermediate')
      return ca.issuerService.rollOver(first?.id ?? 'iss_x', {})
    },
    alreadyDone: 'ACTION_NOT_POSSIBLE',
    async check(ca) {
      const [, old, fresh, ...more] = await ca.issuers()
      assert.deepEqual([old?.status, old?.slot, old?.successorId, fresh?.status, fresh?.slot, more.length], ['retired', null, fresh?.id, 'active', 'intermediate', 0])
      assert.equal(readCertificate((await ca.issue(await serverRequest('after'))).chainPem[0] ?? '').issuer, fresh?.subject)
    },
  })
})

test('cross-signing, cut off at any statement', async (t) => {
  await cutEverywhere(t, {
    prepare: async (ca) => { await ca.issuerService.create(other) },
    act: async (ca) => {
      const [issuer] = (await ca.issuers()).filter(({ name, certificates }) => name === 'Other' && certificates.length === 1)
      if (issuer) await ca.issuerService.crossSign(issuer.id, (await rootOf(ca)).id, 500)
    },
    async check(ca, database) {
      assert.deepEqual((await named(database, 'Other')).map(({ certificates }) => certificates.map(({ signedBy }) => signedBy)), [[(await named(database, 'Other'))[0]?.id, (await rootOf(ca)).id]])
      assert.equal((await database.db.selectFrom('ca_certificate').select('id').where('commonName', '=', 'Other').execute()).length, 1)
    },
  })
})

const toPublish = (database: Database, id: IssuerId) => database.db.selectFrom('task').select('subject').where('kind', '=', 'publish-crl').where('subject', '=', id).where('state', '=', 'ready').execute()

test('revoking, cut off at any statement: all of it or nothing', async (t) => {
  await cutEverywhere(t, {
    prepare: async (ca, database) => {
      await ca.issue(await serverRequest('a'))
      await database.db.deleteFrom('task').execute()
    },
    async act(ca, database) {
      const row = await findIssued(database.db, 'a')
      assert.ok(row)
      assert.equal((await toPublish(database, row.issuerId)).length, row.status === 'revoked' ? 1 : 0, 'the list is made anew exactly when something changed')
      await ca.revocation.revoke(row.id, { reason: 'superseded' })
    },
    alreadyDone: 'ACTION_NOT_POSSIBLE',
    async check(ca, database) {
      const row = await findIssued(database.db, 'a')
      assert.deepEqual([row?.status, row?.changeNumber, (await toPublish(database, (await inUse(ca)).id)).length], ['revoked', 1, 1])
    },
  })
})

test('publishing, cut off at any statement: what is served is always a whole list', async (t) => {
  async function served(database: Database, id: IssuerId, scope: 'full' | 'delta' | 'shard:0' | 'shard:1') {
    const row = await findCrl(database.db, id, scope)
    if (!row) return undefined
    const parts: Buffer[] = []
    for await (const part of readBody(database.db, row.bodyId)) parts.push(part)
    return readCrl(Buffer.concat(parts))
  }
  const statements = await cutEverywhere(t, {
    async prepare(ca, database) {
      const { id } = await inUse(ca)
      await ca.issuerService.configure(id, { crlShards: 2, deltaCrl: true })
      await ca.crls.publish(id)
      await ca.issue(await serverRequest('a'))
      await ca.revocation.revoke((await findIssued(database.db, 'a'))?.id ?? 'cac_x', { reason: 'superseded' })
    },
    async act(ca, database) {
      const { id } = await inUse(ca)
      for (const scope of ['full', 'shard:0', 'shard:1'] as const) assert.ok((await served(database, id, scope))?.number, scope)
      await ca.crls.publish(id)
    },
    async check(ca, database) {
      const [{ id }, row] = [await inUse(ca), await findIssued(database.db, 'a')]
      assert.ok(row)
      for (const scope of ['full', `shard:${row.shard === 0 ? 0 : 1}`] as const) {
        const list = await served(database, id, scope)
        assert.equal(list && findInCrl(list, row.serialNumber)?.reason, 'superseded', scope)
      }
    },
  })
  assert.ok(statements > 20, `${statements}`)
})
