import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openTargetSecrets, operations, permissions, type BotTarget, type CertificateDetail, type CertificateId, type Operation, type OperationId, type RemoteScan, type SshReach, type TargetInput } from '@certloop/contract'
import { tempFolder } from '@certloop/test-kit'
import { pino } from 'pino'
import { resealTasks } from '../bot/reseal.ts'
import { updateBot } from '../bot/bot-store.ts'
import { composeApp } from '../control-plane.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { openDatabase, type Database } from '../database/database.ts'
import { addUser, asToken, testPassword } from '../http/http-testing.ts'
import { anonymous } from '../http/who.ts'
import { createSecrets } from '../secret/secrets.ts'
import { makeWorld, place, scanOf, slotOf, type TestBot } from '../world-testing.ts'

const words = ['plain-store-password', 'plain-key-password', 'plain-login-password', 'plain-jump-key', 'plain-jump-passphrase', 'plain-scan-password'] as const
const [storePassword, keyPassword, loginPassword, jumpKey, jumpPassphrase, scanPassword] = words
const reach: SshReach = {
  kind: 'ssh', host: 'db1.example', port: 22, user: 'deploy', authentication: 'password', hostKey: null, privilege: 'sudo',
  jumps: [{ host: 'jump.example', port: 2222, user: 'hop', authentication: 'key', hostKey: null }],
}
const fields = { basePath: '/opt/jetty', keystorePath: '/opt/jetty/keystore.p12', alias: 'shop' }
const secrets = { fields: { keyPassword }, login: { password: loginPassword }, jumps: [{ privateKey: jumpKey, passphrase: jumpPassphrase }] }
const allSet = ['fields.keyPassword', 'fields.keystorePassword', 'jumps.0.passphrase', 'jumps.0.privateKey', 'login.password']
const targetOn = (bot: TestBot): TargetInput => ({ botId: bot.id, serverType: 'jetty', reach, fields: { ...fields, keystorePassword: storePassword }, secrets, overwrite: false, scripts: { before: { source: { from: 'device', argv: ['/usr/local/bin/drain', 'shop'] }, timeoutSeconds: 30 } } })
const pin = (letter: string) => `SHA256:${letter.repeat(43)}`

/** The whole API, with one certificate whose target is on another machine. */
async function setUp(t: TestContext, database: Database) {
  const w = await makeWorld(t, database)
  const { app, users } = await composeApp({ webFolder: '/nonexistent', version: '0', logger: pino({ level: 'silent' }), now: w.now, random: () => 0 }, w, () => 'https://certloop.test', new AbortController().signal)
  t.after(() => app.close())
  await app.ready()
  await addUser(database, w.clock, 'root', 'administrator')
  const { who } = await users.signIn({ name: 'root', password: testPassword, address: '127.0.0.1', replaced: anonymous })
  const { token } = await users.tokens.create(who, { name: 'x', permissions: [...permissions] })
  const call = async (method: 'GET' | 'POST' | 'PUT', url: string, payload?: object) => app.inject({ method, url: `/api/v1${url}`, headers: asToken(token), ...(payload ? { payload } : {}) })
  const bot = await w.addBot('web1')
  const id = await w.addCertificate(['shop.example'])
  const configure = async (targets: TargetInput[], changes = {}) => call('PUT', `/certificates/${id}/configuration`, await w.configurationWith(targets, changes))
  const target = async (of: CertificateId = id) => {
    const found = (await w.detail(of)).configuration?.targets[0]
    assert.ok(found)
    return found
  }
  return { w, app, call, bot, id, configure, target, database }
}
type Scene = Awaited<ReturnType<typeof setUp>>

const problemsOf = (answer: { json: <T>() => T }) => answer.json<{ fields?: { field: string; problem: string }[]; code: string }>()

async function wholeDatabase({ db }: Database): Promise<string> {
  const tables = await db.introspection.getTables()
  const rows = await Promise.all(tables.map(({ name }) => db.selectFrom(name as 'task').selectAll().execute()))
  return JSON.stringify(rows)
}

