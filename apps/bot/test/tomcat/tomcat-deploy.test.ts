import type { DeployResult } from '@certloop/contract'
import { readKeystoreFile } from '@certloop/plugin-kit'
import { selfSignedPair, startTomcat, tomcatLeftOut, type TomcatPlace, type TomcatVersion } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { storePassword, writeStore } from '../jetty/jetty-kit.ts'
import { assertDeployed, deployer, stepKinds } from '../kit/kit.ts'
import { detectAt, manager, pemFiles, seen, slotOf, users, visitor } from './tomcat-kit.ts'

const skips = new Map<TomcatVersion, string | false>()
for (const version of ['9', '10', '11'] as const) skips.set(version, await tomcatLeftOut(version))
const skipOf = (version: TomcatVersion) => skips.get(version) ?? false

const assertRolledBack = (result: DeployResult, code: string) => assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', code], JSON.stringify(result.log.map(({ message }) => message), null, 1))
const store = (file: string, more = '') => `certificateKeystoreFile="${file}" certificateKeystorePassword="${storePassword}" ${more}`
const host = (name: string, ...certificates: string[]) => `<SSLHostConfig hostName="${name}">${certificates.map((one) => `<Certificate ${one} />`).join('')}</SSLHostConfig>`
const fingerprints = (pairs: Record<string, { fingerprint: string }>) => Object.fromEntries(Object.entries(pairs).map(([name, { fingerprint }]) => [name, fingerprint]))

async function pairs() {
  const [main, beside, pem, wild, rsa, ec, other, issuer, next, nextRsa] = await Promise.all([
    selfSignedPair(['main.test']), selfSignedPair(['beside.test']), selfSignedPair(['pem.test']), selfSignedPair(['*.w.test']), selfSignedPair(['dual.test'], 'rsa'), selfSignedPair(['dual.test']),
    selfSignedPair(['b.test']), selfSignedPair(['issuer.test']), selfSignedPair(['next.test']), selfSignedPair(['next.test'], 'rsa'),
  ])
  return { main, beside, pem, wild, rsa, ec, other, issuer, next, nextRsa }
}

/** Three connectors: without TLS, with many hosts, and one whose default host has a name, with its values in properties and a file. */
const manyHosts = ({ main, beside, pem, wild, rsa, ec, other, issuer }: Awaited<ReturnType<typeof pairs>>, more = '') => async ({ base, ports: [plain, many, named] }: TomcatPlace) => {
  await writeStore(join(base, 'conf/main.p12'), { main, beside })
  await writeStore(join(base, 'conf/wild.jks'), { wild }, { format: 'jks', keyPassword: 'of the key' })
  await writeStore(join(base, 'conf/both.p12'), { rsa, ec })
  await writeStore(join(base, 'conf/other.p12'), { other }, { password: 'from a file' })
  await writeFile(join(base, 'conf/password'), 'from a file\nno more\n')
  return `<Connector port="${plain}" address="127.0.0.1" /><!-- plain -->
    <Connector SSLEnabled='true' port='${many}' >
      ${host('_default_', store('conf/main.p12', 'certificateKeyAlias="main"'))}
      ${host('Shared.Test', store(`${base}/conf/main.p12`, 'certificateKeyAlias="MAIN"'))}
      ${host('beside.test', store('conf/main.p12', 'certificateKeyAlias="beside"'))}
      ${host('pem.test', await pemFiles(base, 'pem', pem, issuer.certPem))}
      ${host('*.w.test', store('${catalina.base}/conf/wild.jks', 'certificateKeyPassword="of the key"'))}
      ${host('dual.test', store('conf/both.p12', 'certificateKeyAlias="rsa" type="RSA"'), store('conf/both.p12', 'certificateKeyAlias="ec" type="EC"'))}
      ${host('first.test', store('conf/both.p12'))}
    </Connector>
    <Connector port="${named}" address="127.0.0.1" SSLEnabled="\${tls}" defaultSSLHostConfigName="b.test">
      ${host('b.test', 'certificateKeystoreFile="conf/${store:-other.p12}" certificateKeystorePasswordFile="conf/password"')}
    </Connector>${more}`
}

