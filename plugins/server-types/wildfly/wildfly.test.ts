import type { FieldNotes } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseXml } from '../shared/xml/document.ts'
import { wildflyModel } from './configuration.ts'
import { resolved } from './expressions.ts'
import { manifest } from './manifest.ts'
import { findWildflys, isDomain, readWildfly } from './process.ts'
import { redacted } from './redacted.ts'

test('expressions: properties, variables, defaults, nested; what is encrypted or unknown has no value', () => {
  const names = { properties: new Map([['a', '1'], ['b', '${a}2'], ['loop', '${loop}'], ['name', 'a']]), environment: new Map([['HOME', '/h'], ['TEST_HTTPS_PORT', '5']]) }
  const cases: [string, string | undefined][] = [
    ['plain', 'plain'], ['${a}', '1'], ['x${b}y', 'x12y'], ['${none,a:9}', '1'], ['${none:9}', '9'], ['${none:}', ''], ['${none:${a}}', '1'], ['${${name}}', '1'], ['${env.HOME}/x', '/h/x'], ['${test.https-port:1}', '5'],
    ['${none}', undefined], ['${env.NONE}', undefined], ['${loop}', undefined], ['${ENC::store:abc}', undefined], ['${VAULT::b::a::1}', undefined], ['${none:http://x:1}', 'http://x:1'],
  ]
  for (const [text, value] of cases) assert.equal(resolved(text, names), value, text)
})

const processOf = (args: string[], more: Partial<HostProcess> = {}): HostProcess => ({ pid: 7, parentPid: 1, uid: 0, gid: 0, user: 'root', executable: '/opt/jdk/bin/java', name: 'java', argv: ['java', ...args], workingDirectory: '/', service: null, container: null, ...more })
const noFiles = { readFile: async () => undefined } as unknown as Host

test('where a server lies and which file it reads', async () => {
  const read = async (...args: string[]) => {
    const found = await readWildfly(noFiles, processOf(args))
    return found && [found.home, found.base, found.configurationPath, found.properties.get('jboss.bind.address')]
  }
  const main = ['-jar', '/opt/w/jboss-modules.jar', '-mp', '/opt/w/modules', 'org.jboss.as.standalone']
  assert.deepEqual(await read(...main), ['/opt/w', '/opt/w/standalone', '/opt/w/standalone/configuration/standalone.xml', undefined])
  assert.deepEqual(await read('-D[Standalone]', '-Djboss.server.base.dir=/no', ...main, '-Djboss.home.dir=/h', '-Djboss.server.base.dir=/b', '-b', '0.0.0.0', '--server-config=full.xml'), ['/h', '/b', '/b/configuration/full.xml', '0.0.0.0'])
  assert.deepEqual(await read(...main, '-c', 'ha.xml', '-b=::1', '-Djboss.server.config.dir=/c'), ['/opt/w', '/opt/w/standalone', '/c/ha.xml', '::1'])
  const [alone, controller, other] = [processOf(main), processOf(['-jar', 'jboss-modules.jar', 'org.jboss.as.host-controller']), processOf(['org.jboss.as.process-controller'])]
  assert.deepEqual(findWildflys([alone, controller, other]).map(isDomain), [false, true])
})

test('properties come from files too, the later over the earlier; one that can not be read is told', async () => {
  const host = { readFile: async (file: string) => (file === '/srv/more.properties' ? Buffer.from('jboss.bind.address = 10.0.0.1\na=file\nb=file') : undefined) } as unknown as Host
  const read = async (...args: string[]) => readWildfly(host, processOf(['-Da=jvm', '-jar', '/opt/w/jboss-modules.jar', 'org.jboss.as.standalone', ...args], { workingDirectory: '/srv' }))
  for (const given of [['-P', 'more.properties'], ['-P=more.properties'], ['--properties', '/srv/more.properties'], ['--properties=file:/srv/more.properties']]) {
    const found = await read('-b', '0.0.0.0', ...given, '-Db=later')
    assert.deepEqual([found?.unreadable, ...['jboss.bind.address', 'a', 'b'].map((name) => found?.properties.get(name))], [null, '10.0.0.1', 'file', 'later'], given.join(' '))
  }
  assert.equal((await read('-P', 'http://elsewhere.test/p'))?.unreadable, 'http://elsewhere.test/p')
  assert.deepEqual([(await read('-server-config', 'x.xml', '--debug'))?.configurationPath], ['/opt/w/standalone/configuration/x.xml'])
})

test('the management password is bound to the server and the user that it is for; those of keystores are sent nowhere', () => {
  const properties = manifest.fields.properties as unknown as Record<string, { 'x-field'?: FieldNotes }>
  const sentTo = Object.entries(properties).flatMap(([name, { 'x-field': notes }]) => (notes?.kind === 'secret' ? [[name, notes.sentTo]] : []))
  assert.deepEqual(sentTo, [['keystorePassword', undefined], ['keyPassword', undefined], ['managementPassword', ['basePath', 'managementUser']]])
})

