import type { DetectedServer } from '@certloop/contract'
import { leftOut, type RunningWeblogic, selfSignedPair, startWeblogic, type TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { storePassword, writeStore } from '../jetty/jetty-kit.ts'
import { keptConnection } from '../jetty/kept-connection.ts'
import { assertDeployed, becomes, context, deployer, detect, driverOf, planMaterial, servedAt, stepKinds } from '../kit/kit.ts'
import { adminServer, channelXml, keyPassword, overRest, passphrases, serverXml, slotOf } from './weblogic-kit.ts'

const skip = leftOut('openssl')
const account = { uid: 65534, gid: 65534 }
const found = (weblogic: RunningWeblogic, name: string): Promise<DetectedServer> => detect('weblogic', `${weblogic.domain} ${name}`)

const auth = { authorization: `Basic ${Buffer.from(`${overRest.managementUser}:${overRest.managementPassword}`).toString('base64')}`, 'x-requested-by': 'console', 'content-type': 'application/json' }
/** What somebody does at the console meanwhile. */
async function console(port: number | undefined, path: string, body: unknown): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/management/weblogic/latest/edit/${path}`, { method: 'POST', headers: auth, body: JSON.stringify(body) })
  assert.equal(answer.status, 200, await answer.text())
}

/** Two servers with one entry between them; the managed one has a channel with a keystore of its own. */
function startShop(t: TestContext, { shared, own, spare }: Record<'shared' | 'own' | 'spare', TestPair>): Promise<RunningWeblogic> {
  const nameOfLoopback = '127.1' // no IP address as it is written: only the sockets show which one it means
  return startWeblogic(t, { portCount: 5, servers: ['AdminServer', 'shop1'], config: async (place) => {
    await writeStore(join(place.domain, 'security', 'identity.jks'), { WWW: shared, spare }, { format: 'jks', keyPassword })
    await writeStore(join(place.domain, 'security', 'api.p12'), { other: spare, api: own })
    const identity = `<custom-identity-key-store-file-name>security/api.p12</custom-identity-key-store-file-name><custom-identity-key-store-pass-phrase-encrypted>${place.encrypt(storePassword)}</custom-identity-key-store-pass-phrase-encrypted>
      <custom-private-key-alias>api</custom-private-key-alias><custom-private-key-pass-phrase-encrypted>${place.encrypt(storePassword)}</custom-private-key-pass-phrase-encrypted>`
    return `${serverXml('AdminServer', place, { plain: 0, ssl: 1, file: 'security/identity.jks' })}
      ${serverXml('shop1', place, { plain: 2, ssl: 3, file: join(place.domain, 'security', 'identity.jks'), alias: 'WWW', address: nameOfLoopback, more: channelXml('api', place.ports[4], { identity }) })}${adminServer}`
  } })
}

test('a domain with an administration server and a managed one', { skip }, async (t) => {
  const [shared, own, sharedNext, ownNext, weak, spare] = await Promise.all([
    selfSignedPair(['shop.test']), selfSignedPair(['api.test']), selfSignedPair(['shop.test']), selfSignedPair(['api.test']), selfSignedPair(['shop.test'], 'weak-rsa'), selfSignedPair(['spare.test']),
  ])
  const weblogic = await startShop(t, { shared, own, spare })
  const { ports, domain, configPath } = weblogic
  const { plan, deploy } = await deployer(t, 'weblogic')
  const configuration = await readFile(configPath, 'utf8')
  const admin = async () => found(weblogic, 'AdminServer')
  const managed = async () => found(weblogic, 'shop1')

  await t.test('both are found with their channels; of PKCS#12 nothing can be read without its passphrase', async () => {
    const [first, second] = [await admin(), await managed()]
    assert.deepEqual([first.problem, first.version, first.title], [null, '14.1.1.0.0', `WebLogic 14.1.1.0.0 administration server AdminServer (${domain})`])
    assert.match(second.title, /managed server shop1/)
    assert.deepEqual(first.slots.map((slot) => [slot.fields, slot.names, servedAt(ports, slot), slot.problem]), [
      [{ domainPath: domain, serverName: 'AdminServer', keystorePath: join(domain, 'security/identity.jks'), alias: 'www' }, ['shop.test'], { '127.0.0.1:1 -': shared.fingerprint }, null],
    ])
    assert.deepEqual(second.slots.map((slot) => [slot.fields['alias'], slot.installedPem, servedAt(ports, slot), slot.problem]), [
      ['WWW', shared.certPem, { '127.0.0.1:3 -': shared.fingerprint }, null], ['api', null, { '127.0.0.1:4 -': own.fingerprint }, null],
    ])
  })

  await t.test('an entry of two servers: both are asked, both are proven, connections go on', async () => {
    const fields = { ...slotOf(await admin(), 'www').fields, ...passphrases, ...overRest }
    const asks = await Promise.all([1, 3].map((place) => keptConnection(t, ports[place] ?? 0, 'shop.test')))
    for (const ask of asks) assert.equal(await ask(), false)
    const planned = await plan(fields, sharedNext)
    assert.deepEqual(stepKinds(planned), ['http-request', 'http-request', 'keystore-entry', 'http-request', 'http-request', 'prove'])
    assert.deepEqual(planned.steps.flatMap((step) => (step.kind === 'http-request' && step.purpose === 'activate' ? [step.url] : [])), [0, 2].map((place) => `http://127.0.0.1:${ports[place]}/management/weblogic/latest/serverRuntime/restartSSLChannels`))
    const { observedTexts } = await (await driverOf('weblogic')).plan(context, fields, planMaterial(sharedNext))
    assert.match(observedTexts[configPath] ?? '', /<!-- kept: shop1 -->[^]*<custom-identity-key-store-pass-phrase-encrypted>\*\*\*</)
    assert.doesNotMatch(JSON.stringify(observedTexts), /\{AES\}/)
    assertDeployed(await deploy(fields, sharedNext, planned))
    for (const ask of asks) assert.equal(await ask(), true, 'the connection of before goes on')
    assert.deepEqual([servedAt(ports, slotOf(await admin(), 'www')), servedAt(ports, slotOf(await managed(), 'WWW'))], [{ '127.0.0.1:1 -': sharedNext.fingerprint }, { '127.0.0.1:3 -': sharedNext.fingerprint }])
    assert.deepEqual(stepKinds(await plan({ ...slotOf(await managed(), 'WWW').fields, ...passphrases, ...overRest }, sharedNext)), ['prove'])
    assert.equal(await readFile(configPath, 'utf8'), configuration)
  })

  await t.test('a channel with a PKCS#12 keystore of its own, through the administration server', async () => {
    const fields = { ...slotOf(await managed(), 'api').fields, keystorePassword: storePassword, ...overRest, managementUrl: `http://127.0.0.1:${ports[0]}` }
    const planned = await plan(fields, ownNext)
    assert.deepEqual(planned.steps.flatMap((step) => (step.kind === 'http-request' ? [new URL(step.url).pathname] : [])), ['', '/restartSSLChannels'].map((action) => `/management/weblogic/latest/domainRuntime/serverRuntimes/shop1${action}`))
    assertDeployed(await deploy(fields, ownNext, planned))
    assert.deepEqual((await managed()).slots.map((slot) => servedAt(ports, slot)), [{ '127.0.0.1:3 -': sharedNext.fingerprint }, { '127.0.0.1:4 -': ownNext.fingerprint }])
  })

  await t.test('a pair that the server can not load closes its channels; the management still answers, and all is put back', async () => {
    const fields = { ...slotOf(await admin(), 'www').fields, ...passphrases, ...overRest, proofSeconds: 1 }
    const before = await readFile(join(domain, 'security/identity.jks'))
    const result = await deploy(fields, weak)
    assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'PROOF_NO_ANSWER'], JSON.stringify(result.log))
    assert.ok(before.equals(await readFile(join(domain, 'security/identity.jks'))))
    assert.deepEqual([servedAt(ports, slotOf(await admin(), 'www')), servedAt(ports, slotOf(await managed(), 'WWW'))], [{ '127.0.0.1:1 -': sharedNext.fingerprint }, { '127.0.0.1:3 -': sharedNext.fingerprint }])
  })

  await t.test('a lock on the configuration is in nobody\'s way; another alias in it makes a new plan necessary', async () => {
    const fields = { ...slotOf(await admin(), 'www').fields, ...passphrases, ...overRest }
    await console(ports[0], 'changeManager/startEdit', {})
    await console(ports[0], 'servers/AdminServer/SSL', { serverPrivateKeyAlias: 'spare', serverPrivateKeyPassPhrase: keyPassword })
    assertDeployed(await deploy(fields, shared))
    const planned = await plan(fields, sharedNext)
    await console(ports[0], 'changeManager/activate', {})
    const slot = slotOf(await admin(), 'spare')
    await becomes(async () => servedAt(ports, slotOf(await admin(), 'spare')), { '127.0.0.1:1 -': spare.fingerprint })
    assert.deepEqual([slot.fields['alias'], slot.names], ['spare', ['spare.test']])
    const refused = await deploy(fields, sharedNext, planned)
    assert.deepEqual([refused.outcome, refused.touched, refused.error?.code], ['failed', false, 'SLOT_NOT_FOUND'])
    assert.match(refused.error?.message ?? '', /It uses "spare"/)
    assert.equal(servedAt(ports, slotOf(await managed(), 'WWW'))['127.0.0.1:3 -'], shared.fingerprint)
  })
})