test('every host and type of every connector of Tomcat 11; keystores, PEM with a chain; connections live on', { skip: skipOf('11') }, async (t) => {
  const all = await pairs()
  const { main, beside, pem, wild, rsa, ec, other, issuer, next, nextRsa } = all
  const tomcat = await startTomcat(t, { version: '11', portCount: 3, users, properties: 'tls=true', connectors: manyHosts(all) })
  const xml = await readFile(tomcat.serverXmlPath, 'utf8')
  const server = await detectAt(tomcat.base)
  assert.deepEqual([server.problem, server.version], [null, '11.0.2'])
  const wanted = (all_: Record<string, Record<string, { fingerprint: string }>>) => Object.entries(all_).map(([name, pair]) => [name, fingerprints(pair)])
  const shown = async () => (await detectAt(tomcat.base)).slots.map((slot) => [`${String(slot.fields['hostName'])} ${String(slot.fields['certificateType'])}`, seen(slot)])
  const before = {
    '_default_ UNDEFINED': { '-': main }, 'shared.test UNDEFINED': { 'shared.test': main }, 'beside.test UNDEFINED': { 'beside.test': beside }, 'pem.test UNDEFINED': { 'pem.test': pem },
    '*.w.test UNDEFINED': { 'certloop-proof.w.test': wild }, 'dual.test RSA': { 'dual.test rsa': rsa }, 'dual.test EC': { 'dual.test ec': ec }, 'first.test UNDEFINED': { 'first.test': rsa },
    'b.test UNDEFINED': { 'b.test': other, '-': other },
  }
  assert.deepEqual(await shown(), wanted(before))
  assert.equal(slotOf(server, 'pem.test').installedPem, pem.certPem + issuer.certPem)
  const ask = visitor(t, tomcat.ports[1] ?? 0, 'main.test')
  assert.equal(await ask(), false)

  const { plan, deploy } = await deployer(t, 'tomcat')
  const at = (name: string) => ({ ...slotOf(server, name).fields, ...manager, proofSeconds: 10 })
  const planned = await plan(at('_default_'), next)
  assert.deepEqual(stepKinds(planned), ['keystore-entry', 'http-request', 'http-request', 'prove'])
  assert.deepEqual(planned.steps.flatMap((step) => (step.kind === 'prove' ? step.endpoints.map(({ endpoint }) => endpoint.serverName) : [])), [null, 'shared.test'], 'the host that shares the entry is named and proven')
  assertDeployed(await deploy(at('_default_'), next, planned))
  await assert.rejects(plan(at('dual.test RSA'), next), { code: 'PLAN_FAILED', message: /for keys of type RSA, and the new one has an EC key/ })
  assertDeployed(await deploy(at('dual.test RSA'), nextRsa))
  assertDeployed(await deploy(at('*.w.test'), next))
  await assert.rejects(plan(at('pem.test'), next), { code: 'PLAN_FAILED', message: /comes without intermediate certificates/ })
  assertDeployed(await deploy(at('pem.test'), { ...next, issuersPem: [issuer.certPem] }))
  assert.equal(await readFile(join(tomcat.base, 'conf/pem.crt'), 'utf8'), next.certPem)
  assertDeployed(await deploy(at('b.test'), nextRsa))
  assert.deepEqual(await shown(), wanted({
    ...before, '_default_ UNDEFINED': { '-': next }, 'shared.test UNDEFINED': { 'shared.test': next }, 'pem.test UNDEFINED': { 'pem.test': next }, '*.w.test UNDEFINED': { 'certloop-proof.w.test': next },
    'dual.test RSA': { 'dual.test rsa': nextRsa }, 'first.test UNDEFINED': { 'first.test': nextRsa }, 'b.test UNDEFINED': { 'b.test': nextRsa, '-': nextRsa },
  }))
  assert.equal(await ask(), true, 'the connection of before goes on')
  const { entries } = await readKeystoreFile(await readFile(join(tomcat.base, 'conf/main.p12')), storePassword)
  assert.deepEqual(entries.map(({ alias, chainPem }) => [alias, chainPem.join('')]), [['main', next.certPem], ['beside', beside.certPem]])
  assert.equal(await readFile(tomcat.serverXmlPath, 'utf8'), xml)
})

