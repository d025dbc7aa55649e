import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newId, type AuthorityId, type OrderId, type RateLimit } from '@certloop/contract'
import fc from 'fast-check'
import { toJson } from '../database/columns.ts'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { testClock } from '../http/http-testing.ts'
import { getAuthority, insertAuthority } from './authority-store.ts'
import { noteFailedValidation, noteRateLimit, pruneUses, releaseUse, reserveUse, type Reserved } from './budget.ts'
import { registeredDomain, setOfNames } from './budget-subjects.ts'
import { useOf } from './budget-use.ts'

const start = new Date('2026-03-01T00:00:00Z')
async function authorityWith(database: Database, limits: RateLimit[], kind = 'acme'): Promise<AuthorityId> {
  const id = newId('ath', start)
  await database.transaction((tx) => insertAuthority(tx, { id, name: id, kind, preset: null, settings: '{}', sealedSecrets: null, limits: toJson(limits), concurrency: 20 }, start))
  return id
}
const orderId = (n: number): OrderId => `ord_${String(n).padStart(26, '0')}`
const limit = (kind: RateLimit['kind'], count: number, seconds: number, renewalsCount = true): RateLimit => ({ kind, count, seconds, renewalsCount })

interface Ask { n: number; names?: string[]; isKnownRenewal?: boolean; submission?: number }
function asker(database: Database, authorityId: AuthorityId, now: () => Date) {
  return ({ n, names = [`n${n}.example`], isKnownRenewal = false, submission = 1 }: Ask): Promise<Reserved> =>
    database.transaction((tx) => reserveUse(tx, { authorityId, orderId: orderId(n), names, isKnownRenewal, submission }, now()))
}
const uses = async (database: Database) => (await database.db.selectFrom('authorityUse').select(['kind', 'subject']).orderBy('kind').orderBy('subject').execute()).map(({ kind, subject }) => `${kind} ${subject}`)

testOnDatabases('a reservation is made once per order, refused with the time when it fits, and given back', async (_t, database) => {
  const { now, pass } = testClock()
  const id = await authorityWith(database, [limit('order', 2, 3600)])
  const ask = asker(database, id, now)
  assert.deepEqual([await ask({ n: 1 }), await ask({ n: 1 }), (await uses(database)).length], [{ fits: true }, { fits: true }, 3])
  pass(600)
  assert.deepEqual(await ask({ n: 2 }), { fits: true })
  assert.deepEqual(await ask({ n: 3 }), { fits: false, at: new Date('2026-03-01T01:00:00Z'), message: `"${id}" takes 2 orders per hour, and no more fits now. The next fits at 2026-03-01T01:00:00.000Z.` })
  assert.equal((await uses(database)).length, 6, 'a refusal leaves nothing')
  await database.transaction((tx) => releaseUse(tx, orderId(2), id))
  assert.deepEqual(await ask({ n: 3 }), { fits: true })
  pass(2999.999)
  assert.equal((await ask({ n: 4 })).fits, false)
  pass(0.001)
  assert.deepEqual(await ask({ n: 4 }), { fits: true }, 'at the time that was told')
})

testOnDatabases('of two that race for the last place one gets it', async (_t, database) => {
  const { now } = testClock()
  const id = await authorityWith(database, [limit('domain', 3, 3600)])
  const ask = asker(database, id, now)
  const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => ask({ n, names: [`h${n}.shop.example`] })))
  assert.equal(answers.filter(({ fits }) => fits).length, 3)
  assert.equal((await uses(database)).filter((each) => each === 'domain shop.example').length, 3)
})

testOnDatabases('each kind counts what it is named for', async (_t, database) => {
  const { now, pass } = testClock()
  const id = await authorityWith(database, [limit('domain', 2, 7 * 86_400), limit('same-names', 1, 86_400), limit('failure', 2, 3600)])
  const ask = asker(database, id, now)
  assert.deepEqual(await ask({ n: 1, names: ['www.a.co.uk', 'mail.a.co.uk', '*.b.example'] }), { fits: true })
  const same = await ask({ n: 2, names: ['*.B.example', 'mail.a.co.uk', 'www.a.co.uk'] })
  assert.match(same.fits ? '' : same.message, /takes 1 certificate with just these names \(\*\.b\.example, mail\.a\.co\.uk, www\.a\.co\.uk\) per day/)
  assert.deepEqual(await ask({ n: 3, names: ['www.a.co.uk'] }), { fits: true })
  const domain = await ask({ n: 4, names: ['x.c.example', 'x.a.co.uk'] })
  assert.match(domain.fits ? '' : `${domain.message} ${domain.at.toISOString()}`, /takes 2 certificates for a\.co\.uk per 7 days.* 2026-03-08T00:00:00\.000Z$/)
  assert.deepEqual(await ask({ n: 5, names: ['x.c.example'] }), { fits: true }, 'other domains are not held up')
  for (const _ of [1, 2]) await database.transaction((tx) => noteFailedValidation(tx, id, 'bad.c.example', now()))
  const failure = await ask({ n: 6, names: ['*.bad.c.example'] })
  assert.match(failure.fits ? '' : failure.message, /takes 2 failed validations of bad\.c\.example per hour/)
  pass(3600)
  assert.deepEqual(await ask({ n: 6, names: ['*.bad.c.example'] }), { fits: true })
})

