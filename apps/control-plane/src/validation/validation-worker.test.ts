import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, type ValidationId } from '@certloop/contract'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { updateBot } from '../bot/bot-store.ts'
import { leaseTasks } from '../task/task-store.ts'
import { runTask } from '../task/task-worker.ts'
import { getValidation, lookOf } from './validation-store.ts'
import { instructionsOf } from './validation-words.ts'
import { makeValidations, persistent, token, wanted } from './validation-testing.ts'

const errorCode = (text: string | null): string | undefined => (text === null ? undefined : (JSON.parse(text) as { code: string }).code)

testOnDatabases('by DNS: written down, written, seen, told to the authority, valid, and removed again', async (_t, database) => {
  const v = await makeValidations(database)
  const made = await v.addOrder(['www.example.com', '*.example.com'], { method: 'dns' })
  const proofs = [wanted('www.example.com'), wanted('example.com', { wildcard: true })]
  assert.deepEqual(await v.sync(made, proofs), { open: 2, failed: [] })
  assert.deepEqual(await v.sync(made, proofs), { open: 2, failed: [] }, 'the same again is nothing new')
  await v.settle()
  assert.deepEqual([...v.zones.values.keys()].toSorted(), ['_acme-challenge.example.com', '_acme-challenge.www.example.com'])
  assert.deepEqual(v.authority.proved.toSorted(), proofs.map(({ id }) => `${id} ${id}/dns`).toSorted())
  assert.deepEqual((await v.all(made.attempt)).map(({ state, cleanup, zone, botId }) => [state, cleanup, zone, botId]), [['asked', 'placed', 'example.com', null], ['asked', 'placed', 'example.com', null]])
  assert.ok(v.poked.includes(made.order.id))
  assert.deepEqual(await v.sync(made, proofs.map((proof) => ({ ...proof, state: 'valid' }))), { open: 0, failed: [] })
  await v.settle()
  assert.deepEqual((await v.all(made.attempt)).map(({ state, cleanup }) => [state, cleanup]), [['valid', 'removed'], ['valid', 'removed']])
  assert.equal(v.zones.values.size, 0)
  assert.deepEqual((await v.events(made.order)).toSorted(), ['asked', 'asked', 'place', 'place', 'placed', 'placed', 'planned', 'removed', 'removed', 'valid', 'valid'].map((kind) => `validation.${kind}`))
})

testOnDatabases('by a file of the bot, by the control plane and by a TLS handshake of the bot', async (_t, database) => {
  const v = await makeValidations(database)
  const bot = await v.addBot('web1')
  const file = await v.addOrder(['a.example.com'], { method: 'file', path: '/srv/www' }, bot.id)
  const tls = await v.addOrder(['b.example.com'], { method: 'tls-alpn', botId: bot.id, listenOn: '127.0.0.1:8443' })
  const http = await v.addOrder(['c.example.com'], { method: 'http' })
  const proofs = ['a', 'b', 'c'].map((name) => wanted(`${name}.example.com`))
  for (const [i, made] of [file, tls, http].entries()) await v.sync(made, proofs.slice(i, i + 1))
  await v.settle()
  const [a] = [await v.one(file.attempt)]
  assert.deepEqual(bot.placed.get(a.id), { kind: 'file', folder: '/srv/www', path: token('proof-of-a-example-com'), content: 'proof-of-a.example.com.key' })
  assert.equal(a.state, 'asked')
  const b = await v.one(tls.attempt)
  assert.deepEqual([b.state, bot.placed.get(b.id)], ['asked', { kind: 'tls-alpn', type: 'dns', name: 'b.example.com', digest: 'ab'.repeat(32), listenOn: '127.0.0.1:8443' }])
  const c = await v.one(http.attempt)
  assert.deepEqual([c.state, c.cleanup, c.recordName], ['checking', 'nothing', token('proof-of-c-example-com')], 'it is not seen from outside, so the authority is not told')
  assert.equal(v.authority.proved.length, 2)
  v.served.set(`http://c.example.com${token('proof-of-c-example-com')}`, 'proof-of-c.example.com.key')
  await v.pass(300)
  assert.equal((await v.one(http.attempt)).state, 'asked')
  for (const made of [file, tls, http]) await v.end(made.attempt, 'issued')
  await v.settle()
  for (const [made, cleanup] of [[file, 'removed'], [tls, 'removed'], [http, 'nothing']] as const) {
    const row = await v.one(made.attempt)
    assert.deepEqual([row.state, row.cleanup], ['valid', cleanup])
  }
  assert.equal(bot.placed.size, 0)
})