const findPlain = (text: string) => words.filter((word) => text.includes(word) || text.includes(Buffer.from(word).toString('base64').slice(0, -4)))

/** Answers of every GET of the contract that these ids fit. */
async function readEverything({ call }: Scene, ids: Record<string, string>): Promise<string[]> {
  const texts: string[] = []
  for (const operation of (Object.keys(operations) as OperationId[]).map((id): Operation => operations[id]).filter(({ method }) => method === 'GET')) {
    const kind = /^\/([\w-]+)\/\{id\}/.exec(operation.path)?.[1]
    const { statusCode, body } = await call('GET', operation.path.replace('{id}', ids[kind ?? ''] ?? `crt_${'0'.repeat(26)}`))
    if (kind !== undefined && kind in ids) assert.equal(statusCode, 200, `${operation.path}: ${body}`)
    texts.push(body)
  }
  return texts
}

testOnDatabases('secrets go in and never come out: not by any GET, not in the clear in any table, and the bot alone opens them', async (t, database) => {
  const scene = await setUp(t, database)
  const { w, bot, id, configure, target, app } = scene
  const saved = await configure([targetOn(bot)])
  assert.equal(saved.statusCode, 200, saved.body)
  assert.deepEqual((await target()).secretsSet.toSorted(), allSet)
  assert.deepEqual([(await target()).fields, (await target()).overwrite, (await target()).title], [fields, false, 'Eclipse Jetty on db1.example'])
  const scan = (await scene.call('POST', `/bots/${bot.id}/remote-scans`, { reach: { ...reach, jumps: [] }, secrets: { login: { password: scanPassword } } })).json<RemoteScan>()
  assert.deepEqual(findPlain(await wholeDatabase(database)), [])
  const action = await w.act(id, 'rotate')
  assert.equal(action.state, 'done', action.error ?? '')
  await w.act(id, 'recheck-pinning')
  const sealed = bot.done.filter(({ kind }) => kind !== 'make-csr' && kind !== 'scan-host')
  assert.deepEqual(sealed.map(({ kind }) => kind), ['plan-deployment', 'deploy', 'inspect-target'])
  for (const { payload } of sealed) {
    const given = (payload as { target: BotTarget }).target
    assert.deepEqual([given.reach, given.overwrite, given.scripts?.before?.source.from], [reach, false, 'device'])
    assert.deepEqual(await openTargetSecrets(given.sealed ?? '', bot.id, bot.encryptionKey), { ...secrets, fields: { keystorePassword: storePassword, keyPassword } })
  }
  const { orderIds, deploymentIds } = (await w.detail(id)).lastAction ?? { orderIds: [], deploymentIds: [] }
  const ids = { certificates: id, actions: action.id, bots: bot.id, 'remote-scans': scan.id, ...(orderIds[0] ? { orders: orderIds[0] } : {}), ...(deploymentIds[0] ? { deployments: deploymentIds[0] } : {}) }
  for (const text of [...await readEverything(scene, ids), saved.body, await wholeDatabase(database), JSON.stringify(app.swagger())]) assert.deepEqual(findPlain(text), [])
  assert.ok(!(await wholeDatabase(database)).includes('\\"sealed\\":'), 'what was sealed for a bot is forgotten when the work has ended')
})

test('the database file holds no secret in the clear; another master key opens them, the old one does not', async (t) => {
  const folder = await tempFolder(t)
  const database = await openDatabase(`sqlite:${join(folder, 'certloop.sqlite')}`)
  t.after(() => database.close())
  const { w, bot, configure, target } = await setUp(t, database)
  await configure([targetOn(bot)])
  const newKey = randomBytes(32)
  await w.secrets.rotateMasterKey(newKey)
  assert.deepEqual((await target()).secretsSet.toSorted(), allSet)
  const row = await database.db.selectFrom('target').select(['id', 'sealedSecrets']).executeTakeFirstOrThrow()
  const reopened = await createSecrets({ database, masterKey: newKey, now: w.now })
  assert.match(reopened.open(row.sealedSecrets ?? '', `target:${row.id}:secrets`).toString(), new RegExp(loginPassword))
  assert.throws(() => reopened.open(row.sealedSecrets ?? '', 'target:tgt_other:secrets'), { code: 'SECRET_UNREADABLE' })
  for (const name of await readdir(folder)) assert.deepEqual(findPlain((await readFile(join(folder, name))).toString('latin1')), [], name)
})

