import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { CertificateStatus, HostScan } from '@certloop/contract'
import { createCsr, generateKey, readCertificates } from '@certloop/pki'
import { selfSignedPair } from '@certloop/test-kit'
import { listCertificates } from '../certificate/certificate-store.ts'
import type { Database } from '../database/database.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { makeWorld, place, scanOf, slotOf, type TestBot } from '../world-testing.ts'
import { recordScan } from './record-scan.ts'

async function setUp(t: TestContext, database: Database) {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  let made = 0
  const pemFor = async (...names: string[]) => {
    const csrPem = await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names })
    return (await w.localCa.issue({ reference: `test ${made++}`, csrPem, names, commonName: null, validityDays: 80, profile: 'server' })).chainPem.join('\n')
  }
  const scan = (slots: Parameters<typeof scanOf>[0], on: TestBot = bot) => database.transaction((tx, wake) => recordScan(tx, wake, on.id, scanOf(slots, w.now()), w.now()))
  const record = (result: HostScan, on: TestBot = bot) => database.transaction((tx, wake) => recordScan(tx, wake, on.id, result, w.now()))
  const all = async () => Promise.all((await listCertificates(database.db, { limit: 100 })).rows.map(({ id }) => w.detail(id)))
  const the = async (name: string) => {
    const found = (await all()).filter((c) => c.name === name)
    assert.equal(found.length, 1, `${found.length} certificates are called ${name}`)
    const [certificate] = found
    assert.ok(certificate)
    return certificate
  }
  return { w, bot, pemFor, scan, record, all, the }
}
const fingerprint = (pem: string) => readCertificates(pem)[0]?.fingerprint

testOnDatabases('another certificate at a known place is a new version of the same identity', async (t, database) => {
  const { w, pemFor, scan, all, the } = await setUp(t, database)
  const [old, young] = [await pemFor('shop.example'), await pemFor('shop.example', 'www.shop.example')]
  await scan([slotOf('shop.example', old, w.now())])
  const first = await the('shop.example')
  assert.deepEqual([first.status, first.management, first.versions.length], ['discovered' satisfies CertificateStatus, 'monitored', 1])
  w.clock.pass(60)
  await scan([slotOf('shop.example', young, w.now())])
  const second = await the('shop.example')
  assert.deepEqual([second.id, second.versions.length, second.fingerprint, second.names], [first.id, 2, fingerprint(young), ['shop.example', 'www.shop.example']])
  assert.ok((await listEvents(database.db, { certificateId: first.id }, 10)).some((e) => e.kind === 'certificate.changed-outside'))
  await scan([slotOf('shop.example', young, w.now())])
  assert.deepEqual((await all()).map((c) => c.versions.length), [2], 'the same scan again changes nothing')
})

testOnDatabases('one fingerprint at two places and on two hosts is one certificate', async (t, database) => {
  const { w, pemFor, scan, the } = await setUp(t, database)
  const other = await w.addBot('b')
  const pem = await pemFor('shared.example')
  await scan([slotOf('one', pem, w.now()), slotOf('two', pem, w.now())])
  await scan([slotOf('one', pem, w.now())], other)
  const certificate = await the('shared.example')
  assert.equal(certificate.versions.length, 1)
  assert.deepEqual(certificate.installations.map((i) => i.state), ['in-sync', 'in-sync', 'in-sync'])
  assert.equal(certificate.installationCount, 3)
  assert.equal(certificate.suggestions.length, 3)
})

testOnDatabases('twenty hosts report the same new certificate at one moment', async (t, database) => {
  const { w, pemFor, record, the } = await setUp(t, database)
  const pem = await pemFor('wildcard.example')
  const hosts = await Promise.all(Array.from({ length: 20 }, (_, i) => w.addBot(`h${i}`)))
  await Promise.all(hosts.map((host) => record(scanOf([slotOf('w', pem, w.now())], w.now()), host)))
  const certificate = await the('wildcard.example')
  assert.deepEqual([certificate.versions.length, certificate.installations.length], [1, 20])
})

testOnDatabases('a place that is gone: forgotten, or missing where it is a target', async (t, database) => {
  const { w, bot, pemFor, scan, the } = await setUp(t, database)
  await scan([slotOf('kept.example', await pemFor('kept.example'), w.now()), slotOf('gone.example', await pemFor('gone.example'), w.now())])
  const kept = await the('kept.example')
  await w.save(kept.id, await w.configurationWith([w.target(bot, 'kept.example')]))
  await scan([])
  assert.deepEqual((await the('kept.example')).installations.map((i) => i.state), ['missing'])
  assert.deepEqual((await the('gone.example')).installations, [])
  const events = await listEvents(database.db, { certificateId: kept.id }, 50)
  await scan([])
  assert.equal((await listEvents(database.db, { certificateId: kept.id }, 50)).length, events.length, 'it is told once')
})

