import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, type CertificateId } from '@certloop/contract'
import { abilitiesOf, abilitiesOfConnector } from '../authority/abilities.ts'
import { listAuthorities } from '../authority/authority-store.ts'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { makeWorld, slotOf, scanOf, type World } from '../world-testing.ts'
import { recordScan } from '../discovery/record-scan.ts'

const refused = (message: RegExp) => (error: unknown) => error instanceof CertloopError && error.code === 'ACTION_NOT_POSSIBLE' && message.test(error.message)
const keep = { commonName: null, names: [], keyAlgorithm: 'ec-256' as const, keyReuse: true, validityDays: 90 }
const possible = async (w: World, id: CertificateId) => (await w.detail(id)).actions.filter((a) => a.possible && ['revoke', 'suspend', 'resume'].includes(a.action)).map((a) => a.action)

test('what is said to be possible at each kind of authority is what its connector can do', async (t) => {
  const w = await makeWorld(t, await emptyDatabase(t))
  for (const { id, kind } of await listAuthorities(w.database.db)) {
    const authority = await w.deps.authorityOf(w.database.db, id)
    assert.deepEqual(abilitiesOf(kind).toSorted(), abilitiesOfConnector(kind, authority).toSorted(), kind)
    for (const ability of ['resume', 'revoke', 'suspend'] as const) assert.equal(abilitiesOf(kind).includes(ability), authority[ability] !== undefined, ability)
  }
  assert.deepEqual(abilitiesOf('unknown'), [])
})

testOnDatabases('suspend, resume and revoke at the authority: the state follows from what it says', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured('held.example', [await w.addBot('a')])
  assert.deepEqual(await possible(w, id), [])
  await assert.rejects(w.start(id, 'revoke'), refused(/Nothing was ordered here/))
  await w.act(id, 'rotate')
  assert.deepEqual(await possible(w, id), ['revoke', 'suspend'])
  const suspended = await w.act(id, 'suspend')
  assert.deepEqual([suspended.state, suspended.reason], ['done', 'Suspended. It is still served at nginx: /etc/ssl/held.example.crt: rekey now.'])
  let detail = await w.detail(id)
  assert.deepEqual([detail.status, detail.nextAction, await possible(w, id)], ['suspended', 'resume', ['revoke', 'resume']])
  await assert.rejects(w.start(id, 'deploy'), refused(/was suspended\. Rekey it/), 'nobody would trust it')
  assert.deepEqual([(await w.act(id, 'resume')).reason, (await w.detail(id)).status], ['Resumed: it is valid again.', 'deployed'])

  const started = await w.start(id, 'revoke', { reason: 'keyCompromise' })
  assert.deepEqual([started.state, started.reason], ['revoking', 'The authority is asked to revoke it. It is still served at nginx: /etc/ssl/held.example.crt: rekey now.'])
  assert.ok(started.nextAction && started.deadline)
  await w.settle()
  detail = await w.detail(id)
  assert.deepEqual([detail.status, detail.nextAction, detail.lastAction?.state, await possible(w, id)], ['revoked', 'rekey', 'done', []])
  assert.match(detail.statusReason, /keyCompromise\), and is still served at nginx/)
  await assert.rejects(w.start(id, 'revoke'), refused(/revoked already \(keyCompromise\)/))
  const row = await database.db.selectFrom('ca_certificate').select(['status', 'revocationReason']).where('fingerprint', '=', detail.fingerprint).executeTakeFirst()
  assert.deepEqual({ ...row }, { status: 'revoked', revocationReason: 'keyCompromise' })
  assert.equal((await w.act(id, 'rekey')).state, 'done')
  assert.equal((await w.detail(id)).status, 'deployed')
})

