import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newId, validationDefaults, type ValidationSettings } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { makeWorld } from '../world-testing.ts'
import { checkConfiguration } from './configuration-check.ts'
import { validationProblems, validationWarnings, type ValidationFacts } from './validation-problems.ts'

const at = new Date('2026-03-01T00:00:00Z')
const [bot, provider] = [newId('bot', at), newId('dnp', at)]
const facts: ValidationFacts = { names: ['a.example'], targetBots: [], bot: { name: 'web' }, providers: [{ id: provider, name: 'bind', zones: ['example'] }], renewsItself: false }
const rows: [what: string, Partial<ValidationSettings>, Partial<ValidationFacts>, problems: string[], warnings: string[]][] = [
  ['nothing to prove', {}, {}, [], []],
  ['a file without folder or bot', { method: 'file' }, {}, ['path', 'method'], []],
  ['a file by a bot that is none', { method: 'file', path: '/srv', botId: bot }, { bot: null }, ['botId'], []],
  ['a file for a wildcard', { method: 'file', path: '/srv', botId: bot }, { names: ['*.a.example'] }, [], ['method']],
  ['http for a wildcard, with a bot', { method: 'http', botId: bot }, { names: ['*.a.example'] }, [], ['botId', 'method']],
  ['dns without any provider', { method: 'dns' }, { providers: [] }, ['method'], []],
  ['dns by a provider that is gone', { method: 'dns', dnsProviderId: newId('dnp', at) }, {}, ['dnsProviderId'], []],
  ['dns of a zone that nobody holds', { method: 'dns' }, { names: ['a.example', 'b.test'] }, [], ['dnsProviderId']],
  ['dns by a provider whose zones are not known', { method: 'dns' }, { names: ['b.test'], providers: [{ id: provider, name: 'bind', zones: [] }] }, [], []],
  ['a standing record that a person keeps', { method: 'dns-persist' }, { providers: [] }, [], []],
  ['an address by dns', { method: 'dns' }, { names: ['192.0.2.1'] }, ['method'], []],
  ['an address by hand, by a record', { method: 'manual', notify: ['a@b.example'] }, { names: ['2001:db8::1'] }, ['place'], []],
  ['a handshake at no address', { method: 'tls-alpn', botId: bot, listenOn: '1.2.3.999:443' }, {}, ['listenOn'], []],
  ['a handshake at no port', { method: 'tls-alpn', botId: bot, listenOn: '[::]:70000' }, {}, ['listenOn'], []],
  ['a handshake where a server listens', { method: 'tls-alpn' }, { targetBots: [bot] }, [], ['listenOn']],
  ['a handshake behind that server', { method: 'tls-alpn', listenOn: '127.0.0.1:8443' }, { targetBots: [bot] }, [], []],
  ['by hand, and nobody is told', { method: 'manual' }, { renewsItself: true }, [], ['notify', 'method']],
  ['a file by hand for a wildcard', { method: 'manual', place: 'file', notify: ['a@b.example'] }, { names: ['*.a.example'] }, [], ['place']],
  ['what is not used', { method: 'http', path: '/srv', listenOn: '0.0.0.0:443', dnsProviderId: provider, notify: ['a@b.example'] }, {}, [], ['path', 'listenOn', 'dnsProviderId', 'notify']],
]
test('each way of validation: what does not fit, and what may not be meant, at its field', () => {
  for (const [what, settings, more, problems, warnings] of rows) {
    const [given, known] = [{ ...validationDefaults, ...settings }, { ...facts, ...more }]
    const fields = (of: readonly { field: string }[]) => of.map(({ field }) => field.replace('validation/', ''))
    assert.deepEqual([fields(validationProblems(given, known)), fields(validationWarnings(given, known))], [problems, warnings], what)
  }
})

testOnDatabases('further authorities: each has to be there, once, and able to do what is asked', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.addCertificate(['fall.example'])
  const plain = await w.configurationWith([w.target(await w.addBot('a'), 'fall')], { complete: true })
  const first = plain.authorityId ?? assert.fail()
  const second = newId('ath', w.now())
  await database.db.insertInto('authority').values({ ...await database.db.selectFrom('authority').selectAll().executeTakeFirstOrThrow(), id: second, name: 'second' }).execute()
  const check = async (fallbackAuthorityIds: typeof first[], other: Partial<Awaited<ReturnType<typeof w.deps.authorityOf>>> = {}) => {
    const authorityOf: typeof w.deps.authorityOf = async (db, of) => (of === second ? { ...await w.deps.authorityOf(db, first), ...other } : w.deps.authorityOf(db, of))
    const { problems } = await database.transaction((tx) => checkConfiguration(tx, { ...w.deps, authorityOf }, id, { ...plain, fallbackAuthorityIds }))
    return problems.map(({ step, field, problem }) => `${step} ${field} ${problem}`)
  }
  assert.deepEqual(await check([second]), [])
  assert.match((await check([first])).join(), /^authority fallbackAuthorityIds\/0 is the one that is asked first$/)
  assert.match((await check([newId('ath', w.now())])).join(), /there is no such authority/)
  assert.match((await check([second, second])).join(), /fallbackAuthorityIds\/1 is named twice/)
  assert.match((await check([second], { keyAlgorithms: ['rsa-2048'] })).join(), /does not issue for ec-256; it takes rsa-2048/)
  assert.match((await check([second], { validationMethods: ['dns'] })).join(), /does not take the validation "none"; it takes dns/)
  assert.match((await check([second], { review: async () => ({ refused: [{ field: 'csr/names', problem: 'not these' }], otherwise: [] }) })).join(), /refuses the request: csr\/names: not these/)
  const checkHttp = async (fallbackAuthorityIds: typeof first[], validationMethods: ValidationSettings['method'][]) => {
    const authorityOf: typeof w.deps.authorityOf = async (db, of) => (of === second ? { ...await w.deps.authorityOf(db, first), validationMethods } : w.deps.authorityOf(db, of))
    const { problems } = await database.transaction((tx) => checkConfiguration(tx, { ...w.deps, authorityOf }, id, { ...plain, fallbackAuthorityIds, validation: { ...validationDefaults, method: 'http' } }))
    return problems.map(({ field, problem }) => `${field} ${problem}`)
  }
  assert.deepEqual(await checkHttp([second], ['http', 'dns']), [], 'the first asks for no proof, the second does')
  assert.deepEqual(await checkHttp([], []), ['validation/method the authority takes none'])
})