testOnDatabases('what the authority refuses fails with what it saw; the rest goes on', async (_t, database) => {
  const v = await makeValidations(database)
  const made = await v.addOrder(['a.example.com', 'b.example.com'], { method: 'dns' })
  const proofs = [wanted('a.example.com'), wanted('b.example.com')]
  await v.sync(made, proofs)
  await v.settle()
  const error = new CertloopError('VALIDATION_REFUSED', 'Incorrect TXT record "x" found.').toWire()
  const synced = await v.sync(made, [{ ...wanted('a.example.com'), state: 'invalid', error }, { ...wanted('b.example.com'), state: 'asked' }])
  assert.deepEqual(synced, { open: 1, failed: [{ name: 'a.example.com', error }] })
  await v.settle()
  assert.deepEqual((await v.all(made.attempt)).map(({ state, cleanup }) => [state, cleanup]), [['failed', 'removed'], ['asked', 'placed']])
  assert.deepEqual([...v.zones.values.keys()], ['_acme-challenge.b.example.com'])
  assert.deepEqual((await v.sync(made, [{ ...wanted('a.example.com'), state: 'wanted' }])).failed.length, 1, 'an end is left by nothing')
})

test('a way that the authority does not take fails at once and names those that are there', async (t) => {
  const v = await makeValidations(await emptyDatabase(t))
  const cases = [
    [{ method: 'file', path: '/srv' }, wanted('example.com', { wildcard: true }), 'VALIDATION_METHOD_UNAVAILABLE', /\*\.example\.com is to be proven, and the configuration wants "file"\. For this name the authority takes: dns, manual \(a DNS record\)\./],
    [{ method: 'none' }, wanted('example.com'), 'VALIDATION_METHOD_UNAVAILABLE', /names no way of validation\. For this name the authority takes: file, http, dns, tls-alpn, manual \(a DNS record\), manual \(a file\)\./],
    [{ method: 'dns-persist' }, wanted('example.com'), 'VALIDATION_METHOD_UNAVAILABLE', /takes: file/],
    [{ method: 'manual', place: 'file' }, wanted('example.com', { wildcard: true }), 'VALIDATION_METHOD_UNAVAILABLE', /wants "manual" with a file/],
    [{ method: 'file' }, wanted('example.com'), 'CONFIGURATION_INCOMPLETE', /names no folder/],
    [{ method: 'file', path: '/srv' }, wanted('example.com'), 'CONFIGURATION_INCOMPLETE', /names none/],
    [{ method: 'http' }, wanted('example.com', { ways: [] }), 'VALIDATION_METHOD_UNAVAILABLE', /offers no way/],
  ] as const
  for (const [settings, proof, code, message] of cases) {
    const made = await v.addOrder(['example.com'], settings)
    const { open, failed } = await v.sync(made, [proof])
    assert.deepEqual([open, failed.length, failed[0]?.error.code], [0, 1, code])
    assert.match(failed[0]?.error.message ?? '', message)
    assert.equal((await v.one(made.attempt)).state, 'failed')
  }
})

