import type { Host, HostProcess } from '@certloop/plugin-kit'
import assert from 'node:assert/strict'
import { basename, dirname } from 'node:path/posix'
import { test } from 'node:test'
import { parseXml } from '../shared/xml/document.ts'
import { plainPassword } from './password.ts'
import { findJettys, readJetty } from './process.ts'
import { redacted } from './redacted.ts'
import { readStart } from './start.ts'
import { tlsModel } from './tls-model.ts'

test('OBF: passwords, as org.eclipse.jetty.util.security.Password of 9.4 and 12 writes them', () => {
  const written = { 'storepwd': '1vny1zlo1x8e1vnw1vn61x8g1zlu1vn4', 'keypwd': '1u2u1wml1z7s1z7a1wnl1u2g', 'a': '1ri7', 'secret word': '1vny1vn61unn1z7e1fic1z0f1fei1z7o1uob1vnw1vn4', '': '', '~!@#$%^&*()_+': '1mmq1ef519xy13zu14l513zy1qbj140014lh140419wo1eil1mi4', 'pässwörd €': 'U0m98U12maU0wki1iaa1vny1z7oU12nqU103n1z7e1vn41i5oU18roU0ptvU0y28' }
  for (const [plain, text] of Object.entries(written)) assert.equal(plainPassword(`OBF:${text}`), plain)
  assert.equal(plainPassword('plain OBF:1ri7'), 'plain OBF:1ri7')
  for (const other of ['MD5:0cc175b9c0f1b6a831c399e269772661', 'CRYPT:usjRS48E8ZADM', 'OBF:1r', 'OBF:1ri7!']) {
    assert.throws(() => plainPassword(other), (error: Error) => 'code' in error && error.code === 'SERVER_CONFIGURATION_UNREADABLE' && !error.message.includes(other.slice(4)))
  }
})

const processOf = (argv: string[], more: Partial<HostProcess> = {}): HostProcess => ({ pid: 7, parentPid: 1, uid: 0, gid: 0, user: 'root', executable: '/opt/jdk/bin/java', name: 'java', argv: ['java', ...argv], workingDirectory: '/srv/base', service: null, container: null, ...more })

/** A host with these files. */
const hostWith = (files: Record<string, string>) => ({
  readFile: async (file: string) => (files[file] === undefined ? undefined : Buffer.from(files[file])),
  list: async (folder: string) => Object.keys(files).filter((file) => dirname(file) === folder).map((file) => basename(file)),
}) as unknown as Host

test('home and base are found as start.jar finds them; two virtual machines of one Jetty are one', async () => {
  const read = async (argv: string[], more?: Partial<HostProcess>) => {
    const found = await readJetty(hostWith({}), processOf(argv, more))
    return found && [found.home, found.base, ...found.arguments]
  }
  assert.deepEqual(await read(['-jar', '/opt/jetty/start.jar', 'jetty.ssl.port=1']), ['/opt/jetty', '/srv/base', 'jetty.ssl.port=1'])
  assert.deepEqual(await read(['-Djetty.home=/h', '-Djetty.base=/b/', '-jar', '../jetty/start.jar']), ['/h', '/b'])
  assert.deepEqual(await read(['-cp', 'x.jar', '-Djetty.home=/h', 'org.eclipse.jetty.xml.XmlConfiguration', '/tmp/start_123.properties', '/h/etc/jetty.xml', 'jetty.base=/b']), ['/h', '/b', '/h/etc/jetty.xml', 'jetty.base=/b'])
  assert.equal(await read(['-jar', '/opt/product/start.jar'], { workingDirectory: '' }), undefined)
  const [first, second, other] = [processOf(['-jar', 'start.jar'], { pid: 8 }), processOf(['org.eclipse.jetty.xml.XmlConfiguration'], { pid: 9, parentPid: 8 }), processOf(['org.example.Main'], { pid: 10 })]
  assert.deepEqual(findJettys([first, second, other]).map(({ pid }) => pid), [8])
})

