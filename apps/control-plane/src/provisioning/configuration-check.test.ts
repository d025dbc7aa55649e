import assert from 'node:assert/strict'
import { type ConfigurationInput, type TargetInput, deploymentTimingDefault, keyAlgorithms, renewalDefaults, rolloutDefault } from '@certloop/contract'
import fc from 'fast-check'
import type { AuthorityOf } from '../authority/authority.ts'
import { updateBot } from '../bot/bot-store.ts'
import type { Database } from '../database/database.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { makeWorld, place } from '../world-testing.ts'
import { checkConfiguration, toCheck } from './configuration-check.ts'
import { inputOf } from './configuration.ts'

const gate = rolloutDefault.gate
const renewal = { ...renewalDefaults, enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' }
const window = { frequency: 'weekly' as const, weekday: 7, dayOfMonth: 1, time: '02:00', lengthMinutes: 60 }
const rows = async (database: Database): Promise<number[]> => Promise.all((['configuration', 'target', 'event', 'task'] as const).map(async (table) => Number((await database.db.selectFrom(table).select((eb) => eb.fn.countAll<number>().as('n')).executeTakeFirstOrThrow()).n)))

testOnDatabases('each step says what is wrong with it, at its field; drafts may be unfinished, never nonsense; nothing is written', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.addCertificate(['check.example'])
  const plain = await w.configurationWith([w.target(bot, 'check')])
  const csr = (changes: Partial<ConfigurationInput['csr']>) => ({ csr: { ...plain.csr, ...changes } })
  const cases: [what: string, Partial<ConfigurationInput>, complete: string[], draft?: string[]][] = [
    ['a whole one', {}, []],
    ['no authority', { authorityId: null }, ['authority authorityId'], []],
    ['a bot that there is not', { targets: [{ botId: 'bot_00000000000000000000000000', serverType: 'nginx', fields: place('x') }] }, ['deployment targets/0/botId']],
    ['names that are none', csr({ names: ['good.example', 'a b', 'x_y.example'] }), ['csr csr/names/1', 'csr csr/names/2']],
    ['a type that the authority does not issue', csr({ certificateType: 'ev' }), ['csr csr/certificateType']],
    ['the request of a certificate that there is not', csr({ mode: 'existing' }), ['csr csr/mode'], []],
    ['a template that there is not', csr({ mode: 'full', templateId: 'tpl_00000000000000000000000000' }), ['csr csr/templateId']],
    ['a digest for a key with its own', csr({ keyAlgorithm: 'ed25519', signatureAlgorithm: 'sha256' }), ['csr csr/signatureAlgorithm']],
    ['values too long for a subject', csr({ subject: { organization: 'x'.repeat(100) } }), ['csr csr/subject/organization']],
    ['a profile that there is not', csr({ profile: 'none' }), ['csr csr/profile']],
    ['a profile for no server', csr({ profile: 'code-signing' }), ['csr csr/profile']],
    ['a proof that the authority does not take, without a path', { validation: { method: 'file', path: null } }, ['validation validation/method', 'validation validation/path'], ['validation validation/method']],
    ['a path that leaves its folder', { validation: { method: 'file', path: '/srv/../etc' } }, ['validation validation/method', 'validation validation/path']],
    ['a schedule on no day, in no zone', { renewal: { ...renewal, trigger: 'date', date: '2027-02-30', zone: 'x' } }, ['schedule renewal/zone', 'schedule renewal/date']],
    ['a window without one', { deployment: { ...deploymentTimingDefault, when: 'window' } }, ['schedule deployment/window'], []],
    ['waves of nothing', { rollout: { ...rolloutDefault, mode: 'waves', waves: [{ share: null, label: null }] } }, ['deployment rollout/waves/0']],
    ['more canaries than targets', { rollout: { ...rolloutDefault, canary: 2 } }, ['deployment rollout/canary'], []],
  ]
  const before = await rows(database)
  for (const [what, changes, whole, draft = whole] of cases) {
    for (const [complete, expected] of [[true, whole], [false, draft]] as const) {
      const checked = await database.transaction((tx) => checkConfiguration(tx, w.deps, id, { ...plain, ...changes, complete }))
      assert.deepEqual(checked.problems.map(({ step, field }) => `${step} ${field}`).toSorted(), [...expected].toSorted(), `${what}, ${complete ? 'complete' : 'draft'}: ${JSON.stringify(checked.problems)}`)
      const { steps, complete: could } = toCheck(checked, [])
      assert.deepEqual([steps.map(({ step }) => step), steps.flatMap(({ problems }) => problems).length, could], [['deployment', 'authority', 'csr', 'validation', 'schedule'], expected.length, expected.length === 0])
      const saving = w.save(id, { ...plain, ...changes, complete })
      if (expected.length > 0) await assert.rejects(saving, (error: Error & { code?: string }) => error.code === 'INPUT_INVALID' || error.code === 'NAME_INVALID', what)
      else {
        await saving
        await database.db.deleteFrom('configuration').execute()
        await database.db.deleteFrom('target').execute()
        await database.db.deleteFrom('event').where('kind', '=', 'configuration.saved').execute()
      }
    }
  }
  assert.deepEqual(await rows(database), before)
})

