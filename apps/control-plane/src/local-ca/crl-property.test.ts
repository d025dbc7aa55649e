import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createCsr, findInCrl, generateKey, readCertificate, readCrl, type Crl } from '@certloop/pki'
import { emptyDatabase } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { createSecrets } from '../secret/secrets.ts'
import { addressesAt } from './addresses.ts'
import { caMasterKey, caStart } from './ca-testing.ts'
import { readBody, type CrlScopeName } from './crl-store.ts'
import { crlBackdateMs } from './crl-schedule.ts'
import { findIssued } from './issued-store.ts'
import { issuerInSlot } from './issue.ts'
import { createLocalCa } from './local-ca.ts'

const hour = 3_600_000
/** A certificate as the model has it: the list that it names, and the last thing that was done to it. */
interface Known { reference: string; serialNumber: string; scope: CrlScopeName; notAfter: number; revoked: boolean; held: boolean; /** Named on a list of its scope that was made after its end. */ saidGoodbye: boolean }
type Step =
  | { do: 'issue'; days: number } | { do: 'revoke' | 'suspend' | 'resume'; which: number } | { do: 'pass'; hours: number }
  | { do: 'publish' } | { do: 'forget' } | { do: 'shards'; count: number } | { do: 'delta'; on: boolean }

const which = fc.nat(50)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('issue' as const), days: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('revoke' as const, 'suspend' as const, 'resume' as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), hours: fc.constantFrom(0, 1, 11, 30, 100, 3000) }) },
  { weight: 4, arbitrary: fc.constant({ do: 'publish' as const }) },
  { weight: 2, arbitrary: fc.constant({ do: 'forget' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('shards' as const), count: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delta' as const), on: fc.boolean() }) },
)

const scopeOf = (url: string): CrlScopeName => {
  const shard = /-(\d+)\.crl$/.exec(url)?.[1]
  return shard === undefined ? 'full' : `shard:${Number(shard)}`
}

async function model(database: Database) {
  const clock = { ms: caStart.getTime() }
  const now = () => new Date(clock.ms)
  const ca = createLocalCa({ database, secrets: await createSecrets({ database, masterKey: caMasterKey, now }), now, addresses: () => addressesAt('http://pki.example') })
  await ca.ensureHierarchy()
  const { id } = issuerInSlot(await ca.issuers(), 'intermediate')
  const csrPem = await createCsr({ privateKeyPem: await generateKey('ec-256'), names: ['a.example'], commonName: null })
  const known: Known[] = []
  const numbers = new Map<string, number>()
  let count = 0

  async function listOf(scope: CrlScopeName): Promise<Crl | undefined> {
    const row = await database.db.selectFrom('ca_crl').selectAll().where('issuerId', '=', id).where('scope', '=', scope).executeTakeFirst()
    if (!row) return undefined
    const parts: Buffer[] = []
    for await (const part of readBody(database.db, row.bodyId)) parts.push(part)
    return readCrl(Buffer.concat(parts))
  }

  async function checkOne(one: Known): Promise<void> {
    const hasEnded = one.notAfter < clock.ms
    for (const scope of new Set([one.scope, 'full' as const])) {
      const list = await listOf(scope)
      assert.ok(list, `${one.reference}: the list that it names is there`)
      assert.equal(list.thisUpdate.getTime() + crlBackdateMs, Math.floor(clock.ms / 1000) * 1000, `${one.reference}: ${scope} is made anew with the others`)
      const isListed = Boolean(findInCrl(list, one.serialNumber))
      if (!one.revoked && !one.held) assert.ok(!isListed, `${one.reference} is good and on ${scope}`)
      else if (!hasEnded || !one.saidGoodbye) assert.ok(isListed, `${one.reference} is revoked and not on ${scope}; ${hasEnded ? 'it ended since the list before' : 'it goes on'}`)
    }
    if (hasEnded) one.saidGoodbye = true
  }

  /** What has to be true of the newest lists, whenever they were made. */
  async function check(): Promise<void> {
    for (const scope of ['full', 'shard:0', 'shard:1', 'shard:2', 'delta'] as const) {
      const list = await listOf(scope)
      if (!list) continue
      const number = Number.parseInt(list.number ?? '', 16)
      const before = numbers.get(scope) ?? 0
      // Delta lists may have been switched off: the last one stays.
      assert.ok(number > before || (scope === 'delta' && number === before), `the number of ${scope} grows`)
      numbers.set(scope, number)
    }
    for (const one of known) await checkOne(one)
  }

  const change = async (at: number, act: 'revoke' | 'suspend' | 'resume'): Promise<void> => {
    const one = known[at % Math.max(known.length, 1)]
    const row = one && await findIssued(database.db, one.reference)
    if (!one || !row) return
    const isPossible = one.notAfter >= clock.ms && !one.revoked && (act === 'revoke' || (act === 'suspend' ? !one.held : one.held))
    const done = act === 'revoke' ? ca.revocation.revoke(row.id, { reason: 'superseded' }) : ca.revocation[act](row.id)
    if (!isPossible) return assert.rejects(done, { code: 'ACTION_NOT_POSSIBLE' })
    await done
    if (act === 'revoke') one.revoked = true
    one.held = act === 'suspend'
  }

  async function issue(days: number): Promise<void> {
    const reference = `ord_${++count}`
    const { chainPem: [pem = ''] } = await ca.issue({ reference, csrPem, names: ['a.example'], commonName: null, validityDays: days, profile: 'server' })
    const { serialNumber, crlUrls, notAfter } = readCertificate(pem)
    known.push({ reference, serialNumber, scope: scopeOf(crlUrls[0] ?? ''), notAfter: notAfter.getTime(), revoked: false, held: false, saidGoodbye: false })
  }

  return async (one: Step): Promise<void> => {
    switch (one.do) {
      case 'issue': return issue(one.days)
      case 'pass': clock.ms += one.hours * hour + 1; return
      case 'publish': await ca.crls.publish(id); return check()
      case 'forget': await ca.maintenance.run(); return
      case 'shards': await ca.issuerService.configure(id, { crlShards: one.count }); return
      case 'delta': await ca.issuerService.configure(id, { deltaCrl: one.on }); return
      default: return change(one.which, one.do)
    }
  }
}

test('whatever is issued, revoked, suspended, resumed and forgotten: a revoked, unexpired certificate is on the list that it names, and once more after its end', { timeout: 600_000 }, async (t) => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
    const database = await emptyDatabase({ after: () => {} } as unknown as typeof t)
    try {
      const run = await model(database)
      for (const one of steps) await run(one)
      await run({ do: 'publish' })
    } finally {
      await database.close()
    }
  }), { numRuns: Number(process.env['CERTLOOP_PROPERTY_RUNS'] ?? 60), interruptAfterTimeLimit: 300_000 })
})
