import { CertloopError } from '@certloop/contract'
import type { DriverContext, Host, HostProcess } from '@certloop/plugin-kit'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseXml } from '../shared/xml/document.ts'
import { activationOf, type ActivationInput } from './activation.ts'
import { serverModel } from './configuration.ts'
import { driver } from './driver.ts'
import { endpointsOf, locator } from './endpoints.ts'
import { manifest } from './manifest.ts'
import { findWeblogics, readWeblogic } from './process.ts'
import { redacted } from './redacted.ts'

const processOf = (args: string[], more: Partial<HostProcess> = {}): HostProcess => ({ pid: 7, parentPid: 1, uid: 0, gid: 0, user: 'root', executable: '/opt/jdk/bin/java', name: 'java', argv: ['java', ...args], workingDirectory: '/d/one', service: null, container: null, ...more })

/** Only what the driver asks for here counts: real processes and files are in the tests with the simulator. */
const hostWith = (files: Record<string, string>, processes: HostProcess[] = [], more: Partial<Host> = {}): Host => ({
  readFile: async (file: string) => (files[file] === undefined ? undefined : Buffer.from(files[file])), stat: async (file: string) => (files[file] === undefined ? undefined : { type: 'file' }),
  realPath: async (file: string) => file, processes: async () => processes, listeners: async () => [], ...more,
}) as unknown as Host
const contextOf = (host: Host): DriverContext => ({ host, probe: async (endpoint) => ({ endpoint, fingerprint: null, error: 'nothing', at: '2026-01-01T00:00:00Z' }) })

test('where a domain lies: said on the command line, else the working folder, else the variable', async () => {
  const read = async (args: string[], environment = '', workingDirectory = '/d/one') => {
    const host = hostWith({ '/d/one/config/config.xml': '', '/d/two/config/config.xml': '', '/proc/7/environ': environment })
    const found = await readWeblogic(host, processOf([...args, 'weblogic.Server'], { workingDirectory }))
    return found && [found.name, found.domain, found.startFolder]
  }
  assert.deepEqual(await read(['-Dweblogic.Name=a']), ['a', '/d/one', '/d/one'])
  assert.deepEqual(await read(['-Dweblogic.Name=a', '-Ddomain.home=/d/two']), ['a', '/d/two', '/d/one'])
  assert.deepEqual(await read(['-Dweblogic.RootDirectory=two'], '', '/d'), [undefined, '/d/two', '/d'])
  assert.deepEqual(await read([], 'DOMAIN_HOME=/d/two\0', '/'), [undefined, '/d/two', '/'])
  assert.equal(await read([], 'DOMAIN_HOME=/none\0', '/'), undefined)
  const linked = hostWith({ '/live/config/config.xml': '' }, [], { realPath: async (file) => file.replace(/^\/live/, '/d/one') })
  assert.equal((await readWeblogic(linked, processOf(['-Ddomain.home=/live', 'weblogic.Server'])))?.domain, '/d/one')
  assert.deepEqual(findWeblogics([processOf(['weblogic.Server']), processOf(['weblogic.NodeManager']), processOf(['weblogic.Deployer'])]).map(({ argv }) => argv[1]), ['weblogic.Server', 'weblogic.NodeManager'])
})

const custom = '<key-stores>CustomIdentityAndJavaStandardTrust</key-stores><custom-identity-key-store-file-name>keys/id.jks</custom-identity-key-store-file-name>'
const modelOf = (server: string, domain = '') => serverModel(parseXml(`<domain xmlns="http://xmlns.oracle.com/weblogic/domain"><domain-version>14.1.1.0.0</domain-version><server><name>s</name>${server}</server>${domain}</domain>`), 's', '/d')