testOnDatabases('what is allowed and may not be meant is said, and saved all the same', async (t, database) => {
  const w = await makeWorld(t, database)
  const [quiet, fresh] = [await w.addBot('quiet'), await w.addBot('fresh')]
  await updateBot(database.db, quiet.id, { lastContactAt: '2026-02-01T00:00:00.000Z' })
  await updateBot(database.db, fresh.id, { joinedAt: null })
  const id = await w.addCertificate(['warn.example', '*.warn.example'])
  const plain = await w.configurationWith([w.target(quiet, 'one'), { ...w.target(fresh, 'two'), placement: { labels: ['eu'], pair: null } }])
  const cases: [what: string, Partial<ConfigurationInput>, fields: string[]][] = [
    ['bots that are not there', {}, []],
    ['renewal off', { renewal: { ...renewal, enabled: false } }, ['renewal/enabled']],
    ['no deployment', { deployAfterRenewal: false }, ['deployAfterRenewal']],
    ['longer before than it lives', { renewal: { ...renewal, daysBefore: 100 } }, ['renewal/daysBefore']],
    ['a window that can come too late', { renewal: { ...renewal, daysBefore: 5 }, deployment: { ...deploymentTimingDefault, when: 'window', window } }, ['deployment/window']],
    ['longer than the issuer lives', { csr: { ...plain.csr, validityDays: 3650 } }, ['csr/validityDays']],
    ['labels that no target has', { rollout: { ...rolloutDefault, mode: 'waves', gate, waves: [{ share: null, label: 'us' }, { share: null, label: 'eu' }] } }, ['rollout/waves/0/label']],
    ['a template that is not used', { csr: { ...plain.csr, templateId: 'tpl_00000000000000000000000000' } }, ['csr/templateId']],
    ['a path that is not used', { validation: { method: 'none', path: '/srv' } }, ['validation/path']],
  ]
  for (const [what, changes, fields] of cases) {
    const { problems, warnings } = await database.transaction((tx) => checkConfiguration(tx, w.deps, id, { ...plain, ...changes }))
    assert.deepEqual([problems, warnings.map(({ field }) => field)], [[], ['targets/0/botId', 'targets/1/botId', ...fields]], what)
    await w.save(id, { ...plain, ...changes })
  }
  const publicAuthority: AuthorityOf = async (db, of) => ({ ...await w.deps.authorityOf(db, of), isPublic: true, validationMethods: ['file', 'manual'] })
  const { problems, warnings } = await database.transaction((tx) => checkConfiguration(tx, { ...w.deps, authorityOf: publicAuthority }, id, { ...plain, csr: { ...plain.csr, keyReuse: true }, validation: { method: 'file', path: '/srv/www' } }))
  assert.deepEqual([problems, warnings.map(({ field }) => field)], [[], ['targets/0/botId', 'targets/1/botId', 'csr/keyReuse', 'validation/method']])
})