testOnDatabases('on an update secrets stay, go with null, and are never kept for another host; a draft may lack them', async (t, database) => {
  const { bot, configure, target } = await setUp(t, database)
  const bare = { botId: bot.id, serverType: 'jetty', reach, fields }
  const lacking = problemsOf(await configure([bare]))
  assert.deepEqual(lacking.fields?.map(({ field }) => field), ['body.targets/0/secrets/login/password', 'body.targets/0/secrets/jumps/0/privateKey'])
  assert.equal((await configure([bare], { complete: false })).statusCode, 200)
  assert.deepEqual((await target()).secretsSet, [])
  await configure([targetOn(bot)])
  const { id } = await target()
  await configure([{ ...bare, reach: { ...reach, privilege: 'none' }, secrets: { fields: { keyPassword: null } } }])
  assert.deepEqual([(await target()).id, (await target()).secretsSet.toSorted()], [id, allSet.filter((name) => name !== 'fields.keyPassword')])
  assert.equal((await target()).overwrite, undefined)
  for (const change of [{ host: 'evil.example' }, { user: 'root' }, { jumps: [] }]) {
    const refused = problemsOf(await configure([{ ...bare, reach: { ...reach, ...change } }]))
    assert.ok(refused.fields?.some(({ field }) => field === 'body.targets/0/secrets/login/password'), JSON.stringify(refused))
  }
  await configure([{ ...bare, reach: { ...reach, host: 'evil.example' } }], { complete: false })
  assert.deepEqual((await target()).secretsSet, [])
  const gone = await database.db.selectFrom('target').select('sealedSecrets').where('removedAt', 'is not', null).execute()
  assert.deepEqual(gone.map((row) => row.sealedSecrets), [null], 'what is removed keeps no secret')
})

testOnDatabases('a target that is named by its id keeps its secrets at another place on the same machine, and nowhere else', async (t, database) => {
  const { w, bot, configure, target } = await setUp(t, database)
  const bare = { botId: bot.id, serverType: 'jetty', reach, fields }
  await configure([targetOn(bot)])
  const first = await target()
  const moved = await configure([{ ...bare, id: first.id, fields: { ...fields, alias: 'other' } }])
  assert.equal(moved.statusCode, 200, moved.body)
  assert.deepEqual([(await target()).fields['alias'], (await target()).secretsSet.toSorted()], ['other', allSet])
  const twice = problemsOf(await configure([{ ...bare, id: (await target()).id }, { ...bare, id: (await target()).id, fields: { ...fields, alias: 'third' } }]))
  assert.deepEqual(twice.fields?.map(({ field, problem }) => `${field}: ${problem}`), ['body.targets/1/id: the same target is named twice'])
  const second = await w.addBot('web2')
  const changes: [Partial<TargetInput>, string[]][] = [[{ reach: { ...reach, host: 'evil.example' } }, ['jumps.0.passphrase', 'jumps.0.privateKey']], [{ botId: second.id }, []], [{ reach: 'local' }, []]]
  for (const [change, kept] of changes) {
    await configure([targetOn(bot)])
    const answer = await configure([{ ...bare, ...change, id: (await target()).id }], { complete: false })
    assert.equal(answer.statusCode, 200, answer.body)
    assert.deepEqual((await target()).secretsSet.toSorted(), kept, JSON.stringify(change))
  }
})