test('an administration port over TLS, another account, a command, a server with the demo identity', { skip: skip || (process.getuid?.() === 0 ? false : 'needs root, to start servers as another account') }, async (t) => {
  const [one, next] = await Promise.all([selfSignedPair(['admin.test']), selfSignedPair(['admin.test'])])
  const weblogic = await startWeblogic(t, { portCount: 5, servers: ['AdminServer', 'demo'], account, version: '12.2.1.4.0', config: async (place) => {
    await writeStore(join(place.domain, 'identity.jks'), { www: one }, { format: 'jks', keyPassword })
    return `${serverXml('AdminServer', place, { plain: 0, ssl: 1, file: 'identity.jks', more: `<administration-port>${place.ports[2]}</administration-port>` })}
      ${serverXml('demo', place, { plain: 3, file: 'identity.jks', keyStores: 'DemoIdentityAndDemoTrust', more: `<administration-port>${place.ports[4]}</administration-port>` })}${adminServer}<administration-port-enabled>true</administration-port-enabled>`
  } })
  const { ports, domain } = weblogic
  const store = join(domain, 'identity.jks')
  const { plan, deploy } = await deployer(t, 'weblogic')
  const slot = async () => slotOf(await found(weblogic, 'AdminServer'), 'www')
  const served = async () => servedAt(ports, await slot())
  const fields = { ...(await slot()).fields, ...passphrases }

  await t.test('the demo identity is reported with what to do', async () => {
    const { slots, problem } = await found(weblogic, 'demo')
    assert.deepEqual([slots, problem?.code], [[], 'PLACE_UNSUPPORTED'])
    assert.match(problem?.message ?? '', /administration \(port \d+\) shows the demo identity.*Custom Identity in the Keystores/)
    await assert.rejects(plan({ ...fields, serverName: 'demo' }, next), { code: 'PLACE_UNSUPPORTED' })
  })

  await t.test('the management is asked there, trusted by the certificate it shows', async () => {
    const planned = await plan({ ...fields, ...overRest }, next)
    const [ask] = planned.steps
    assert.deepEqual(ask?.kind === 'http-request' && [new URL(ask.url).origin, ask.pins], [`https://127.0.0.1:${ports[2]}`, [one.fingerprint, next.fingerprint]])
    assertDeployed(await deploy({ ...fields, ...overRest }, next, planned))
    assert.deepEqual(await served(), { '127.0.0.1:1 -': next.fingerprint, '127.0.0.1:2 -': next.fingerprint })
    const facts = await stat(store)
    assert.deepEqual([facts.uid, facts.gid, facts.mode & 0o777], [account.uid, account.gid, 0o600])
  })

  await t.test('a command restarts it, with the rights of its account', async () => {
    const restart = { ...fields, activation: 'command', restartCommand: ['/bin/kill', '-HUP', String(weblogic.process('AdminServer').pid)] }
    const planned = await plan(restart, one)
    assert.deepEqual(planned.steps.flatMap((step) => (step.kind === 'reload-service' ? [step.runAs, step.script] : [])), [account, true])
    assertDeployed(await deploy(restart, one, planned))
    await becomes(served, { '127.0.0.1:1 -': one.fingerprint, '127.0.0.1:2 -': one.fingerprint })
  })

  await t.test('a keystore that its account can not read is not replaced for it', async () => {
    await chmod(store, 0o070)
    await assert.rejects(plan({ ...fields, ...overRest }, next), { code: 'PLAN_FAILED', message: /runs as user 65534, and .*identity\.jks can not be read by it/ })
    await chmod(store, 0o600)
  })
})