test('ini files by name, the command line after them, modules with what they need, base before home', async () => {
  const host = hostWith({
    '/b/start.ini': '# --module=no\n--module=https\na=ini\nlist=1\nonly=${a}',
    '/b/start.d/9.ini': 'a=nine\nlist+=,3', '/b/start.d/10.ini': 'a=ten\nlist+=,2\n--modules=watch,own', '/b/start.d/no.txt': 'a=no',
    '/h/modules/https.mod': '[depend]\nssl\n[xml]\netc/https.xml', '/h/modules/ssl.mod': '[xml]\netc/ssl.xml\n[ini]\na?=module\nc?=module', '/h/modules/watch.mod': '[depend]\nssl\n[ini-template]\nd=no',
    '/b/modules/own.mod': '[xml]\n${jetty.base}/etc/own.xml\n[depend]\nthreadpool\nscheduler', '/b/modules/threadpool.mod': '[ini]\nf=base', '/h/modules/scheduler.mod': '[xml]\netc/unread.xml', '/h/etc/unread.xml': '<unread/>', '/h/etc/ssl.xml': '<home/>', '/b/etc/ssl.xml': '<base/>', '/h/etc/https.xml': '<home/>', '/b/etc/own.xml': '<own/>', '/b/more.xml': '<more/>',
  })
  const java = (await readJetty(host, processOf(['-Dd=system', '-Djetty.home=/h', '-Djetty.base=/b', '-jar', 'start.jar', 'e=line', 'more.xml', '--module=absent'])))
  assert.ok(java)
  const { properties, modules, xmls, inis } = await readStart(host, java)
  assert.deepEqual(['a', 'list', 'c', 'd', 'e', 'f', 'only'].map((name) => properties.get(name)), ['nine', '1,2,3', 'module', 'system', 'line', 'base', '${a}'])
  assert.deepEqual([...modules].toSorted(), ['absent', 'https', 'own', 'scheduler', 'ssl', 'threadpool', 'watch'])
  assert.deepEqual(xmls.map(({ path, text }) => `${path} ${text}`), ['/b/etc/ssl.xml <base/>', '/h/etc/https.xml <home/>', '/b/etc/own.xml <own/>', '/b/more.xml <more/>'])
  assert.deepEqual(inis.map(({ path }) => path), ['/b/start.ini', '/b/start.d/10.ini', '/b/start.d/9.ini'])
})

test('contexts and connectors over several files: settings, references, what can not be told', () => {
  const files = [
    '<Configure id="ctx" class="org.eclipse.jetty.util.ssl.SslContextFactory$Server"><Set name="KeyStorePath"><Property name="new"><Default><Property name="jetty.base" default="."/>/<Property name="none" deprecated="older,old" default="etc/keystore"/></Default></Property></Set><Set name="KeyStorePassword"><Call name="fetch"/></Set><Set name="CertAlias" property="alias"/><Set name="NotSet" property="nothing"/></Configure>',
    '<Configure id="Server"><Call name="addConnector"><Arg><New id="c" class="x.ServerConnector"><Set name="host"><Property name="host"/></Set><Set name="port"><SystemProperty name="port" default="8443"/></Set></New></Arg></Call><New class="x.ServerConnector"><Set name="port">1</Set></New></Configure>',
    '<Configure id="c" class="x.ServerConnector"><Call><Arg><Ref refid="ctx"/></Arg></Call></Configure>',
    '<Configure id="Server"><New class="x.KeyStoreScanner"><Arg><Ref refid="ctx"/></Arg><Set name="scanInterval"><Property name="scan" default="3"/></Set></New></Configure>',
  ]
  const model = tlsModel(files.map((text) => parseXml(text)), { properties: new Map([['jetty.base', '/b'], ['old', 'x.jks'], ['alias', 'shop']]), systemProperties: new Map([['port', '9443']]), environment: undefined })
  assert.deepEqual(model.contexts.map(({ id, values, unknown }) => [id, Object.fromEntries(values), [...unknown]]), [['ctx', { keystorepath: '/b/x.jks', certalias: 'shop' }, ['keystorepassword']]])
  assert.deepEqual(model.connectors, [{ host: undefined, port: 9443, contexts: ['ctx'] }])
  assert.deepEqual([...model.scans], [['ctx', 3]])
})

test('passwords are taken out of what is kept of a configuration', () => {
  const text = [
    'jetty.sslContext.keyStorePassword=hidden 1', '# jetty.sslContext.keyStorePassword=shown', 'x.trustStorePassword?=hidden2', '<Set name="KeyStorePassword">hidden3</Set>', '<Set name="port">80</Set>',
    '<Set name="KeyManagerPassword"><Property name="jetty.sslContext.keyManagerPassword" deprecated="old" default="hidden4"/></Set>', '<Arg>OBF:1u2u1wml</Arg>',
  ].join('\n')
  const out = redacted(text)
  assert.doesNotMatch(out, /hidden|1u2u/)
  assert.match(out, /<Set name="port">80<\/Set>/)
  assert.match(out, /# jetty\.sslContext\.keyStorePassword=shown/)
})
