import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { CertloopError, type CertificateId, type ConfigurationCheck, type ConfigurationInput, type CsrTemplate, type CsrTemplateRules, type CsrTemplateVersion, type Permission } from '@certloop/contract'
import { pino } from 'pino'
import { composeApp } from '../control-plane.ts'
import type { Database } from '../database/database.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { addUser, asToken, testPassword } from '../http/http-testing.ts'
import { anonymous } from '../http/who.ts'
import { listOrders } from '../order/order-store.ts'
import { makeWorld } from '../world-testing.ts'
import { deleteTemplate, insertTemplate, listTemplates, updateTemplate } from './csr-template-store.ts'
import { followTemplate } from './follow-template.ts'
import { openRules } from './template-testing.ts'

interface Reply<R> { status: number; body: R & { code?: string; detail?: string; fields?: { field: string; problem: string }[] } }

async function setUp(t: TestContext, database: Database) {
  const w = await makeWorld(t, database)
  const { app, users } = await composeApp({ webFolder: '/nonexistent', version: '0', logger: pino({ level: 'silent' }), now: w.now, random: () => 0, settings: { trustedProxy: [] } }, w, () => 'https://certloop.test', new AbortController().signal)
  t.after(() => app.close())
  await app.ready()
  await addUser(database, w.clock, 'root', 'administrator')
  const { who } = await users.signIn({ name: 'root', password: testPassword, address: '127.0.0.1', replaced: anonymous })
  const tokenFor = async (permissions: readonly Permission[]) => (await users.tokens.create(who, { name: permissions.join(), permissions })).token
  const token = await tokenFor(['template:read', 'template:write', 'certificate:read'])
  async function call<R = object>(method: string, path: string, payload?: object, as = token): Promise<Reply<R>> {
    const { statusCode, body } = await app.inject({ method: method as 'GET', url: `/api/v1${path}`, headers: asToken(as), ...(payload ? { payload } : {}) })
    return { status: statusCode, body: (body === '' ? {} : JSON.parse(body)) as Reply<R>['body'] }
  }
  const body = (rules: Partial<CsrTemplateRules> = {}, name = 'house') => ({ name, description: 'For shops', rules: { ...openRules, ...rules } })
  const make = async (rules: Partial<CsrTemplateRules> = {}, name = 'house') => (await call<CsrTemplate>('POST', '/csr-templates', body(rules, name))).body
  const count = async () => Promise.all((['csrTemplate', 'csrTemplateVersion', 'configuration', 'event'] as const).map(async (table) => Number((await database.db.selectFrom(table).select((eb) => eb.fn.countAll<number>().as('n')).executeTakeFirstOrThrow()).n)))
  return { w, call, body, make, count, tokenFor }
}
type SetUp = Awaited<ReturnType<typeof setUp>>
const fieldsOf = ({ body: { fields = [] } }: Reply<object>) => fields.map((one) => Object.values(one).join(': ')).join('\n')

/** Templates: made, changed with the version as it was read, every version kept, deleted. */
async function madeAndChanged({ call, body, make }: SetUp): Promise<void> {
  const made = await make({ mustStaple: true })
  assert.deepEqual([made.version, made.usedBy, made.rules.mustStaple], [1, 0, true])
  const change = (version: number, rules: Partial<CsrTemplateRules>, name = 'house') => call<CsrTemplate>('PUT', `/csr-templates/${made.id}`, { ...body(rules, name), version })
  assert.deepEqual([(await change(1, { keyReuse: 'never' })).body.version, (await change(2, { keyAlgorithm: 'ec-384' }, 'shops')).body.version], [2, 3])
  const stale = await change(2, {})
  assert.deepEqual([stale.status, stale.body.code, /version 3/.test(stale.body.detail ?? '')], [409, 'CONFLICT', true])
  const both = await Promise.all([change(3, {}), change(3, {}), change(3, {})])
  assert.deepEqual(both.map(({ status }) => String(status)).toSorted(), ['200', '409', '409'])
  const { body: { template, versions } } = await call<{ template: CsrTemplate; versions: CsrTemplateVersion[] }>('GET', `/csr-templates/${made.id}`)
  assert.deepEqual([template.version, versions.map((v) => [v.version, v.rules.mustStaple, v.rules.keyReuse, v.rules.keyAlgorithm])], [4, [[4, false, 'allowed', null], [3, false, 'allowed', 'ec-384'], [2, false, 'never', null], [1, true, 'allowed', null]]])
  await make({}, 'other')
  const [twice, renamed] = [await call('POST', '/csr-templates', body({}, 'other')), await change(4, {}, 'other')]
  assert.deepEqual([twice.body.code, renamed.body.code, /"other"/.test(renamed.body.detail ?? '')], ['CONFLICT', 'CONFLICT', true])
  assert.deepEqual((await call<{ items: CsrTemplate[] }>('GET', '/csr-templates')).body.items.map(({ name }) => name), ['house', 'other'])
  assert.deepEqual([(await call('DELETE', `/csr-templates/${made.id}`)).status, (await call('GET', `/csr-templates/${made.id}`)).body.code, (await change(4, {})).body.code], [204, 'NOT_FOUND', 'NOT_FOUND'])
}