test('what stands in the way before anything is placed: nothing is placed', async (t) => {
  const v = await makeValidations(await emptyDatabase(t))
  const made = await v.addOrder(['a.example.com'], { method: 'dns' })
  v.obstacles.push(new CertloopError('CAA_FORBIDS', 'The CAA record of example.com names other authorities.'))
  await v.sync(made, [wanted('a.example.com')])
  await v.settle()
  const row = await v.one(made.attempt)
  assert.deepEqual([row.state, row.cleanup, errorCode(row.error), v.zones.added.length], ['failed', 'nothing', 'CAA_FORBIDS', 0])
  assert.ok(v.poked.includes(made.order.id))
  assert.match(row.nextAction ?? '', /Add the authority to the CAA record/)

  v.obstacles.splice(0, 1, new CertloopError('WEB_PORT_CLOSED', 'Nothing answers on port 80.'))
  const other = await v.addOrder(['b.example.com', 'c.example.com'], { method: 'dns' })
  await v.sync(other, [wanted('b.example.com'), wanted('c.example.com')])
  await v.settle()
  assert.deepEqual((await v.all(other.attempt)).map(({ state }) => state), ['asked', 'asked'], 'what may not matter is a finding and no end')
  assert.equal((await v.events(other.order)).filter((kind) => kind === 'validation.doubts').length, 1, 'told once for all names')
})

test('where a CNAME record leads on, the record is written there; without a zone it fails', async (t) => {
  const v = await makeValidations(await emptyDatabase(t))
  v.zones.state.aliases.set('_acme-challenge.www.other.test', 'www.delegated.example.com')
  const made = await v.addOrder(['www.other.test', 'else.test'], { method: 'dns' })
  await v.sync(made, [wanted('www.other.test'), wanted('else.test')])
  await v.settle()
  const [led, lost] = await v.all(made.attempt)
  assert.deepEqual([led?.state, led?.recordName, led?.zone], ['asked', 'www.delegated.example.com', 'example.com'])
  assert.deepEqual([lost?.state, lost?.cleanup, errorCode(lost?.error ?? null)], ['failed', 'nothing', 'DNS_ZONE_NOT_FOUND'])
  await v.end(made.attempt, 'failed')
  await v.settle()
  assert.equal(v.zones.values.size, 0)
})

test('a standing record: found as it stands, else written once, else asked of a person; never removed', async (t) => {
  const v = await makeValidations(await emptyDatabase(t))
  const first = await v.addOrder(['example.com'], { method: 'dns-persist' })
  await v.sync(first, [persistent('example.com')])
  await v.settle()
  assert.deepEqual([(await v.one(first.attempt)).state, v.zones.added.length], ['asked', 1])
  await v.end(first.attempt, 'issued')
  await v.settle()
  assert.deepEqual([(await v.one(first.attempt)).cleanup, v.zones.values.size], ['nothing', 1], 'it stays')
  const second = await v.addOrder(['example.com'], { method: 'dns-persist' })
  await v.sync(second, [persistent('example.com')])
  await v.settle()
  assert.deepEqual([(await v.one(second.attempt)).state, v.zones.added.length], ['asked', 1], 'the second time nothing is written')
  const elsewhere = await v.addOrder(['other.test'], { method: 'dns-persist' })
  await v.sync(elsewhere, [persistent('other.test')])
  await v.settle()
  const row = await v.one(elsewhere.attempt)
  assert.equal(row.state, 'waiting')
  assert.match(instructionsOf(row).join(' '), /Leave the record in place: later renewals use it too/)
})

testOnDatabases('it is looked for with growing pauses, what was seen is kept without an event each, and it expires with what was seen last', async (_t, database) => {
  const v = await makeValidations(database)
  const made = await v.addOrder(['a.example.com'], { method: 'http' })
  await v.sync(made, [wanted('a.example.com')], new Date(v.now().getTime() + 3_600_000))
  await v.settle()
  const early = v.looks.length
  await v.pass(60, 2)
  const inFirstMinute = v.looks.length - early
  await v.pass(3_480, 30)
  const later = v.looks.length - early - inFirstMinute
  assert.ok(inFirstMinute > 5 && later < 25, `${inFirstMinute} looks in the first minute, ${later} in the next 58`)
  const row = await v.one(made.attempt)
  assert.deepEqual([row.state, errorCode(row.error), lookOf(row)?.visible], ['checking', 'VALIDATION_NOT_VISIBLE', false])
  assert.match(row.reason, /not to be seen from outside yet: http:\/\/a\.example\.com\/\.well-known/)
  assert.deepEqual(await v.events(made.order), ['validation.planned', 'validation.ready', 'validation.not-visible'])
  await v.pass(120)
  const ended = await v.one(made.attempt)
  assert.deepEqual([ended.state, errorCode(ended.error)], ['failed', 'VALIDATION_EXPIRED'])
  assert.match(ended.reason, /was not to be seen by 2026-03-01T01:00:00\.000Z\. Seen last: .*: nothing/)
  assert.ok(v.poked.length > 0)
})