testOnDatabases('a key of which a version was revoked is not kept, whoever renews', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('lost.example', [bot], { csr: keep })
  await w.act(id, 'rotate')
  await w.act(id, 'renew')
  const keys = () => database.db.selectFrom('certificateVersion').select(['keyId', 'id']).where('certificateId', '=', id).orderBy('ordinal').execute()
  const [first, second] = await keys()
  assert.ok(first && second)
  await w.act(id, 'revoke', { versionId: first.id, reason: 'keyCompromise' })
  const due = (await w.detail(id)).nextRenewalAt
  assert.ok(due)
  w.clock.pass((Date.parse(due) - w.now().getTime()) / 1000)
  await w.settle()
  const after = await keys()
  assert.equal(after.length, 3)
  assert.ok(!bot.done.filter(({ kind }) => kind === 'make-csr').slice(2).some(({ payload }) => (payload as { reuseKeyId: string | null }).reuseKeyId), 'the second version has the key of the first, which is in other hands')
  assert.equal((await w.detail(id)).lastAction?.state, 'done')
})

testOnDatabases('one version by name; what goes with which action; what was found is none of ours', async (t, database) => {
  const w = await makeWorld(t, database)
  const [bot, other] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('named.example', [bot])
  await w.act(id, 'rotate')
  await w.act(id, 'rotate')
  const [, old] = (await w.detail(id)).versions
  const ended = await w.act(id, 'revoke', { versionId: old?.id ?? 'ver_', reason: 'superseded' })
  assert.deepEqual([ended.reason, (await w.detail(id)).status], ['Revoked (superseded).', 'deployed'], 'nobody serves it, so nothing else changes')
  await assert.rejects(w.start(id, 'revoke', { versionId: old?.id ?? 'ver_' }), refused(/already \(superseded\)/))
  for (const [kind, more] of [['rotate', { reason: 'superseded' }], ['renew', { versionId: old?.id }], ['order', { targetIds: ['tgt_x'] }], ['deploy', { targetIds: ['tgt_x'] }]] as const) {
    await assert.rejects(w.start(id, kind, more), (error: unknown) => error instanceof CertloopError && error.code === 'INPUT_INVALID' && String(error.facts['fields']).startsWith(`body.${Object.keys(more)[0]}`), kind)
  }
  const pem = bot.installed.get('/etc/ssl/named.example.crt') ?? ''
  await database.transaction((tx, wake) => recordScan(tx, wake, other.id, scanOf([slotOf('elsewhere', pem, w.now())], w.now()), w.now()))
  const found = await w.addCertificate(['found.example'])
  await assert.rejects(w.start(found, 'suspend'), refused(/Nothing was ordered here/))
  const theirs = (await w.detail(id)).versions[0]
  await assert.rejects(w.start(found, 'revoke', { versionId: theirs?.id ?? 'ver_' }), refused(/none of this certificate/))
})

const revokedAtCa = async (w: World) => (await w.database.db.selectFrom('ca_certificate').select(['fingerprint', 'status']).execute()).filter(({ status }) => status === 'revoked').length

testOnDatabases('with a key on each of two hosts, both versions are revoked unless one is named', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured('pair.example', [await w.addBot('left'), await w.addBot('right')])
  await w.act(id, 'rotate')
  const started = await w.start(id, 'revoke', { reason: 'keyCompromise' })
  assert.match(started.reason ?? '', /^The authority is asked to revoke 2 versions, one for each host: .*\(key at right\).*\(key at left\).*They are still served at/)
  const tasks = await database.db.selectFrom('task').selectAll().where('kind', '=', 'revoke-version').execute()
  assert.equal(tasks.length, 2, 'each is a question of its own')
  await w.planeKinds['revoke-version']?.run(tasks[0] ?? assert.fail(), new AbortController().signal) // the process dies before it can write the answer down
  await w.settle()
  const { lastAction, status, statusReason, versions } = await w.detail(id)
  assert.match(lastAction?.reason ?? '', /^2 of 2 versions revoked \(keyCompromise\): \S+ \(key at right\), \S+ \(key at left\)\. They are still served at/)
  assert.deepEqual([lastAction?.state, status, await revokedAtCa(w)], ['done', 'revoked', 2])
  assert.match(statusReason, /^2 of 2 versions: Revoked on /)
  assert.deepEqual(versions.map((v) => v.revocation?.status), ['revoked', 'revoked'])
  await assert.rejects(w.start(id, 'revoke'), refused(/revoked already/))
})