test('Tomcat 9 with the attributes of older versions, through its jmxproxy; a second instance is left alone', { skip: skipOf('9') }, async (t) => {
  const { main, pem, other, wild, next } = await pairs()
  const tomcat = await startTomcat(t, { version: '9', portCount: 4, users, portOffset: 10, connectors: async ({ base, ports }) => {
    await writeStore(join(base, 'conf/old.jks'), { main }, { format: 'jks' })
    await pemFiles(base, 'pem', pem)
    await writeStore(join(base, 'conf/host.p12'), { other })
    return `<Connector port="${ports[0]}" address="127.0.0.1" /><Connector port="${ports[1]}" address="127.0.0.1" SSLEnabled="true" keystoreFile="conf/old.jks" keystorePass="${storePassword}" keyAlias="main" />
      <Connector port="${ports[2]}" SSLEnabled="true" sslImplementationName="org.apache.tomcat.util.net.jsse.JSSEImplementation" SSLCertificateFile="conf/pem.crt" SSLCertificateKeyFile="conf/pem.key" />
      <Connector port="${ports[3]}" SSLEnabled="true"><SSLHostConfig ${store('conf/host.p12', 'certificateKeystoreType="PKCS12"')} /></Connector>`
  } })
  const second = await startTomcat(t, { version: '9', connectors: async ({ base, ports }) => `<Connector port="${ports[0]}" address="127.0.0.1" SSLEnabled="true">${host('_default_', await pemFiles(base, 'w', wild))}</Connector>` })
  const server = await detectAt(tomcat.base)
  assert.deepEqual([server.problem, server.version, server.slots.map(({ problem }) => problem)], [null, '9.0.98', [null, null, null]])
  const shown = async () => (await detectAt(tomcat.base)).slots.map((slot) => seen(slot)['-'])
  assert.deepEqual(await shown(), [main.fingerprint, pem.fingerprint, other.fingerprint])
  const { deploy } = await deployer(t, 'tomcat')
  for (const { fields } of server.slots) assertDeployed(await deploy({ ...fields, ...manager, activation: 'jmx-proxy' }, next))
  assert.deepEqual(await shown(), [next.fingerprint, next.fingerprint, next.fingerprint])
  assert.deepEqual(seen(slotOf(await detectAt(second.base), '_default_')), { '-': wild.fingerprint })
})

test('Tomcat 10: a new pair that it can not serve is rolled back; the manager over the connector that changes; a property source', { skip: skipOf('10') }, async (t) => {
  const { main, next, nextRsa } = await pairs()
  const tomcat = await startTomcat(t, {
    portCount: 2, users, environment: { STORE_PASSWORD: storePassword }, properties: 'org.apache.tomcat.util.digester.PROPERTY_SOURCE=org.apache.tomcat.util.digester.EnvironmentPropertySource',
    connectors: async ({ base, ports }) => {
      await writeStore(join(base, 'conf/main.p12'), { main })
      return `<Connector port="${ports[0]}" address="127.0.0.1" /><Connector port="${ports[1]}" address="127.0.0.1" SSLEnabled="true"><SSLHostConfig ciphers="TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" protocols="TLSv1.2"><Certificate certificateKeystoreFile="conf/main.p12" certificateKeystorePassword="\${STORE_PASSWORD}" /></SSLHostConfig></Connector>`
    },
  })
  const file = join(tomcat.base, 'conf/main.p12')
  const fields = { ...slotOf(await detectAt(tomcat.base), '_default_').fields, ...manager, proofSeconds: 1 }
  const { plan, deploy } = await deployer(t, 'tomcat')
  const before = await readFile(file)
  assertRolledBack(await deploy(fields, nextRsa), 'PROOF_NO_ANSWER')
  assert.ok(before.equals(await readFile(file)))
  const shown = async () => seen(slotOf(await detectAt(tomcat.base), '_default_'))
  assert.deepEqual(await shown(), { '-': main.fingerprint })
  assertDeployed(await deploy({ ...fields, managerUrl: `https://127.0.0.1:${tomcat.ports[1]}/manager/` }, next))
  assert.deepEqual(await shown(), { '-': next.fingerprint })

  const properties = join(tomcat.base, 'conf/catalina.properties')
  await writeFile(properties, (await readFile(properties, 'utf8')).replace('digester.EnvironmentPropertySource', 'digester.VaultSource'))
  await assert.rejects(plan(fields, main), { code: 'PLACE_UNSUPPORTED', message: /certificateKeystorePassword in server.xml is \$\{STORE_PASSWORD\}, which org.apache.tomcat.util.digester.VaultSource may give/ })
  assertDeployed(await deploy({ ...fields, keystorePassword: storePassword }, main))
})