testOnDatabases('what no scan looks for is not missing because a scan did not find it', async (t, database) => {
  const { w, bot, scan } = await setUp(t, database)
  const files = { botId: bot.id, serverType: 'files', fields: { certificatePath: '/srv/tls.crt', keyPath: '/srv/tls.key' } }
  const id = await w.configured('files.example', [bot], { targets: [files] })
  assert.equal((await w.act(id, 'rotate')).state, 'done')
  const states = async () => (await w.detail(id)).installations.map((i) => i.state)
  await scan([])
  assert.deepEqual([await states(), (await w.detail(id)).status], [['in-sync'], 'deployed'])
  await w.save(id, await w.configurationWith([]))
  await scan([])
  assert.deepEqual(await states(), [], 'it is of no interest once it is no target any more')
})

testOnDatabases('a server that could not be read says nothing of what is missing', async (t, database) => {
  const { w, pemFor, scan, record, the } = await setUp(t, database)
  await scan([slotOf('a.example', await pemFor('a.example'), w.now())])
  await record(scanOf([], w.now(), { code: 'SERVER_CONFIGURATION_UNREADABLE', message: 'unreadable', facts: {} }))
  assert.deepEqual((await the('a.example')).installations.map((i) => i.state), ['in-sync'])
})

testOnDatabases('hostile places do not keep the others from being recorded', async (t, database) => {
  const { w, pemFor, record, scan, all, the } = await setUp(t, database)
  const good = await pemFor('good.example')
  await scan([slotOf('was-good', await pemFor('was-good.example'), w.now())])
  const pair = await selfSignedPair(['x.example'])
  const garbage = ['nonsense', '', '-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', pair.keyPem, '\u0000\uD800', `${good}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`]
  const slots = [...garbage.map((pem, i) => slotOf(`bad${i}`, pem, w.now())), slotOf('was-good', 'garbage now', w.now()), slotOf('good.example', good, w.now())]
  const scanned = scanOf(slots, w.now())
  const [server] = scanned.servers
  assert.ok(server)
  await record({ ...scanned, servers: [{ ...server, serverType: 'from-the-future' }, server] })
  assert.equal((await the('good.example')).installations.length, 1)
  const spoilt = await the('was-good.example')
  assert.deepEqual(spoilt.installations.map((i) => [i.state, i.fingerprint]), [['missing', null]])
  assert.ok((await listEvents(database.db, { certificateId: spoilt.id }, 10)).some((e) => e.kind === 'installation.unreadable' && e.error?.code))
  assert.equal((await all()).length, 2)
})

testOnDatabases('certificates with names that no database likes', async (t, database) => {
  const { w, scan, all } = await setUp(t, database)
  const { certificateFor } = await import('./hostile-certificate-testing.ts')
  const subjects = ['a\u0000b', 'x'.repeat(20_000), Array.from({ length: 3000 }, (_, i) => String.fromCodePoint(0x4e00 + ((i * 7919) % 20_000))).join(''), '%_\\\'"; drop table certificate; --', '']
  await scan(subjects.map((cn, i) => slotOf(`h${i}`, certificateFor(cn), w.now())))
  const found = await all()
  assert.equal(found.length, subjects.length)
  for (const { name } of found) assert.ok(name.length <= 255)
})

testOnDatabases('a target is recognised by its place whatever its other fields say', async (t, database) => {
  const { w, bot, pemFor, scan, the } = await setUp(t, database)
  const pem = await pemFor('f.example')
  await scan([slotOf('f.example', pem, w.now())])
  const { id } = await the('f.example')
  await w.save(id, await w.configurationWith([{ botId: bot.id, serverType: 'nginx', fields: { ...place('f.example'), binaryPath: '/usr/sbin/nginx', proofSeconds: 30 } }]))
  const [target] = (await the('f.example')).configuration?.targets ?? []
  await w.save(id, await w.configurationWith([w.target(bot, 'other'), w.target(bot, 'f.example')]))
  const saved = (await the('f.example')).configuration?.targets ?? []
  assert.equal(saved[1]?.id, target?.id, 'it keeps its id, wherever it stands')
  assert.equal((await the('f.example')).suggestions.length, 1)
})
