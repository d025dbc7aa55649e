import assert from 'node:assert/strict'
import { CertloopError, type ConfigurationInput } from '@certloop/contract'
import { updateBot } from '../bot/bot-store.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { makeWorld, place } from '../world-testing.ts'

const fieldsOf = async (saving: Promise<unknown>): Promise<string[]> => {
  const error = await saving.then(() => undefined, (thrown: unknown) => thrown)
  assert.ok(error instanceof CertloopError, String(error))
  return [...error.facts['fields'] as string[]]
}

testOnDatabases('every field that does not fit is named, and nothing is saved', async (t, database) => {
  const w = await makeWorld(t, database)
  const [good, revoked, scout] = [await w.addBot('good'), await w.addBot('revoked'), await w.addBot('scout', 'discovery')]
  await updateBot(database.db, revoked.id, { revokedAt: w.now().toISOString() })
  const [mine, theirs] = [await w.addCertificate(['mine.example']), await w.configured('theirs.example', [good])]
  const target = (changes: Partial<ConfigurationInput['targets'][0]>): ConfigurationInput['targets'][0] => ({ botId: good.id, serverType: 'nginx', fields: place('mine'), ...changes })
  const whole = await w.configurationWith([target({})])
  const csr = (changes: Partial<ConfigurationInput['csr']>) => ({ csr: { ...whole.csr, ...changes } })
  const long = `${'a'.repeat(60)}.example`
  const rows: [string, Partial<ConfigurationInput>, RegExp[]][] = [
    ['a revoked bot', { targets: [target({ botId: revoked.id })] }, [/^body\.targets\/0\/botId: .*revoked/]],
    ['a bot for discovery only', { targets: [target({ botId: scout.id })] }, [/^body\.targets\/0\/botId: .*discovery only/]],
    ['no bot', { targets: [target({ botId: 'bot_00000000000000000000000000' })] }, [/no such bot/]],
    ['no server type', { targets: [target({ serverType: 'teapot' })] }, [/^body\.targets\/0\/serverType: .*"teapot"/]],
    ['a field too many', { targets: [target({ fields: { ...place('mine'), shelf: 1, drawer: 2 } })] }, [/fields\/shelf: there is no/, /fields\/drawer: there is no/]],
    ['a field too few', { targets: [target({ fields: { configurationPath: '/etc/nginx.conf' } })] }, [/fields\/certificatePath: is missing/, /fields\/keyPath: is missing/]],
    ['a number out of range', { targets: [target({ fields: { ...place('mine'), proofSeconds: 100_000 } })] }, [/fields\/proofSeconds/]],
    ['a relative path', { targets: [target({ fields: { ...place('mine'), keyPath: 'shop.key' } })] }, [/fields\/keyPath: must be an absolute path/]],
    ['the same place twice', { targets: [target({}), target({ fields: { ...place('mine'), proofSeconds: 5 } })] }, [/^body\.targets\/1: the same place/]],
    ['the place of another certificate', { targets: [target({ fields: place('theirs.example') })] }, [/^body\.targets\/0: .*"theirs\.example" already/]],
    ['no authority', { authorityId: null }, [/^body\.authorityId: choose/]],
    ['an authority that is none', { authorityId: 'ath_11111111111111111111111111' }, [/^body\.authorityId: there is no/]],
    ['a zone that is none', { renewal: { ...whole.renewal, zone: 'Europe/Atlantis' } }, [/^body\.renewal\/zone: /]],
    ['a common name that is no name of it', csr({ commonName: 'else.example' }), [/^body\.csr\/commonName: must be one/]],
    ['a common name too long', csr({ commonName: long, names: [long] }), [/^body\.csr\/commonName: .*64/]],
    ['several at once', { authorityId: null, renewal: { ...whole.renewal, zone: 'x' }, targets: [target({ serverType: 'teapot' }), target({ botId: revoked.id })] }, [/targets\/0\/serverType/, /targets\/1\/botId/, /authorityId/, /zone/]],
  ]
  for (const [name, changes, expected] of rows) {
    const fields = await fieldsOf(w.save(mine, { ...whole, ...changes }))
    assert.equal(fields.length, expected.length, `${name}: ${fields.join('; ')}`)
    for (const each of expected) assert.ok(fields.some((field) => each.test(field)), `${name}: ${each} in ${fields.join('; ')}`)
  }
  assert.equal((await w.detail(mine)).configuration, null)
  await w.save(mine, whole)
  assert.deepEqual([(await w.detail(mine)).status, (await w.detail(theirs)).configuration?.targets.length], ['configured', 1])
})

testOnDatabases('a draft may lack what a complete one needs; saving again keeps targets that stay', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.addCertificate(['d.example'])
  await w.save(id, await w.configurationWith([], { complete: false, authorityId: null }))
  assert.equal((await w.detail(id)).status, 'configuration-pending')
  await w.save(id, await w.configurationWith([w.target(bot, 'one'), w.target(bot, 'two')]))
  const first = (await w.detail(id)).configuration?.targets ?? []
  await w.save(id, await w.configurationWith([w.target(bot, 'three'), { ...w.target(bot, 'two'), fields: { ...place('two'), proofSeconds: 60 } }]))
  const second = (await w.detail(id)).configuration?.targets ?? []
  assert.equal(second[1]?.id, first[1]?.id)
  assert.equal(second[1]?.fields['proofSeconds'], 60)
  assert.ok(!first.some((target) => target.id === second[0]?.id))
  await w.save(await w.addCertificate(['free.example']), await w.configurationWith([w.target(bot, 'one')]))
})