testOnDatabases('known renewals are left out where the limit says so; another submission is another order and no other certificate', async (_t, database) => {
  const { now } = testClock()
  const id = await authorityWith(database, [limit('order', 2, 3600), limit('same-names', 1, 3600, false), limit('domain', 1, 3600, false)])
  const ask = asker(database, id, now)
  const names = ['a.example']
  assert.deepEqual([await ask({ n: 1, names, isKnownRenewal: true }), await ask({ n: 2, names })], [{ fits: true }, { fits: true }], 'what a renewal used does not count for others either')
  assert.equal((await ask({ n: 3, names, isKnownRenewal: true })).fits, false, 'the limit of orders takes no notice')
  await database.transaction((tx) => releaseUse(tx, orderId(2), id))
  assert.deepEqual([await ask({ n: 1, names, isKnownRenewal: true, submission: 2 }), await uses(database)], [{ fits: true }, ['domain a.example', 'order ', 'order ', 'same-names a.example']])
  assert.equal((await ask({ n: 4 })).fits, false)
})

testOnDatabases('what ended without a certificate does not count as one; what is uncertain does', async (_t, database) => {
  const { now } = testClock()
  const id = await authorityWith(database, [limit('same-names', 1, 3600), limit('order', 10, 3600)])
  const ask = asker(database, id, now)
  const attempt = (n: number, state: 'failed' | 'uncertain', error: string | null) => database.db.insertInto('orderAttempt').values({ ...emptyAttempt, id: newId('att', now()), orderId: orderId(n), authorityId: id, position: 0, state, submissions: 1, reason: '', error, startedAt: now().toISOString() }).execute()
  const names = ['a.example']
  await ask({ n: 1, names })
  await attempt(1, 'failed', '{"code":"VALIDATION_REFUSED"}')
  assert.deepEqual(await ask({ n: 2, names }), { fits: true })
  await attempt(2, 'uncertain', null)
  assert.equal((await ask({ n: 3, names })).fits, false)
  await database.db.updateTable('orderAttempt').set({ state: 'failed', error: '{"code":"ISSUED_CERTIFICATE_WRONG"}' }).where('orderId', '=', orderId(2)).execute()
  assert.equal((await ask({ n: 3, names })).fits, false, 'it was issued')
  const { items } = await useOf(database.db, await getAuthority(database.db, id), now())
  assert.deepEqual(items.map(({ subject, used, fitsAgainAt }) => [subject, used, fitsAgainAt]), [['a.example', 1, '2026-03-01T01:00:00.000Z'], [null, 2, null]])
})
const emptyAttempt = { handle: null, callFence: null, mayIssue: 0, waitUntil: null, failures: 0, failingSince: null, endedAt: null }

testOnDatabases('a pause that the authority asked for holds for all, a quarter of an hour at most', async (_t, database) => {
  const { now, pass } = testClock()
  const id = await authorityWith(database, [])
  const ask = asker(database, id, now)
  const pause = (seconds: number) => database.transaction((tx) => noteRateLimit(tx, id, new Date(now().getTime() + seconds * 1000), now()))
  await pause(60)
  await pause(30)
  assert.deepEqual(await ask({ n: 1 }), { fits: false, at: new Date('2026-03-01T00:01:00Z'), message: `"${id}" asked to be left alone until 2026-03-01T00:01:00.000Z.` })
  pass(60)
  assert.deepEqual(await ask({ n: 1 }), { fits: true })
  await pause(86_400)
  assert.deepEqual(await ask({ n: 2 }).then((answer) => !answer.fits && answer.at), new Date('2026-03-01T00:16:00Z'))
})

testOnDatabases('old uses are forgotten, those that a limit looks at are not', async (_t, database) => {
  const { now, pass } = testClock()
  const id = await authorityWith(database, [limit('order', 5, 30 * 86_400)])
  const ask = asker(database, id, now)
  await ask({ n: 1 })
  pass(20 * 86_400)
  await ask({ n: 2 })
  await database.transaction((tx) => pruneUses(tx, now()))
  assert.equal((await uses(database)).length, 6)
  pass(15 * 86_400)
  await database.transaction((tx) => pruneUses(tx, now()))
  assert.equal((await uses(database)).length, 3)
})