testOnDatabases('a bot without a key is sent nothing, and its deployment says what to do; another target goes on', async (t, database) => {
  const { w, bot, id, configure } = await setUp(t, database)
  const old = await w.addBot('old')
  await updateBot(database.db, old.id, { encryptionKeyPem: null })
  await configure([targetOn(old), { botId: bot.id, serverType: 'nginx', fields: place('shop') }])
  await w.act(id, 'rotate')
  const deployments = await database.db.selectFrom('deployment').select(['botId', 'state', 'error']).execute()
  assert.deepEqual(new Map(deployments.map((d) => [d.botId === old.id, d.state])), new Map([[false, 'deployed'], [true, 'failed']]))
  assert.match(deployments.find((d) => d.botId === old.id)?.error ?? '', /TARGET_SECRETS_UNREADABLE.*old.*restart/)
  assert.deepEqual(old.done.map(({ kind }) => kind), ['make-csr'])
  await assert.rejects(w.act(id, 'recheck-pinning'), { code: 'TARGET_SECRETS_UNREADABLE' })
})

testOnDatabases('a bot that comes back with another key gets what waits sealed again; without a key it ends plainly', async (t, database) => {
  const { w, bot, id, configure } = await setUp(t, database)
  await configure([targetOn(bot)])
  await w.act(id, 'order')
  await w.start(id, 'recheck-pinning')
  const second = generateKeyPairSync('x25519')
  const hello = async (pem: string | null) => {
    await updateBot(database.db, bot.id, { encryptionKeyPem: pem })
    await database.transaction((tx, wake) => resealTasks(tx, wake, w.leaseDeps, { id: bot.id, name: 'web1' }, pem))
  }
  const sealedNow = async () => (JSON.parse((await database.db.selectFrom('task').select('payload').where('kind', '=', 'inspect-target').executeTakeFirstOrThrow()).payload) as { target: BotTarget }).target.sealed ?? ''
  const before = await sealedNow()
  await hello(second.publicKey.export({ type: 'spki', format: 'pem' }))
  assert.notEqual(await sealedNow(), before)
  assert.equal((await openTargetSecrets(await sealedNow(), bot.id, second.privateKey)).login?.password, loginPassword)
  const again = await sealedNow()
  await hello(second.publicKey.export({ type: 'spki', format: 'pem' }))
  assert.equal(await sealedNow(), again, 'the same key changes nothing')
  await hello(null)
  await w.settle()
  assert.deepEqual([(await w.detail(id)).lastAction?.state, (await w.detail(id)).lastAction?.error?.code], ['failed', 'TARGET_SECRETS_UNREADABLE'])
})

testOnDatabases('an unknown host key is shown and confirmed by its fingerprint, host after host; a changed one is not offered', async (t, database) => {
  const { w, bot, id, configure, target, call } = await setUp(t, database)
  await configure([targetOn(bot)])
  await w.act(id, 'order')
  const meet = async (kind: 'inspect-target' | 'plan-deployment', facts: Record<string, string | number>, code: 'HOST_KEY_UNKNOWN' | 'HOST_KEY_CHANGED' = 'HOST_KEY_UNKNOWN') => {
    bot.fails.set(kind, { code, message: 'The key is not known.', facts })
    await w.act(id, kind === 'inspect-target' ? 'recheck-pinning' : 'deploy')
    bot.fails.clear()
  }
  const confirm = async (fingerprint: string) => call('POST', `/certificates/${id}/targets/${(await target()).id}/actions/confirm-host-key`, { fingerprint })
  assert.equal(problemsOf(await confirm(pin('A'))).code, 'ACTION_NOT_POSSIBLE')
  await meet('inspect-target', { host: 'jump.example', port: 2222, fingerprint: pin('A') })
  assert.deepEqual((await target()).seenHostKey, { host: 'jump.example', port: 2222, fingerprint: pin('A'), at: w.now().toISOString() })
  assert.deepEqual([(await w.detail(id)).problem?.code, (await w.detail(id)).problem?.message.includes(pin('A'))], ['HOST_KEY_UNKNOWN', true])
  assert.equal(problemsOf(await confirm(pin('B'))).code, 'HOST_KEY_NOT_SEEN')
  w.clock.pass(1)
  const confirmed = (await confirm(pin('A'))).json<CertificateDetail>()
  assert.equal(confirmed.configuration?.updatedAt, w.now().toISOString(), 'a form that is open must not put the old key back')
  const after = confirmed.configuration?.targets[0]?.reach as SshReach
  assert.deepEqual([after.jumps[0]?.hostKey, after.hostKey, confirmed.configuration?.targets[0]?.seenHostKey], [pin('A'), null, null])
  assert.deepEqual((await target()).secretsSet.toSorted(), allSet)
  await meet('plan-deployment', { host: 'DB1.example', port: 22, fingerprint: pin('C') })
  assert.equal((await confirm(pin('C'))).statusCode, 200)
  assert.equal(((await target()).reach as SshReach).hostKey, pin('C'))
  const audited = await call('GET', '/audit')
  assert.ok(audited.body.includes('confirmHostKey'))
  assert.ok((await call('GET', `/certificates/${id}/timeline`)).body.includes(`${pin('C')} of DB1.example:22 was confirmed`))
  // Neither a key that is pinned already, nor a changed one, nor one of a stranger is offered.
  await meet('plan-deployment', { host: 'db1.example', port: 22, fingerprint: pin('D') })
  await meet('plan-deployment', { host: 'jump.example', port: 2222, fingerprint: pin('D') }, 'HOST_KEY_CHANGED')
  await meet('plan-deployment', { host: 'evil.example', port: 22, fingerprint: pin('D') })
  assert.equal((await target()).seenHostKey, null)
})