testOnDatabases('a configuration read back and saved again is the same, secrets too', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.addCertificate(['again.example', '192.0.2.7'])
  const plain = await w.configurationWith([])
  const text = fc.constantFrom('eu', 'us', 'canary')
  const login = { host: 'db1.example', port: 22, user: 'deploy', hostKey: null, privilege: 'none' as const, jumps: [] }
  const target = (name: string) => fc.record<TargetInput>({
    botId: fc.constant(bot.id), serverType: fc.constant('nginx'), fields: fc.record({ ...Object.fromEntries(Object.entries(place(name)).map(([key, value]) => [key, fc.constant(value)])), proofSeconds: fc.integer({ min: 1, max: 100 }) }),
    reach: fc.constantFrom<NonNullable<TargetInput['reach']>>('local', { kind: 'ssh', ...login, authentication: 'password' }),
    placement: fc.record({ labels: fc.uniqueArray(text), pair: fc.option(text) }), overwrite: fc.boolean(),
  }, { requiredKeys: ['botId', 'serverType', 'fields'] }).map((each) => (each.reach && each.reach !== 'local' ? { ...each, secrets: { login: { password: 'hunter2' } } } : each))
  const input = fc.record<Partial<ConfigurationInput>>({
    complete: fc.boolean(), targets: fc.tuple(fc.option(target('one')), fc.option(target('two'))).map((targets) => targets.filter((each) => each !== null)),
    csr: fc.record<ConfigurationInput['csr']>({
      mode: fc.constantFrom('partial', 'full'), commonName: fc.constantFrom(null, 'again.example'), names: fc.constantFrom([], ['AGAIN.example', '2001:DB8::1']), keyAlgorithm: fc.constantFrom(...keyAlgorithms), keyReuse: fc.boolean(), validityDays: fc.option(fc.integer({ min: 1, max: 400 })),
      subject: fc.constantFrom({}, { organization: 'Ex', country: 'DE' }), profile: fc.constantFrom(null, 'server', 'server-and-client'),
    }, { requiredKeys: ['commonName', 'names', 'keyAlgorithm', 'keyReuse', 'validityDays'] }),
    renewal: fc.record({ enabled: fc.boolean(), daysBefore: fc.integer({ min: 1, max: 120 }), time: fc.constantFrom('00:00', '23:59'), zone: fc.constantFrom('UTC', 'Asia/Kathmandu'), frequency: fc.constantFrom('daily', 'monthly'), trigger: fc.constant('date'), date: fc.constant('2028-02-29') }, { requiredKeys: ['enabled', 'daysBefore', 'time', 'zone', 'trigger', 'date'] }),
    deployment: fc.constantFrom(deploymentTimingDefault, { ...deploymentTimingDefault, when: 'window', window, freezes: [{ from: '2026-12-20T00:00', to: '2027-01-02T00:00', reason: 'Holidays' }] }),
    rollout: fc.constantFrom(rolloutDefault, { ...rolloutDefault, waves: [{ share: 50, label: null }], stopAfterFailures: 3, onStop: 'undo' }),
    deployAfterRenewal: fc.boolean(), rollback: fc.boolean(), approval: fc.constantFrom('automatic', 'manual'),
  }, { requiredKeys: [] })
  await fc.assert(fc.asyncProperty(input, async (changes) => {
    await w.save(id, { ...plain, ...changes })
    const first = (await w.detail(id)).configuration
    assert.ok(first)
    await w.save(id, inputOf(first))
    assert.deepEqual((await w.detail(id)).configuration, first)
    await w.save(id, { ...plain, complete: false })
  }), { numRuns: 25 })
})