test('the built-in CA without limits keeps no account of them; with limits it does', async (t) => {
  const database = await emptyDatabase(t)
  const { now } = testClock()
  const free = await authorityWith(database, [], 'local-ca')
  assert.deepEqual([await asker(database, free, now)({ n: 1 }), await uses(database)], [{ fits: true }, []])
  const limited = asker(database, await authorityWith(database, [limit('order', 1, 60)], 'local-ca'), now)
  assert.deepEqual([(await limited({ n: 1 })).fits, (await limited({ n: 2 })).fits], [true, false])
})

test('names count by their registered domain, IPv6 addresses by their network', () => {
  assert.deepEqual(['www.shop.example.com', '*.a.co.uk', 'x.github.io', 'localhost', '192.0.2.7', '2001:db8:1::7', '2001:db8:1:0:1::7', '2001:db8:1:2:3:4:5:6'].map(registeredDomain), ['example.com', 'a.co.uk', 'x.github.io', 'localhost', '192.0.2.7', '2001:db8:1:0::/64', '2001:db8:1:0::/64', '2001:db8:1:2::/64'])
  assert.equal(setOfNames(['b.example', 'A.example', 'a.example']), 'a.example, b.example')
  const many = Array.from({ length: 100 }, (_, i) => `host-${i}.${'x'.repeat(40)}.example`)
  assert.match(setOfNames(many), /^host-0\.x+\.example and 99 more \([0-9a-f]{64}\)$/)
  assert.equal(setOfNames(many), setOfNames(many.toReversed()))
  assert.notEqual(setOfNames(many), setOfNames(many.slice(1)))
})

/** The plain model: every use with its time, kept for ever. */
interface Modelled { at: number; kind: RateLimit['kind']; subject: string; order: number; renewal: boolean }
interface Wish { n: number; hosts: number[]; renewal: boolean }
const namesOf = ({ hosts }: Wish) => hosts.map((host) => `h${host}.d${host % 2}.example`)
function modelFits(model: readonly Modelled[], limits: readonly RateLimit[], { hosts, renewal }: Wish, at: number): number | undefined {
  const subjects: Record<RateLimit['kind'], string[]> = { 'order': [''], 'domain': [...new Set(hosts.map((host) => `d${host % 2}.example`))], 'same-names': [namesOf({ n: 0, hosts, renewal }).toSorted().join(', ')], 'failure': [] }
  const waits = limits.flatMap(({ kind, count, seconds, renewalsCount }) => (renewal && !renewalsCount ? [] : subjects[kind].flatMap((subject) => {
    const inTime = model.filter((use) => use.kind === kind && use.subject === subject && use.at > at - seconds * 1000 && (renewalsCount || !use.renewal)).map((use) => use.at).toSorted((a, b) => a - b)
    const blocking = inTime[inTime.length - count]
    return blocking === undefined ? [] : [blocking + seconds * 1000]
  })))
  return waits.length === 0 ? undefined : Math.max(...waits)
}

test('whatever is asked, given back and waited for, the budget is what a plain account of all uses says', async (t) => {
  const database = await emptyDatabase(t)
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('ask' as const), n: fc.nat(30), hosts: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }), renewal: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), n: fc.nat(30) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 90 }) }) },
  )
  const limits = fc.array(fc.record({ kind: fc.constantFrom('order' as const, 'domain' as const, 'same-names' as const), count: fc.integer({ min: 1, max: 4 }), seconds: fc.integer({ min: 1, max: 120 }), renewalsCount: fc.boolean() }), { maxLength: 4 })
  await fc.assert(fc.asyncProperty(limits, fc.array(step, { maxLength: 30 }), async (given, steps) => {
    const { now, pass } = testClock()
    const id = await authorityWith(database, given)
    const ask = asker(database, id, now)
    let model: Modelled[] = []
    for (const each of steps) {
      if (each.do === 'pass') pass(each.seconds)
      else if (each.do === 'release') {
        model = model.filter(({ order }) => order !== each.n)
        await database.transaction((tx) => releaseUse(tx, orderId(each.n), id))
      } else {
        const answer = await ask({ n: each.n, names: namesOf(each), isKnownRenewal: each.renewal })
        const isThere = model.some(({ order }) => order === each.n)
        const expected = isThere ? undefined : modelFits(model, given, each, now().getTime())
        assert.deepEqual(answer.fits ? undefined : answer.at.getTime(), expected)
        if (isThere || !answer.fits) continue
        const use = { at: now().getTime(), order: each.n, renewal: each.renewal }
        model.push({ ...use, kind: 'order', subject: '' }, { ...use, kind: 'same-names', subject: namesOf(each).toSorted().join(', ') }, ...[...new Set(each.hosts.map((host) => `d${host % 2}.example`))].map((subject) => ({ ...use, kind: 'domain' as const, subject })))
      }
    }
  }), { numRuns: 60 })
})