testOnDatabases('a host is looked at over SSH through a bot: what was found is kept, the secrets are not', async (t, database) => {
  const { w, bot, call } = await setUp(t, database)
  const alone = { ...reach, jumps: [] }
  const start = async (input: object = { reach: alone, secrets: { login: { password: scanPassword } } }) => call('POST', `/bots/${bot.id}/remote-scans`, input)
  const read = async (id: string) => (await call('GET', `/remote-scans/${id}`)).json<RemoteScan>()
  const first = await start()
  assert.equal(first.statusCode, 202, first.body)
  assert.deepEqual([first.json<RemoteScan>().state, (await read(first.json<RemoteScan>().id)).servers], ['running', []])
  bot.answers.set('scan-host', scanOf([{ ...slotOf('found.example', null, w.now()), fields: { ...place('found') } }], w.now()))
  await w.settle()
  const [task] = bot.done
  const payload = task?.payload as { reach: SshReach; sealed: string }
  assert.deepEqual([payload.reach, await openTargetSecrets(payload.sealed, bot.id, bot.encryptionKey)], [alone, { login: { password: scanPassword } }])
  const done = await read(first.json<RemoteScan>().id)
  assert.deepEqual([done.state, done.servers[0]?.slots[0]?.names, done.error, done.endedAt !== null], ['done', ['found.example'], null, true])
  assert.equal((await database.db.selectFrom('hostScan').selectAll().execute()).length, 0, 'it is not the scan of the bot\'s own host')

  const failing = (await start()).json<RemoteScan>()
  bot.fails.set('scan-host', { code: 'HOST_UNREACHABLE', message: 'No route.', facts: {} })
  await w.settle()
  assert.deepEqual([(await read(failing.id)).state, (await read(failing.id)).error?.code], ['failed', 'HOST_UNREACHABLE'], 'it is not tried again by itself')
  bot.fails.clear()
  const lost = (await start()).json<RemoteScan>()
  w.clock.pass(11 * 60)
  await w.watch()
  assert.deepEqual([(await read(lost.id)).state, (await read(lost.id)).error?.code], ['failed', 'BOT_UNREACHABLE'])
  assert.deepEqual((await database.db.selectFrom('remoteScan').select('sealedSecrets').execute()).map((row) => row.sealedSecrets), [null, null, null])
  assert.ok(!(await wholeDatabase(database)).includes('\\"sealed\\":'))

  assert.deepEqual(problemsOf(await start({ reach: alone })).fields?.map(({ field }) => field), ['body.secrets/login/password'])
  assert.equal(problemsOf(await call('GET', `/remote-scans/scn_${'0'.repeat(26)}`)).code, 'NOT_FOUND')
  await updateBot(database.db, bot.id, { encryptionKeyPem: null })
  assert.equal(problemsOf(await start()).code, 'TARGET_SECRETS_UNREADABLE')
  await updateBot(database.db, bot.id, { revokedAt: w.now().toISOString() })
  assert.equal(problemsOf(await start()).code, 'ACTION_NOT_POSSIBLE')
})