const document = (parts: { tls?: string; undertow?: string; management?: string; more?: string }) => parseXml(`<server xmlns="urn:x">
  <system-properties><property name="store.file" value="from-xml.p12"/></system-properties><paths><path name="keys" path="keys" relative-to="jboss.home.dir"/></paths>
  <management>${parts.management ?? ''}</management>
  <profile><subsystem xmlns="urn:wildfly:elytron:1.2"><tls>${parts.tls ?? ''}</tls></subsystem><subsystem xmlns="urn:jboss:domain:undertow:4.0"><server name="s">${parts.undertow ?? ''}</server></subsystem></profile>
  <interfaces><interface name="public"><inet-address value="\${jboss.bind.address:127.0.0.1}"/></interface><interface name="any"><any-address/></interface><interface name="odd"><nic name="eth0"/></interface></interfaces>
  <socket-binding-group name="g" default-interface="public" port-offset="\${offset:100}"><socket-binding name="https" port="\${p:8443}"/><socket-binding name="two" interface="any" port="9443" fixed-port="true"/><socket-binding name="three" interface="odd" port="1"/><socket-binding name="mgmt" port="9990"/></socket-binding-group></server>`)

const given = { properties: new Map([['jboss.home.dir', '/h'], ['jboss.server.config.dir', '/b/configuration'], ['p', '7443']]), environment: undefined }
const stores = `<key-stores>
  <key-store name="one"><credential-reference clear-text="\${pw:first}"/><file path="\${store.file}" relative-to="jboss.server.config.dir"/></key-store>
  <key-store name="two" alias-filter="ALL:-old"><credential-reference store="cs" alias="x"/><file path="two.jks" relative-to="keys"/></key-store><key-store name="none"><file path="x" relative-to="unknown.dir"/></key-store>
  <filtering-key-store name="only" key-store="two" alias-filter="shop,Other"/></key-stores>
  <key-managers><key-manager name="km1" key-store="one" alias-filter="NONE:+tls"><credential-reference clear-text="second"/></key-manager><key-manager name="km2" key-store="only"/><key-manager name="km3" key-store="none"/></key-managers>
  <server-ssl-contexts><server-ssl-context name="c1" key-manager="km1"/><server-ssl-context name="c2" key-manager="km2"/></server-ssl-contexts>
  <server-ssl-sni-contexts><server-ssl-sni-context name="sni" default-ssl-context="c1"><sni-mapping host="shop.test" ssl-context="c2"/></server-ssl-sni-context></server-ssl-sni-contexts>`

test('Elytron: from listeners over contexts and key managers to files, with filters and SNI', () => {
  const root = document({ tls: stores, undertow: '<https-listener name="a" socket-binding="https" ssl-context="sni"/><https-listener name="b" socket-binding="two" ssl-context="c1"/><https-listener name="c" socket-binding="three" ssl-context="c1"/><https-listener name="off" enabled="false" socket-binding="https" ssl-context="c1"/>', management: '<management-interfaces><http-interface ssl-context="c2"><socket-binding http="mgmt" https="two"/></http-interface></management-interfaces>' })
  const { stores: found, management } = wildflyModel(root, given)
  assert.deepEqual(found.map(({ name, keyStore, path, password, keyPassword }) => [name, keyStore, path, password, keyPassword]), [
    ['km1', 'one', '/b/configuration/from-xml.p12', { text: 'first' }, { text: 'second' }], ['km2', 'two', '/h/keys/two.jks', { elsewhere: 'it lies in the credential store cs' }, undefined],
  ])
  assert.deepEqual(found.map(({ listeners }) => listeners.map(({ address, port, serverName }) => `${address} ${port} ${serverName}`)), [['127.0.0.1 7543 null', '0.0.0.0 9443 null', 'null 101 null'], ['127.0.0.1 7543 shop.test', '0.0.0.0 9443 null']])
  assert.deepEqual(['shop', 'OTHER', 'old', 'more'].map((alias) => found[1]?.takes?.(alias)), [true, true, false, false])
  assert.deepEqual(['TLS', 'more'].map((alias) => found[0]?.takes?.(alias)), [true, false])
  assert.deepEqual(management, { address: '127.0.0.1', port: 10_090, tls: false })
})

test('security realms: the keystore of the server identity, for listeners that name the realm', () => {
  const root = document({
    undertow: '<https-listener name="a" socket-binding="https" security-realm="Web"/>',
    management: '<security-realms><security-realm name="Web"><server-identities><ssl><keystore path="web.jks" relative-to="jboss.server.config.dir" keystore-password="pw" alias="Shop" key-password="kp"/></ssl></server-identities></security-realm></security-realms>',
  })
  const [store, ...more] = wildflyModel(root, given).stores
  assert.ok(store && more.length === 0)
  assert.deepEqual([store.kind, store.path, store.password, store.keyPassword, store.takes?.('shop'), store.takes?.('x'), store.listeners.length], ['realm', '/b/configuration/web.jks', { text: 'pw' }, { text: 'kp' }, true, false, 1])
  assert.equal(wildflyModel(root, given).management, null)
})

test('passwords are taken out of what is kept of a configuration', () => {
  const out = redacted(`<credential-reference clear-text="hidden1"/><keystore keystore-password='hidden2' key-password = "hidden3" alias="shown"/><property name="db.password" value="hidden4"/><password>hidden5</password><security-key-password>hidden6</security-key-password>`)
  assert.doesNotMatch(out, /hidden/)
  assert.match(out, /alias="shown"/)
})