testOnDatabases('a provider without time is asked again and says so once; one that refuses ends the validation', async (_t, database) => {
  const v = await makeValidations(database)
  const made = await v.addOrder(['a.example.com'], { method: 'dns' })
  v.zones.state.fails = new CertloopError('DNS_PROVIDER_UNREACHABLE', 'api.dns.test can not be reached.')
  await v.sync(made, [wanted('a.example.com')])
  await v.pass(600)
  const waiting = await v.one(made.attempt)
  assert.deepEqual([waiting.state, errorCode(waiting.error)], ['planned', 'DNS_PROVIDER_UNREACHABLE'])
  assert.match(waiting.reason, /It could not be begun yet: api\.dns\.test/)
  assert.equal((await v.events(made.order)).filter((kind) => kind === 'validation.hindered').length, 1)
  v.zones.state.fails = undefined
  await v.pass(300)
  assert.equal((await v.one(made.attempt)).state, 'asked')

  const refused = await v.addOrder(['b.example.com'], { method: 'dns' })
  v.zones.state.fails = new CertloopError('DNS_PROVIDER_REFUSED', 'The token may not write example.com.')
  await v.sync(refused, [wanted('b.example.com')])
  await v.settle()
  assert.deepEqual([(await v.one(refused.attempt)).state, errorCode((await v.one(refused.attempt)).error)], ['failed', 'DNS_PROVIDER_REFUSED'])
})

test('an authority that says when to come again is asked then; one that refuses ends the validation, and what was placed is removed', async (t) => {
  const v = await makeValidations(await emptyDatabase(t))
  const made = await v.addOrder(['a.example.com'], { method: 'dns' })
  v.authority.fails = new CertloopError('AUTHORITY_RATE_LIMITED', 'Too many requests.', { retryAt: new Date(v.now().getTime() + 1_200_000).toISOString() })
  await v.sync(made, [wanted('a.example.com')])
  await v.pass(1_100)
  const looks = v.looks.length
  assert.equal(looks, 1, 'nobody looks before it may be told')
  await v.pass(200)
  assert.equal(v.looks.length, 2)
  v.authority.fails = new CertloopError('AUTHORITY_REJECTED', 'The authorization is gone.')
  await v.pass(1_300)
  const row = await v.one(made.attempt)
  assert.deepEqual([row.state, row.cleanup, errorCode(row.error)], ['failed', 'removed', 'AUTHORITY_REJECTED'])
})

test('an authority that still wants what it was told of is told again, in time', async (t) => {
  const v = await makeValidations(await emptyDatabase(t))
  const made = await v.addOrder(['a.example.com'], { method: 'dns' })
  for (const seconds of [0, 300, 400]) {
    v.clock.pass(seconds)
    await v.sync(made, [wanted('a.example.com')])
    await v.settle()
  }
  assert.equal(v.authority.proved.length, 2)
})

testOnDatabases('a request that was submitted anew wants its proofs anew; those of before end and are removed', async (_t, database) => {
  const v = await makeValidations(database)
  const made = await v.addOrder(['a.example.com'], { method: 'dns' })
  await v.sync(made, [wanted('a.example.com')])
  await v.settle()
  await database.transaction(async (tx) => { await tx.updateTable('orderAttempt').set({ submissions: 2 }).where('id', '=', made.attempt.id).execute() })
  assert.deepEqual(await v.sync(made, [wanted('a.example.com')]), { open: 1, failed: [] })
  // The clean-up of the first comes after the second was placed.
  await v.lose(`clean:${(await v.all(made.attempt))[0]?.id}`)
  await v.settle()
  await v.sweep()
  await v.settle()
  const [old, fresh] = await v.all(made.attempt)
  assert.deepEqual([old?.state, old?.cleanup, fresh?.state, fresh?.cleanup], ['cancelled', 'removed', 'asked', 'placed'])
  assert.equal(v.zones.values.size, 1, 'the same record serves the second, and was not taken away from it')
  await v.end(made.attempt, 'failed')
  await v.settle()
  assert.equal(v.zones.values.size, 0)
})

