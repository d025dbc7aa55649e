import assert from 'node:assert/strict'
import type { BotTaskResult, DetectedServer, HostScan, SshReach } from '@certloop/contract'
import { saveScan, updateBot } from '../bot/bot-store.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { startRemoteScan } from '../discovery/remote-scan.ts'
import { makeWorld, place, scanOf, slotOf, type TestBot } from '../world-testing.ts'

const reach: SshReach = { kind: 'ssh', host: 'db1.example', port: 22, user: 'deploy', authentication: 'password', hostKey: null, privilege: 'none', jumps: [] }
const server = (changes: Partial<DetectedServer> = {}): DetectedServer => ({ serverType: 'nginx', key: '/etc/nginx/nginx.conf', title: 'nginx', version: '1', process: { pid: 1, user: 'root', command: 'nginx', service: null, container: null }, slots: [], problem: null, ...changes })

testOnDatabases('places are suggested by names, then by the names and addresses of hosts, over SSH too; best first', async (t, database) => {
  const w = await makeWorld(t, database)
  const bots = { answers: await w.addBot('answers'), named: await w.addBot('named'), addressed: await w.addBot('addressed'), listens: await w.addBot('listens'), short: await w.addBot('short'), covered: await w.addBot('covered'), far: await w.addBot('far'), other: await w.addBot('other'), revoked: await w.addBot('revoked'), scout: await w.addBot('scout', 'discovery') }
  await updateBot(database.db, bots.revoked.id, { revokedAt: w.now().toISOString() })
  const host = (hostName: string, addresses: string[] = []) => ({ hostName, os: 'Linux', osVersion: '6', arch: 'x64', addresses })
  const scanned = (bot: TestBot, changes: Partial<HostScan>) => database.transaction((tx) => saveScan(tx, bot.id, { ...scanOf([], w.now()), servers: [server()], ...changes }))
  await scanned(bots.answers, { host: host('x'), servers: [server({ slots: [slotOf('shop.example', null, w.now())] })] })
  await scanned(bots.named, { host: host('SHOP.example.'), servers: [server(), server({ serverType: 'teapot' })] })
  await scanned(bots.addressed, { host: host('y', ['127.0.0.1', '10.1.2.3', '2001:DB8:0::7%eth0']), servers: [server({ slots: [slotOf('a.other', null, w.now()), slotOf('b.other', null, w.now())] })] })
  await scanned(bots.listens, { host: host('z'), listeners: [{ address: '0.0.0.0', port: 443, pid: 1, command: null }, { address: '192.0.2.9', port: 443, pid: 1, command: null }] })
  await scanned(bots.short, { host: host('shop') })
  await scanned(bots.covered, { host: host('web7.pool.example') })
  await scanned(bots.other, { host: host('other.example', ['127.0.0.1', '10.9.9.9']) })
  for (const bot of [bots.revoked, bots.scout]) await scanned(bot, { host: host('shop.example') })

  const look = async (servers: DetectedServer[]) => {
    await database.transaction((tx, wake) => startRemoteScan(tx, wake, w.secrets, { botId: bots.far.id, requester: 'user:test', reach, secrets: { login: { password: 'hunter2' } } }, w.now()))
    bots.far.answers.set('scan-host', { ...scanOf([], w.now()), host: host('db1', ['10.5.5.5']), servers } satisfies BotTaskResult<'scan-host'>)
    await w.settle()
  }
  await look([server({ slots: [slotOf('old.shop.example', null, w.now())] })])
  w.clock.pass(60)
  await look([server({ slots: [slotOf('shop.example', null, w.now())] }), server({ serverType: 'apache', title: 'Apache' })])

  const id = await w.addCertificate(['shop.example', '10.1.2.3', '2001:db8::7', '192.0.2.9', '*.pool.example', '127.0.0.1'])
  const { suggestions } = await w.detail(id)
  assert.deepEqual(suggestions.map((s) => [s.botName, s.serverType, s.reach && s.reach !== 'local' ? s.reach.host : 'local']), [
    ['answers', 'nginx', 'local'], ['far', 'nginx', 'db1.example'], ['named', 'nginx', 'local'], ['addressed', 'nginx', 'local'], ['listens', 'nginx', 'local'], ['far', 'apache', 'db1.example'], ['short', 'nginx', 'local'], ['covered', 'nginx', 'local'],
  ])
  const by = (name: string, serverType = 'nginx') => {
    const found = suggestions.find((s) => s.botName === name && s.serverType === serverType)
    assert.ok(found, name)
    return found
  }
  assert.match(by('named').why, /^The host answers to the name shop\.example\. nginx runs there and has no place for this certificate yet\.$/)
  assert.match(by('addressed').why, /^The host has the address (10\.1\.2\.3|2001:db8::7)\./)
  assert.match(by('covered').why, /^\*\.pool\.example covers the name of the host\./)
  assert.deepEqual([by('addressed').fields, by('named').fields], [{ configurationPath: place('x').configurationPath }, {}], 'what all its places have alike, never the files of another certificate')
  assert.deepEqual([by('far').reach, by('far').fields, by('far').title], [reach, place('shop.example'), 'nginx: /etc/ssl/shop.example.crt on db1.example'])
  assert.doesNotMatch(JSON.stringify(suggestions), /hunter2|password":/)

  // A later look takes the place of the one before; a look that is forgotten suggests nothing.
  assert.deepEqual((await w.detail(await w.addCertificate(['old.shop.example']))).suggestions, [])
  await database.db.deleteFrom('remoteScan').execute()
  assert.ok(!(await w.detail(id)).suggestions.some((s) => s.botName === 'far'))
})