testOnDatabases('of two versions one was revoked by name: the other is named as good, and revoked when nothing is named', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured('one.example', [await w.addBot('left'), await w.addBot('right')])
  await w.act(id, 'rotate')
  const [right, left] = (await w.detail(id)).versions
  assert.ok(right && left)
  const one = await w.act(id, 'revoke', { versionId: right.id })
  assert.ok(one.reason?.includes(`Another version is still good: ${left.serialNumber} (it is installed at`), one.reason ?? '')
  assert.match((await w.detail(id)).statusReason, /^1 of 2 versions: .*The rest is still good\./)
  assert.deepEqual(await possible(w, id), ['revoke', 'suspend'])
  const rest = await w.act(id, 'revoke')
  assert.match(rest.reason ?? '', new RegExp(`^1 of 2 versions revoked .*: ${left.serialNumber} \\(key at left\\)\\. Not so: ${right.serialNumber} .*revoked already`))
  assert.equal(await revokedAtCa(w), 2)
})

testOnDatabases('the authority refuses one of two: the action has failed and says which is revoked and which is not', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured('half.example', [await w.addBot('left'), await w.addBot('right')])
  await w.act(id, 'rotate')
  const [right, left] = (await w.detail(id)).versions
  await database.db.updateTable('ca_certificate').set({ reference: 'other' }).where('fingerprint', '=', left?.fingerprint ?? '').execute()
  const ended = await w.act(id, 'revoke')
  assert.equal(ended.state, 'failed')
  assert.match(ended.reason ?? '', new RegExp(`^1 of 2 versions revoked \\(unspecified\\): ${right?.serialNumber} .* Not so: ${left?.serialNumber}`))
  assert.deepEqual((await w.detail(id)).versions.map((v) => v.revocation?.status), ['revoked', undefined])
})

testOnDatabases('a rekey says that earlier versions are still good', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured('again.example', [await w.addBot('left'), await w.addBot('right')])
  await w.act(id, 'rotate')
  const [second, first] = (await w.detail(id)).versions
  const rekeyed = await w.act(id, 'rekey')
  assert.ok(rekeyed.reason?.includes(`2 earlier versions are still good (${second?.serialNumber}, ${first?.serialNumber}): if the key is in other hands, revoke each by naming the version.`), rekeyed.reason ?? '')
})

testOnDatabases('a lost answer is asked for again and ends once; a refusal is shown as the problem', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured('again.example', [await w.addBot('a')])
  await w.act(id, 'rotate')
  const action = await w.start(id, 'revoke')
  const task = await database.db.selectFrom('task').selectAll().where('kind', '=', 'revoke-version').executeTakeFirstOrThrow()
  await w.planeKinds['revoke-version']?.run(task, new AbortController().signal) // the process dies before it can write the answer down
  await w.settle()
  const ended = await database.db.selectFrom('action').select(['state', 'reason']).where('id', '=', action.id).executeTakeFirst()
  assert.equal(ended?.state, 'done')
  assert.equal((await database.db.selectFrom('event').select('id').where('kind', '=', 'action.done').where('message', 'like', 'Revoked%').execute()).length, 1)
  const changes = await database.db.selectFrom('ca_certificate').select('changeNumber').where('fingerprint', '=', (await w.detail(id)).fingerprint).executeTakeFirst()
  assert.equal(changes?.changeNumber, 1, 'the authority changed it once')

  const second = await w.configured('no.example', [await w.addBot('b')])
  await w.act(second, 'rotate')
  await database.db.updateTable('ca_certificate').set({ reference: 'other' }).where('fingerprint', '=', (await w.detail(second)).fingerprint).execute()
  const failed = await w.act(second, 'revoke')
  assert.equal(failed.state, 'failed')
  const { status, problem } = await w.detail(second)
  assert.deepEqual([status, problem?.code], ['deployed', 'AUTHORITY_REJECTED'], 'who asked has to know that it is valid still')
})