testOnDatabases('a bot that fails, is revoked or comes late', async (_t, database) => {
  const v = await makeValidations(database)
  const bot = await v.addBot('web1')
  bot.fails.set('place-proof', new CertloopError('TOKEN_NOT_WRITTEN', 'The folder /srv/www is not there.').toWire())
  const made = await v.addOrder(['a.example.com'], { method: 'file', path: '/srv/www' }, bot.id)
  await v.sync(made, [wanted('a.example.com')])
  await v.settle()
  const failed = await v.one(made.attempt)
  assert.deepEqual([failed.state, failed.cleanup, errorCode(failed.error)], ['failed', 'removed', 'TOKEN_NOT_WRITTEN'], 'what it may have left is removed too')

  bot.fails.clear()
  bot.silent = true
  const late = await v.addOrder(['b.example.com'], { method: 'file', path: '/srv/www' }, bot.id)
  await v.sync(late, [wanted('b.example.com')])
  await v.settle()
  await v.end(late.attempt, 'cancelled')
  const never = await v.one(late.attempt)
  assert.deepEqual([never.state, never.cleanup], ['cancelled', 'nothing'], 'it had not begun: there is nothing to remove')

  const revoked = await v.addOrder(['c.example.com'], { method: 'file', path: '/srv/www' }, bot.id)
  await updateBot(database.db, bot.id, { revokedAt: v.now().toISOString() })
  await v.sync(revoked, [wanted('c.example.com')])
  await v.settle()
  assert.deepEqual([(await v.one(revoked.attempt)).state, errorCode((await v.one(revoked.attempt)).error)], ['failed', 'BOT_REVOKED'])
})

test('a mistake of ours ends a validation too, once it was tried often enough', async (t) => {
  const v = await makeValidations(await emptyDatabase(t))
  const made = await v.addOrder(['a.example.com'], { method: 'http' })
  v.outside.look = async () => { throw new TypeError('not a function') }
  await v.sync(made, [wanted('a.example.com')])
  await v.pass(7_200)
  const row = await getValidation(v.database.db, (await v.one(made.attempt)).id satisfies ValidationId)
  assert.deepEqual([row.state, errorCode(row.error)], ['failed', 'INTERNAL'])
  assert.ok(v.logged.some(({ facts }) => String(facts['message']).includes('not a function')))
})

test('looks that hang leave room for other work', async (t) => {
  const database = await emptyDatabase(t)
  const v = await makeValidations(database)
  const names = Array.from({ length: 8 }, (_, i) => `n${i}.example.com`)
  const made = await v.addOrder(names, { method: 'http' })
  await v.sync(made, names.map((name) => wanted(name)))
  const waiting: (() => void)[] = []
  const { look } = v.outside
  v.outside.look = async (expected) => {
    await new Promise<void>((resolve) => { waiting.push(resolve) })
    return look(expected)
  }
  // The steps of planned ones come through; then the looks hang.
  for (const task of await leaseTasks(database, 'control-plane', { owner: 'world', max: 8, seconds: 60 }, v.now())) await runTask(v.workerDeps, task)
  const tasks = await leaseTasks(database, 'control-plane', { owner: 'world', max: 8, seconds: 60 }, v.now())
  const hanging = tasks.slice(0, 4).map((task) => runTask(v.workerDeps, task))
  while (waiting.length < 4) await new Promise((resolve) => { setImmediate(resolve) })
  v.clock.pass(5)
  for (const task of tasks.slice(4)) await runTask(v.workerDeps, task)
  assert.equal(waiting.length, 4, 'the others came back at once, to be done later')
  for (const go of waiting.splice(0)) go()
  await Promise.all(hanging)
  v.outside.look = look
  await v.pass(120)
  assert.ok((await v.all(made.attempt)).every(({ lastLook }) => lastLook !== null))
})