test('which identity each channel shows, and which are not to be replaced', () => {
  const ssl = '<ssl><enabled>true</enabled><listen-port>7443</listen-port><server-private-key-alias>www</server-private-key-alias></ssl>'
  const point = (name: string, more: string) => `<network-access-point><name>${name}</name>${more}</network-access-point>`
  const model = modelOf(`${custom}${ssl}<listen-address xsi:nil="true"/>
    ${point('a', '<protocol>https</protocol><listen-port>1</listen-port><listen-address>10.0.0.1</listen-address>')}${point('off', '<protocol>https</protocol><listen-port>2</listen-port><enabled>false</enabled>')}${point('clear', '<protocol>t3</protocol><listen-port>3</listen-port>')}
    ${point('own', '<protocol>t3s</protocol><listen-port>4</listen-port><channel-identity-customized>true</channel-identity-customized><custom-private-key-alias>other</custom-private-key-alias>')}
    ${point('store', '<protocol>https</protocol><listen-port>5</listen-port><channel-identity-customized>true</channel-identity-customized><custom-private-key-alias>www</custom-private-key-alias><custom-identity-key-store-file-name>/k/c.p12</custom-identity-key-store-file-name>')}
    ${point('kss', '<protocol>https</protocol><listen-port>6</listen-port><channel-identity-customized>true</channel-identity-customized><custom-private-key-alias>www</custom-private-key-alias><custom-identity-key-store-file-name>kss://system/x</custom-identity-key-store-file-name>')}
    ${point('none', '<protocol>https</protocol><listen-port>8</listen-port><channel-identity-customized>true</channel-identity-customized>')}`, '<administration-port-enabled>true</administration-port-enabled>')
  assert.deepEqual(model?.identities.map(({ keystorePath, alias, channels }) => [keystorePath, alias, channels.map(({ name, address, port }) => `${name} ${address}:${port}`)]), [
    ['/d/keys/id.jks', 'www', ['SSL :7443', 'administration :9002', 'channel a 10.0.0.1:1', 'channel none :8']], ['/d/keys/id.jks', 'other', ['channel own :4']], ['/k/c.p12', 'www', ['channel store :5']],
  ])
  assert.deepEqual(model?.unsupported, ['channel kss (port 6) takes its identity from kss://system/x of the Keystore Service, which is no file'])
  assert.deepEqual([model?.plain?.port, model?.ssl?.port, model?.administration?.port, model?.version], [7001, 7443, 9002, '14.1.1.0.0'])
})

const secured = '<security-configuration><secure-mode><secure-mode-enabled>true</secure-mode-enabled></secure-mode></security-configuration>'

test('defaults: no TLS, the demo identity, and the other way round in secured production mode', () => {
  const portsOf = (...parts: Parameters<typeof modelOf>) => { const { plain, ssl, administration } = modelOf(...parts) ?? {}; return [plain, ssl, administration].map((channel) => channel?.port) }
  assert.deepEqual([portsOf(''), modelOf('')?.unsupported], [[7001, undefined, undefined], []])
  assert.deepEqual(portsOf(`${custom}<administration-port>9010</administration-port>`, secured), [undefined, 7002, 9010])
  const reasons = (server: string) => String(modelOf(server)?.unsupported)
  const on = '<ssl><enabled>true</enabled></ssl>'
  assert.match(reasons(on), /^SSL \(port 7002\) shows the demo identity/)
  assert.match(reasons(`${custom}${on}`), /^SSL \(port 7002\) has no private key alias$/)
  assert.match(reasons(`${custom}${on.replace('</ssl>', '<identity-and-trust-locations>FilesOrKeyStoreProviders</identity-and-trust-locations></ssl>')}`), /by FilesOrKeyStoreProviders/)
  assert.match(reasons('<server-template>t</server-template>'), /server template/)
})

test('where a channel is looked at: all addresses, names by the sockets of the process, never another channel', async () => {
  const point = (name: string, address: string, port: number) => `<network-access-point><name>${name}</name><protocol>https</protocol><listen-address>${address}</listen-address><listen-port>${port}</listen-port></network-access-point>`
  const found = await readWeblogic(hostWith({ '/d/one/config/config.xml': '' }), processOf(['weblogic.Server']))
  const model = modelOf(`${custom}<ssl><enabled>true</enabled><server-private-key-alias>www</server-private-key-alias></ssl>${point('a', '127.0.0.1', 7002)}${point('b', 'inside.example', 1)}${point('c', 'outside.example', 2)}`)
  assert.ok(found && model)
  const sockets = [{ address: '::1', port: 1 }, { address: '10.0.0.9', port: 1 }, { address: '10.0.0.8', port: 2 }].map((socket, i) => ({ ...socket, pid: i === 2 ? 99 : 7, inode: String(i) }))
  const locate = await locator(hostWith({}, [], { listeners: async () => sockets }), [{ process: found, model }])
  const { endpoints, reason } = endpointsOf([{ process: found, model }], { keystorePath: '/d/keys/id.jks', alias: 'WWW' }, locate)
  assert.deepEqual(endpoints.map(({ address, port }) => `${address}:${port}`), ['127.0.0.2:7002', '127.0.0.1:7002', '10.0.0.9:1'])
  assert.equal(reason, 'where channel c listens can not be told from "outside.example" and port 2')
})