testOnDatabases('each wrong value of a way in, a secret or a script is named in plain words, never repeated', async (t, database) => {
  const { bot, configure } = await setUp(t, database)
  const good = targetOn(bot)
  const script = (source: object) => ({ scripts: { before: { source, timeoutSeconds: 5 } } })
  const rows: [string, object, RegExp][] = [
    ['host key', { reach: { ...reach, hostKey: 'MD5:00' } }, /^body\.targets\/0\/reach\/hostKey must be a fingerprint such as SHA256:/],
    ['port', { reach: { ...reach, port: 70_000 } }, /^body\.targets\/0\/reach\/port must be at most 65535/],
    ['user missing', { reach: { ...reach, user: undefined } }, /reach\.user is missing/],
    ['jump without a host', { reach: { ...reach, jumps: [{ ...reach.jumps[0], host: '' }] } }, /reach\/jumps\/0\/host/],
    ['key file of the bot', { reach: { ...reach, authentication: 'bot-key', keyPath: 'id_rsa' }, secrets: { jumps: secrets.jumps } }, /reach\/keyPath must be an absolute path on the machine of the bot/],
    ['the same host twice', { reach: { ...reach, jumps: [{ ...reach.jumps[0], host: 'DB1.example', port: 22 }] } }, /reach\/jumps\/0 this host is on the way twice/],
    ['a way the type does not take', { reach: { kind: 'ftp', host: 'x', port: 21, user: 'u', security: 'none', pin: null }, secrets: { login: { password: 'x' } } }, /reach Eclipse Jetty can not be reached over FTP/],
    ['interpreter', script({ from: 'platform', interpreter: 'bash', text: 'true' }), /interpreter must be an absolute path/],
    ['script too long', script({ from: 'platform', interpreter: '/bin/sh', text: 'x'.repeat(100_001) }), /text must have at most 100000 characters/],
    ['a secret that is no text', { fields: { ...fields, keystorePassword: 5 } }, /fields\/keystorePassword must be text/],
    ['a secret field that is none', { secrets: { ...secrets, fields: { alias: 'x' } } }, /secrets\/fields\/alias there is no such secret field/],
    ['a choice', { fields: { ...fields, activation: 'magic' } }, /fields\/activation must be one of auto, reload, service, command/],
    ['lines', { fields: { ...fields, activation: 'command', restartCommand: [''] } }, /fields\/restartCommand\/0/],
  ]
  for (const [name, change, expected] of rows) {
    const answer = await configure([{ ...good, ...change }])
    const problem = problemsOf(answer)
    assert.equal(problem.code, 'INPUT_INVALID', `${name}: ${answer.body}`)
    const lines = problem.fields?.map((each) => `${each.field} ${each.problem}`) ?? []
    assert.ok(lines.some((line) => expected.test(line)), `${name}: ${lines.join(' | ')}`)
    assert.ok(lines.length <= 2, `${name}: ${lines.join(' | ')}`)
    assert.deepEqual(findPlain(answer.body), [])
  }
  const twice = problemsOf(await configure([good, { ...good, secrets: { ...secrets, fields: {} } }]))
  assert.match(JSON.stringify(twice.fields), /same place on db1\.example:22 via jump\.example:2222 is named twice/)
  const elsewhere = { ...good, reach: { ...reach, port: 2022 } }
  assert.equal((await configure([good, elsewhere])).statusCode, 200, 'the same path on another machine is another place')
})
