import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { dyingDatabase, isDeath, type Moment } from '../batch/dying-testing.ts'
import { emptyDatabase } from '../database/database-testing.ts'
import { isOpenValidation } from './validation-state.ts'
import { makeValidations, wanted } from './validation-testing.ts'

const names = ['a.example.com', 'b.example.com']
const methods = [{ method: 'dns' }, { method: 'file', path: '/srv/www' }, { method: 'tls-alpn' }] as const

/** What happens, in any order and any number: the order hears of the authority, hosts work, time goes by, processes die. */
const happening = fc.oneof(
  fc.constantFrom('wanted', 'valid', 'invalid', 'submitted again', 'plane', 'bot', 'bot dies', 'time', 'sweep', 'provider fails', 'provider works', 'end issued', 'end cancelled'),
  fc.record({ commit: fc.integer({ min: 1, max: 4 }), moment: fc.constantFrom<Moment>('before', 'after') }),
)

test('whatever happens and whenever the process dies: what was placed was written down before, and everything is gone in the end', { timeout: 240_000 }, async (t) => {
  let deaths = 0
  await fc.assert(fc.asyncProperty(fc.constantFrom(...methods), fc.array(happening, { minLength: 5, maxLength: 25 }), async (settings, happenings) => {
    const database = await emptyDatabase(t)
    const dying = dyingDatabase(database)
    const v = await makeValidations({ ...database, db: dying.database.db, transaction: dying.database.transaction })
    const bot = await v.addBot('web1')
    const made = await v.addOrder(names, settings, bot.id)
    const ended = new Map<string, string>()
    const live = async (work: () => Promise<unknown>) => {
      await work().catch((error: unknown) => {
        if (!isDeath(error) && !(error instanceof CertloopError && error.code === 'LEASE_LOST')) throw error
      })
      if (dying.startAnew()) {
        deaths++
        v.clock.pass(120)
      }
      await look()
    }
    /** Beside the process: what there is in the world is in the rows, and an end stays. */
    const look = async () => {
      const rows = await database.db.selectFrom('validation').selectAll().execute()
      for (const row of rows) {
        const isPlaced = bot.placed.has(row.id) || (row.method === 'dns' && v.zones.values.get(`_acme-challenge.${row.name}`) !== undefined && row.recordName !== null)
        if (isPlaced && row.method !== 'dns') assert.notEqual(row.cleanup === 'nothing' && isOpenValidation(row.state), true, `${row.name} is placed and ${row.state} says nothing of it`)
        if (ended.has(row.id)) assert.equal(row.state, ended.get(row.id))
        if (!isOpenValidation(row.state)) ended.set(row.id, row.state)
      }
      for (const name of v.zones.values.keys()) assert.ok(rows.some(({ recordName }) => recordName === name), `${name} was written before that was written down`)
    }
    const proofs = (state: 'wanted' | 'valid' | 'invalid') => names.map((name) => ({ ...wanted(name), state }))
    const attemptState = async () => (await database.db.selectFrom('orderAttempt').select('state').where('id', '=', made.attempt.id).executeTakeFirstOrThrow()).state
    const doIt: Record<string, () => Promise<unknown>> = {
      'wanted': async () => (await attemptState() === 'submitted' ? v.sync(made, proofs('wanted')) : undefined),
      'valid': async () => (await attemptState() === 'submitted' ? v.sync(made, proofs('valid')) : undefined),
      'invalid': async () => (await attemptState() === 'submitted' ? v.sync(made, proofs('invalid')) : undefined),
      'submitted again': () => database.db.updateTable('orderAttempt').set((eb) => ({ submissions: eb('submissions', '+', 1) })).where('id', '=', made.attempt.id).execute(),
      'plane': () => v.runPlane(), 'bot': () => v.runBot(bot),
      'bot dies': async () => { v.clock.pass(90) },
      'time': async () => { v.clock.pass(600) },
      'sweep': () => v.sweep(),
      'provider fails': async () => { v.zones.state.fails = new CertloopError('DNS_PROVIDER_UNREACHABLE', 'No answer.') },
      'provider works': async () => { v.zones.state.fails = undefined },
      'end issued': async () => (await attemptState() === 'submitted' ? v.end(made.attempt, 'issued') : undefined),
      'end cancelled': async () => (await attemptState() === 'submitted' ? v.end(made.attempt, 'cancelled') : undefined),
    }
    await live(() => v.sync(made, proofs('wanted')))
    for (const each of happenings) {
      if (typeof each === 'string') await live(doIt[each] ?? (async () => assert.fail(each)))
      else dying.dieAt(each.commit, each.moment)
    }
    dying.startAnew()
    dying.dieAt(Number.POSITIVE_INFINITY, 'before')
    v.zones.state.fails = undefined
    if (await attemptState() === 'submitted') await v.end(made.attempt, 'cancelled')
    for (let i = 0; i < 6; i++) {
      v.clock.pass(1_200)
      await v.sweep()
      await v.settle()
      await v.watch()
    }
    await look()
    const rows = await database.db.selectFrom('validation').select(['name', 'state', 'cleanup']).execute()
    for (const row of rows) {
      assert.ok(!isOpenValidation(row.state), `${row.name} is ${row.state}`)
      assert.ok(row.cleanup === 'removed' || row.cleanup === 'nothing', `${row.name} is ${row.cleanup}`)
    }
    assert.deepEqual([v.zones.values.size, bot.placed.size], [0, 0])
  }), { numRuns: 40 })
  t.diagnostic(`died ${deaths} times`)
  assert.ok(deaths > 10, `only ${deaths} deaths`)
})