test('texts that are kept have no encrypted values', () => {
  assert.equal(redacted('<a><credential-encrypted>{AES}ab+/=</credential-encrypted><x y="{AES256}q==" /><node-manager-password>plain</node-manager-password><name>n</name></a>'), '<a><credential-encrypted>***</credential-encrypted><x y="***" /><node-manager-password>***</node-manager-password><name>n</name></a>')
})

test('what can not be deployed to is reported: containers, Node Manager, dynamic servers', async () => {
  const problemsOf = async (process: HostProcess, files = {}) => (await driver.detect(contextOf(hostWith(files, [process])))).map(({ key, problem }) => `${key}: ${problem?.code} ${problem?.message}`).join()
  assert.match(await problemsOf(processOf(['weblogic.Server'], { container: 'abc' })), /^container abc 7: PLACE_UNSUPPORTED .*Run a bot in the container/)
  assert.match(await problemsOf(processOf(['weblogic.NodeManager'])), /^node manager \/d\/one: PLACE_UNSUPPORTED .*nodemanager\.properties/)
  assert.match(await problemsOf(processOf(['-Dweblogic.Name=dyn2', 'weblogic.Server']), { '/d/one/config/config.xml': '<domain><server><name>s</name></server></domain>' }), /PLACE_UNSUPPORTED .*no server dyn2: it is a dynamic server/)
  assert.match(await problemsOf(processOf(['weblogic.Server'])), /SERVER_CONFIGURATION_UNREADABLE/)
})

test('the unit is the one whose process started the server, never that of Node Manager or of a shell', async () => {
  const server = processOf(['weblogic.Server'], { pid: 30, parentPid: 20, service: 'shop.service' })
  const script = processOf([], { pid: 20, parentPid: 1, executable: '/usr/bin/dash', name: 'startWebLogic.s', argv: ['/bin/sh', 'startWebLogic.sh'], service: 'shop.service' })
  const planned = async (processes: HostProcess[], mainPid: number, sudo = false) => {
    const host = hostWith({}, processes, { run: async () => ({ exitCode: 0, stdout: `MainPID=${mainPid}\n`, stderr: '', truncated: false, durationMs: 1 }) })
    const found = await readWeblogic(hostWith({ '/d/one/config/config.xml': '' }), server)
    const model = modelOf('')
    assert.ok(found && model)
    const input: Partial<ActivationInput> = { context: contextOf(host), servers: [{ process: found, model }], fields: { domainPath: '/d/one', serverName: 's', keystorePath: '/k', alias: 'a', sudo } }
    return activationOf(input as ActivationInput).catch((error: unknown) => (error instanceof CertloopError ? error.message : String(error)))
  }
  const argvOf = (made: Awaited<ReturnType<typeof planned>>) => (typeof made === 'string' ? made : made.steps.map((step) => ('argv' in step ? step.argv.join(' ') : '')).join())
  assert.equal(argvOf(await planned([server, script], 20)), 'systemctl restart shop.service')
  assert.equal(argvOf(await planned([server, script], 30, true)), 'sudo -n systemctl restart shop.service')
  assert.match(argvOf(await planned([server, script], 99)), /not started by a systemd unit of its own/)
  for (const other of [{ executable: '/usr/sbin/cron', argv: ['/usr/sbin/cron', '-f'] }, { executable: '/usr/lib/systemd/systemd', argv: ['systemd', '--user'] }, { executable: '/bin/bash', argv: ['-bash'] }]) {
    assert.match(argvOf(await planned([server, { ...script, ...other }], 20)), /not started by a systemd unit of its own/)
  }
  assert.match(argvOf(await planned([server, { ...script, executable: '/opt/jdk/bin/java', argv: ['java', 'weblogic.NodeManager'] }], 20)), /started by Node Manager/)
})

test('the address of the administration server has nothing but host and port', () => {
  const problemOf = (managementUrl: string) => manifest.check?.({ domainPath: '/d', serverName: 's', keystorePath: '/k', alias: 'a', managementUrl }).map(({ field }) => field)
  for (const right of ['https://a.example:9002', 'http://127.0.0.1:7001/', 'https://[::1]:9002']) assert.deepEqual(problemOf(right), [], right)
  for (const wrong of ['a.example:9002', 'https://u:p@a.example', 'https://a.example/console', 'ftp://a', 'https://a?b']) assert.deepEqual(problemOf(wrong), ['managementUrl'], wrong)
})
