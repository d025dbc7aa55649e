import type { DeployResult } from '@certloop/contract'
import type { DriverContext, Host } from '@certloop/plugin-kit'
import { overlaid } from '@certloop/plugin-kit/conformance'
import { eventually, freePort, jettyBase, jettyLeftOut, runProcess, selfSignedPair, startJetty } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod, chown, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertDeployed, context, deployer, driverOf, planMaterial, stepKinds } from '../kit/kit.ts'
import { detectAt, seen, seenAt, slotOf, storePassword, withStore } from './jetty-kit.ts'
import { keptConnection } from './kept-connection.ts'

const debian = await jettyLeftOut('debian')
const twelve = await jettyLeftOut('jetty-home-12')
const ten = await jettyLeftOut('jetty-home-10')

const assertRolledBack = (result: DeployResult, code: string) => assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', code], JSON.stringify(result.log.map(({ message }) => message)))

test('ssl-reload on 9.4: each entry by its names, RSA beside ECDSA, a new entry; connections and the other base live on', { skip: debian }, async (t) => {
  const [one, rsa, two, oneNext, rsaNext, third] = await Promise.all([selfSignedPair(['one.test']), selfSignedPair(['one.test'], 'rsa'), selfSignedPair(['two.test']), selfSignedPair(['one.test', 'www.one.test']), selfSignedPair(['one.test'], 'rsa'), selfSignedPair(['third.test'])])
  const [jetty, other] = await Promise.all([
    startJetty(t, { release: 'debian', settings: withStore({ One: one, rsa, two }) }),
    startJetty(t, { release: ten === false ? 'jetty-home-10' : 'debian', settings: withStore({ one }, { name: 'store.jks', format: 'jks', keyPassword: 'of the key' }) }),
  ])
  const server = await detectAt(jetty.base)
  assert.deepEqual([server.problem, server.version?.split('.')[0]], [null, '9'])
  assert.deepEqual(server.slots.map((slot) => [slot.fields['alias'], seen(slot)]), [['One', { 'one.test ec': one.fingerprint }], ['rsa', { 'one.test rsa': rsa.fingerprint }], ['two', { 'two.test': two.fingerprint }]])
  const ask = await keptConnection(t, jetty.port, 'one.test')
  assert.equal(await ask(), false)

  const { plan, deploy } = await deployer(t, 'jetty')
  const { fields } = slotOf(server, 'One')
  assert.deepEqual(stepKinds(await plan(fields, oneNext)), ['keystore-entry', 'prove'])
  assertDeployed(await deploy({ ...fields, alias: 'one' }, oneNext))
  assert.equal(await ask(), true, 'the connection of before goes on')
  assertDeployed(await deploy(slotOf(server, 'rsa').fields, rsaNext))
  assertDeployed(await deploy({ ...fields, alias: 'third', newEntry: true }, third))
  await assert.rejects(plan({ ...fields, alias: 'fourth', newEntry: true }, third), { code: 'PLAN_FAILED', message: /other entries have the same names/ })
  const after = await detectAt(jetty.base)
  assert.deepEqual(after.slots.map((slot) => [slot.fields['alias'], seen(slot)]), [
    ['One', { 'one.test ec': oneNext.fingerprint, 'www.one.test': oneNext.fingerprint }], ['rsa', { 'one.test rsa': rsaNext.fingerprint }], ['two', { 'two.test': two.fingerprint }], ['third', { 'third.test': third.fingerprint }],
  ])
  assert.match(await readFile(jetty.iniPath, 'utf8'), /^# Kept by hand: comments stay\.$/m)

  const beside = slotOf(await detectAt(other.base), 'one')
  assert.deepEqual([beside.installedPem, seen(beside)], [one.certPem, { '-': one.fingerprint, 'one.test': one.fingerprint }])
  assertDeployed(await deploy(beside.fields, oneNext))
  assert.deepEqual(await seenAt(other, 'one'), { '-': oneNext.fingerprint, 'one.test': oneNext.fingerprint, 'www.one.test': oneNext.fingerprint })
})

test('a key that Jetty can not serve is rolled back; passwords that only the target has; a keystore that its account can not read', { skip: debian }, async (t) => {
  const [old, next, rsa] = await Promise.all([selfSignedPair(['shop.test']), selfSignedPair(['shop.test']), selfSignedPair(['shop.test'], 'rsa')])
  const settings = async (base: string) => {
    const only = (what: string, value: string) => `<Set name="${what}"><Array type="String"><Item>${value}</Item></Array></Set>`
    await writeFile(join(base, 'etc', 'ecdsa.xml'), `<!DOCTYPE Configure PUBLIC "-//Jetty//Configure//EN" "https://jetty.org/configure_10_0.dtd"><Configure id="sslContextFactory" class="org.eclipse.jetty.util.ssl.SslContextFactory$Server">${only('IncludeProtocols', 'TLSv1.2')}${only('IncludeCipherSuites', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256')}</Configure>`)
    return withStore({ shop: old }, { more: ['etc/ecdsa.xml'] })(base)
  }
  const jetty = await startJetty(t, { release: twelve === false ? 'jetty-home-12' : 'debian', settings })
  const store = join(jetty.base, 'etc', 'keystore.p12')
  const { fields } = slotOf(await detectAt(jetty.base), 'shop')
  const { plan, deploy } = await deployer(t, 'jetty')
  const before = await readFile(store)
  assertRolledBack(await deploy({ ...fields, proofSeconds: 1 }, rsa), 'PROOF_NO_ANSWER')
  assert.ok(before.equals(await readFile(store)))
  assert.deepEqual(await seenAt(jetty, 'shop'), { '-': old.fingerprint, 'shop.test': old.fingerprint })

  const ini = await readFile(jetty.iniPath, 'utf8')
  await writeFile(jetty.iniPath, ini.replaceAll(storePassword, 'MD5:0cc175b9c0f1b6a831c399e269772661'))
  await assert.rejects(plan(fields, next), { code: 'SERVER_CONFIGURATION_UNREADABLE', message: /MD5:/ })
  assertDeployed(await deploy({ ...fields, keystorePassword: storePassword, keyPassword: storePassword }, next))
})

/** This machine, where `pid` lies in shop.service, the main process of which is `mainPid`, and has these further groups. */
function withUnit(pid: number, mainPid: number, groups = ''): DriverContext {
  const host: Host = overlaid(context.host, {
    processes: async () => (await context.host.processes()).map((entry) => (entry.pid === pid ? { ...entry, service: 'shop.service' } : entry)),
    run: async (argv, options) => (argv[0] === 'systemctl' ? { exitCode: 0, stdout: `MainPID=${mainPid}\n`, stderr: '', truncated: false, durationMs: 1 } : context.host.run(argv, options)),
    readFile: async (file, limit) => {
      const content = await context.host.readFile(file, limit)
      return file === `/proc/${pid}/status` ? Buffer.from(Buffer.from(content ?? []).toString('latin1').replace(/^Groups:.*$/m, `Groups:\t${groups}`)) : content
    },
  })
  return { ...context, host }
}

/** A second connector with an SslContextFactory of its own for the keystore of the first. */
const secondConnector = (store: string, port: number) => `<!DOCTYPE Configure PUBLIC "-//Jetty//Configure//EN" "https://jetty.org/configure_10_0.dtd"><Configure id="Server" class="org.eclipse.jetty.server.Server">
  <New id="secondContext" class="org.eclipse.jetty.util.ssl.SslContextFactory$Server"><Set name="KeyStorePath">${store}</Set><Set name="KeyStorePassword">${storePassword}</Set></New>
  <Call name="addConnector"><Arg><New class="org.eclipse.jetty.server.ServerConnector"><Arg><Ref refid="Server"/></Arg><Arg><Ref refid="secondContext"/></Arg><Set name="host">127.0.0.1</Set><Set name="port">${port}</Set></New></Arg></Call></Configure>`

test('a second connector with the same keystore, which ssl-reload does not watch, is proven too and keeps Jetty from being left to itself', { skip: debian }, async (t) => {
  const [old, next, port] = await Promise.all([selfSignedPair(['shop.test']), selfSignedPair(['shop.test']), freePort()])
  const settings = async (base: string) => {
    await writeFile(join(base, 'etc', 'second.xml'), secondConnector(join(base, 'etc', 'keystore.p12'), port))
    return withStore({ shop: old }, { more: ['etc/second.xml'] })(base)
  }
  const jetty = await startJetty(t, { release: 'debian', settings })
  const server = await detectAt(jetty.base)
  assert.deepEqual([server.problem, server.slots.length], [null, 1])
  const { fields, served } = slotOf(server, 'shop')
  assert.deepEqual(served.map(({ endpoint, fingerprint }) => [endpoint.port, endpoint.serverName, fingerprint]), [jetty.port, port].flatMap((each) => [[each, null, old.fingerprint], [each, 'shop.test', old.fingerprint]]))
  const { plan } = await deployer(t, 'jetty')
  for (const activation of ['auto', 'reload']) await assert.rejects(plan({ ...fields, activation }, next), { code: 'PLAN_FAILED', message: /ssl-reload is not on/ })
  const { steps } = await plan({ ...fields, activation: 'command', restartCommand: ['/bin/true'] }, next)
  assert.deepEqual(steps.flatMap((step) => (step.kind === 'prove' ? step.endpoints.map(({ endpoint }) => endpoint.port) : [])), [jetty.port, jetty.port, port, port])
})

/** A script as operators have it beside Debian's jetty.sh. */
async function ownScript(base: string, home: string): Promise<string> {
  const script = join(base, 'service.sh')
  await writeFile(script, [
    '#!/bin/sh', `export JETTY_HOME=${home} JETTY_BASE=${base} JETTY_RUN=${base} JETTY_PID=${base}/pid JETTY_STATE=${base}/state TMPDIR=${base} JAVA_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData -Xmx128m"`,
    `if [ -e ${base}/failing ]; then rm ${base}/failing; ${home}/bin/jetty.sh stop; exit 3; fi`, `exec ${home}/bin/jetty.sh "$@" > ${base}/service.log 2>&1`, '',
  ].join('\n'))
  await chmod(script, 0o755)
  return script
}

test("Debian's Jetty without ssl-reload: restarted by its own script as its account; a restart that fails is undone", { skip: debian || (process.getuid?.() === 0 ? false : 'needs root, to start Jetty as another account') }, async (t) => {
  const [old, next] = await Promise.all([selfSignedPair(['shop.test'], 'rsa'), selfSignedPair(['shop.test'], 'rsa')])
  const account = { uid: 65534, gid: 65534 }
  const { base, home } = await jettyBase(t, { release: 'debian', modules: ['https'], settings: withStore({ shop: old }, { name: 'keystore', format: 'jks', keyPassword: 'of the key' }) })
  const script = await ownScript(base, home)
  const store = join(base, 'etc', 'keystore')
  for (const file of [base, join(base, 'etc'), join(base, 'start.d'), store]) await chown(file, account.uid, account.gid)
  try {
    const started = await runProcess(t, [script, 'start'], account)
    assert.equal(started.code, 0, started.stdout + started.stderr)
    const server = await eventually(async () => { const found = await detectAt(base); return seen(slotOf(found, 'shop'))['-'] === old.fingerprint && found }, { what: 'Jetty serving' })
    const { fields } = slotOf(server, 'shop')
    const { plan, deploy } = await deployer(t, 'jetty')
    await assert.rejects(plan(fields, next), { code: 'PLAN_FAILED', message: /ssl-reload is not on/ })

    const withCommand = { ...fields, activation: 'command', restartCommand: [script, 'restart'] }
    const planned = await plan(withCommand, next)
    assert.deepEqual(planned.steps.flatMap((step) => (step.kind === 'reload-service' ? [step.script, step.runAs] : [])), [true, account])
    await writeFile(join(base, 'failing'), '')
    const failed = await deploy(withCommand, next, planned)
    assertRolledBack(failed, 'RELOAD_FAILED')
    assert.deepEqual(await seenAt({ base }, 'shop'), { '-': old.fingerprint, 'shop.test': old.fingerprint })

    assertDeployed(await deploy(withCommand, next))
    assert.deepEqual(await seenAt({ base }, 'shop'), { '-': next.fingerprint, 'shop.test': next.fingerprint })
    assert.deepEqual([(await stat(store)).uid, (await stat(store)).mode & 0o777], [account.uid, 0o600])

    const [driver, material] = [await driverOf('jetty'), planMaterial(old)]
    const { pid } = (await detectAt(base)).process
    const restarts = async (at: DriverContext) => (await driver.plan(at, { ...fields, sudo: true }, material)).steps.flatMap((step) => (step.kind === 'reload-service' ? [[step.argv, step.start, step.runAs]] : []))
    assert.deepEqual(await restarts(withUnit(pid, pid)), [[['sudo', '-n', 'systemctl', 'restart', 'shop.service'], ['sudo', '-n', 'systemctl', 'start', 'shop.service'], undefined]])
    await assert.rejects(restarts(withUnit(pid, pid + 1)), { code: 'PLAN_FAILED', message: /no systemd unit of its own/ })

    await chown(store, 0, 64_123)
    await chmod(store, 0o640)
    await assert.rejects(plan(withCommand, old), { code: 'PLAN_FAILED', message: /can not be read by it/ })
    const member = withUnit(pid, pid, '64123')
    await assert.rejects(driver.plan(member, withCommand, material), { code: 'PLAN_FAILED', message: /only through a further group.*it would stay down/ })
    for (const other of [{ ...withCommand, restartAs: 'bot' }, fields]) assert.deepEqual(stepKinds(await driver.plan(member, other, material)), ['keystore-entry', 'reload-service', 'prove'])
  } finally {
    await runProcess(t, [script, 'stop'], account)
  }
})