/** What does not fit is refused with its field, and nothing is written. */
async function refusedByField({ w, call, body, make, count, tokenFor }: SetUp): Promise<void> {
  const [{ id }, certificate] = [await make(), await w.addCertificate(['check.example'])]
  const before = await count()
  const bad: [string, object, RegExp][] = [
    ['a key of no kind', body({ keyAlgorithm: 'rsa-1024' as never }), /rules.keyAlgorithm/],
    ['a list without the key', body({ keyAlgorithm: 'ec-256', allowedKeyAlgorithms: ['rsa-4096'] }), /rules\/allowedKeyAlgorithms/],
    ['a usage that there is not', body({ extendedKeyUsages: ['webAuth'] }), /rules\/extendedKeyUsages\/0/],
    ['at most less than at least', body({ names: { ...openRules.names, required: 2, most: 1 } }), /rules\/names\/most/],
    ['a part that there is not', body({ requiredSubject: ['surname'] }), /rules\/requiredSubject\/0/],
    ['no country', body({ subject: { country: 'Germany' } }), /rules.subject.country/],
    ['no name', body({}, ''), /name/],
    ['a field too many', { ...body(), colour: 'red' }, /colour/],
  ]
  for (const [what, payload, field] of bad) {
    for (const reply of [await call('POST', '/csr-templates', payload), await call('PUT', `/csr-templates/${id}`, { ...payload, version: 1 })]) {
      assert.deepEqual([reply.status, reply.body.code], [400, 'INPUT_INVALID'], what)
      assert.match(fieldsOf(reply), field, what)
    }
  }
  const check = await call<ConfigurationCheck>('POST', `/certificates/${certificate}/configuration/checks`, await w.configurationWith([], { complete: false, authorityId: null, renewal: { enabled: true, daysBefore: 30, time: '03:00', zone: 'Nowhere' } }))
  assert.equal(check.status, 200, JSON.stringify(check.body))
  assert.deepEqual([check.body.complete, check.body.nextRuns, check.body.steps.flatMap(({ step, problems }) => problems.map(({ field }) => `${step} ${field}`))], [false, [], ['authority authorityId', 'schedule renewal/zone']])
  assert.equal((await call('POST', `/certificates/${certificate}/configuration/checks`, { complete: 'yes' })).body.code, 'INPUT_INVALID')
  assert.deepEqual(await count(), before)
  const reader = await tokenFor(['template:read'])
  for (const [method, path] of [['POST', ''], ['PUT', `/${id}`], ['DELETE', `/${id}`]] as const) assert.equal((await call(method, `/csr-templates${path}`, method === 'DELETE' ? undefined : { ...body(), ...(method === 'PUT' ? { version: 1 } : {}) }, reader)).body.code, 'PERMISSION_DENIED')
}