test('Tomcat 10 without a manager: restarted with catalina.sh as its account; a key that it can not serve is undone', { skip: skipOf('10') }, async (t) => {
  const { main, next, nextRsa } = await pairs()
  const tomcat = await startTomcat(t, { portCount: 2, patienceMs: 3000, connectors: async ({ base, ports }) => {
    await writeStore(join(base, 'conf/main.jks'), { main }, { format: 'jks' })
    return `<Connector port="${ports[0]}" address="127.0.0.1" /><Connector port="${ports[1]}" address="127.0.0.1" SSLEnabled="true">${host('_default_', store('conf/main.jks', 'type="UNDEFINED"'))}</Connector>`
  } })
  const server = await detectAt(tomcat.base)
  const [{ fields }, { user }] = [slotOf(server, '_default_'), server.process]
  const { plan, deploy } = await deployer(t, 'tomcat')
  const pid = await tomcat.pid()
  assert.deepEqual(stepKinds(await plan(fields, next)), ['keystore-entry', 'reload-service', 'reload-service', 'prove'])
  // Somebody stays: catalina.sh stop comes back long before the ports are free.
  const guest = connect(tomcat.ports[1] ?? 0, '127.0.0.1')
  t.after(() => guest.destroy())
  await once(guest, 'connect')
  guest.resume().on('error', () => undefined)
  assertDeployed(await deploy(fields, next))
  assert.notEqual(await tomcat.pid(), pid)
  assert.equal((await detectAt(tomcat.base)).process.user, user)

  const xml = await readFile(tomcat.serverXmlPath, 'utf8')
  await writeFile(tomcat.serverXmlPath, xml.replace('<SSLHostConfig', '<SSLHostConfig protocols="TLSv1.2" ciphers="TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"'))
  assertRolledBack(await deploy({ ...fields, proofSeconds: 8 }, nextRsa), 'PROOF_NO_ANSWER')
  assert.deepEqual(seen(slotOf(await detectAt(tomcat.base), '_default_')), { '-': next.fingerprint })

  const script = join(tomcat.base, 'restart')
  await writeFile(script, '#!/bin/sh\nexit 3\n')
  await chmod(script, 0o755)
  assertRolledBack(await deploy({ ...fields, activation: 'command', restartCommand: [script] }, main), 'RELOAD_FAILED')
})

test('a Tomcat of root is not restarted with a script that others could have put there, nor one whose options would be lost', { skip: skipOf('9') || (process.getuid?.() === 0 ? false : 'needs root') }, async (t) => {
  const { main, next } = await pairs()
  const connectors = async ({ base, ports }: TomcatPlace) => `<Connector port="${ports[0]}" address="127.0.0.1" SSLEnabled="true">${host('_default_', await pemFiles(base, 'main', main))}</Connector>`
  const [ofRoot, withOptions] = await Promise.all([startTomcat(t, { version: '9', asRoot: true, connectors }), startTomcat(t, { version: '9', environment: { JAVA_OPTS: '-Dsecret=1' }, connectors })])
  const { plan } = await deployer(t, 'tomcat')
  await assert.rejects(plan(slotOf(await detectAt(ofRoot.base), '_default_').fields, next), { code: 'PROGRAM_NOT_TRUSTED', message: /catalina\.sh is not run as root: .* can be written by others than root/ })
  await assert.rejects(plan(slotOf(await detectAt(withOptions.base), '_default_').fields, next), { code: 'PLAN_FAILED', message: /started with JAVA_OPTS in its environment, which a restart by the bot would lose/ })
})