/** The next runs of a configuration that is looked at come from the schedule that fires. */
async function nextRuns({ w, call }: SetUp): Promise<void> {
  const id = await w.configured('runs.example', [await w.addBot('a')])
  assert.equal((await w.act(id, 'rotate')).state, 'done')
  const saved = (await w.detail(id)).nextRuns
  const { targets = [] } = (await w.detail(id)).configuration ?? {}
  const input = await w.configurationWith(targets.map(({ id: target, botId, serverType, fields }) => ({ id: target, botId, serverType, fields })))
  const same = await call<ConfigurationCheck>('POST', `/certificates/${id}/configuration/checks`, input)
  assert.deepEqual([same.body.complete, same.body.nextRuns], [true, saved], JSON.stringify(same.body))
  assert.ok(saved.length > 0)
  const sooner = await call<ConfigurationCheck>('POST', `/certificates/${id}/configuration/checks`, { ...input, renewal: { ...input.renewal, daysBefore: 60 } })
  assert.ok((sooner.body.nextRuns[0]?.at ?? '') < (saved[0]?.at ?? ''))
}

testOnDatabases('over the API: made, changed with the version as it was read, every version kept; bad input named by field; next runs', async (t, database) => {
  // One application for all: to put it together takes longest.
  const all = await setUp(t, database)
  await madeAndChanged(all)
  await refusedByField(all)
  await nextRuns(all)
})

testOnDatabases('a changed template tells the certificates that it leaves behind, and orders nothing for them; none is deleted in use', async (t, database) => {
  const w = await makeWorld(t, database)
  const { id: templateId } = await database.transaction((tx) => insertTemplate(tx, { name: 'house', description: '', rules: { ...openRules, keyAlgorithm: 'ec-256' } }, 'user:test', w.now()))
  const change = (version: number, rules: Partial<CsrTemplateRules>) => database.transaction(async (tx, wake) => {
    await updateTemplate(tx, templateId, { version, name: 'house', description: '', rules: { ...openRules, ...rules } }, 'user:test', w.now())
    await followTemplate(tx, wake, templateId, w.now())
  })
  const bot = await w.addBot('a')
  const follow = async (name: string, csr: Partial<ConfigurationInput['csr']>): Promise<CertificateId> => {
    const id = await w.addCertificate([name])
    const plain = await w.configurationWith([w.target(bot, name)])
    await w.save(id, { ...plain, csr: { ...plain.csr, mode: 'full', templateId, ...csr } })
    return id
  }
  const [following, fitting, pinned] = [await follow('one.example', {}), await follow('two.example', { keyAlgorithm: 'ec-256', validityDays: 30 }), await follow('three.example', { templateVersion: 1 })]
  assert.equal((await listTemplates(database.db))[0]?.usedBy, 3)
  await assert.rejects(database.transaction((tx) => deleteTemplate(tx, templateId)), (error) => error instanceof CertloopError && error.code === 'CONFLICT' && ['one', 'two', 'three'].every((name) => error.message.includes(`"${name}.example"`)))

  await change(1, { keyAlgorithm: 'ec-256', longestValidityDays: 30 })
  await w.settle()
  const told = async (id: CertificateId) => (await listEvents(database.db, { certificateId: id }, 20)).filter(({ kind }) => kind.startsWith('configuration.template')).map(({ kind, error }) => `${kind} ${error?.code ?? ''}`)
  assert.deepEqual([await told(following), await told(fitting), await told(pinned)], [['configuration.template-violated TEMPLATE_VIOLATED'], [], []])
  const { problem } = await w.detail(following)
  assert.equal(problem?.code, 'TEMPLATE_VIOLATED')
  assert.match(problem?.message ?? '', /csr\/validityDays: the template allows at most 30/)
  await assert.rejects(w.start(following, 'order'), (error) => error instanceof CertloopError && error.code === 'TEMPLATE_VIOLATED')
  assert.equal((await listOrders(database.db, { certificateId: following, limit: 5 })).items.length, 0)

  await change(2, {})
  await w.settle()
  assert.deepEqual([(await told(following)).toSorted(), (await w.detail(following)).problem], [['configuration.template-followed ', 'configuration.template-violated TEMPLATE_VIOLATED'], null])
  assert.equal((await w.act(following, 'order')).state, 'done')
})
