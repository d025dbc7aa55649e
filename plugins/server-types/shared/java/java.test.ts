import type { Host, HostProcess } from '@certloop/plugin-kit'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { javaWords, parseJavaCommand } from './command-line.ts'
import { findJava, readJava, unitCommands, userHome } from './process.ts'
import { javaUnit } from './unit.ts'

const processOf = (more: Partial<HostProcess>): HostProcess => ({ pid: 7, parentPid: 1, uid: 994, gid: 994, user: 'tomcat', executable: '/opt/jdk/bin/java', name: 'java', argv: ['/opt/jdk/bin/java'], workingDirectory: '/srv', service: null, container: null, ...more })

/** Only the files count here: real processes are read in the tests with real servers. */
const hostWith = (files: Record<string, string>): Host => ({ readFile: async (file: string) => (files[file] === undefined ? undefined : Buffer.from(files[file])) }) as unknown as Host

test('options end at the main class; those with a value of their own are not taken for it', () => {
  const { properties, main, arguments: rest } = parseJavaCommand(['-Da=1', '-Da=2=3', '-Dempty', '-cp', '/x.jar', '--add-opens', 'java.base/java.lang=ALL-UNNAMED', '-Xmx1g', 'org.Main', 'start', '-Dnot=mine'])
  assert.deepEqual([[...properties], main, rest], [[['a', '2=3'], ['empty', '']], 'org.Main', ['start', '-Dnot=mine']])
  assert.equal(parseJavaCommand(['-jar', 'start.jar', '--module=x']).main, 'start.jar')
  assert.equal(parseJavaCommand(['--module=org.m/x.Main', 'a']).main, 'org.m/x.Main')
  assert.equal(parseJavaCommand(['-version']).main, null)
})

test('words of argument files: quotes, backslashes, comments', () => {
  assert.deepEqual(javaWords('-Da="x y"  # no\n"-Db=c:\\\\d" \'e f\'g h#i ""'), ['-Da=x y', '-Db=c:\\d', 'e fg', 'h#i', ''])
})

test('a process is read with its argument files and the options of its environment, which the command line overrides', async () => {
  const host = hostWith({ '/proc/7/environ': 'HOME=/h\0JDK_JAVA_OPTIONS=-Da=1 -Db=1\0', '/srv/opts': '-Db=2 -Dc="3 3"', '/etc/passwd': 'root:x:0:0::/root:/bin/sh\ntomcat:x:994:994::/var/lib/tomcat:/x\n' })
  const java = await readJava(host, processOf({ argv: ['/opt/jdk/bin/java', '@opts', 'org.Main'] }))
  assert.deepEqual([Object.fromEntries(java.properties), java.main, java.javaHome, java.environment?.get('HOME'), java.runAs], [{ a: '1', b: '2', c: '3 3' }, 'org.Main', '/opt/jdk', '/h', { uid: 994, gid: 994 }])
  assert.equal(await userHome(host, java), '/var/lib/tomcat')
  assert.equal(await userHome(host, { ...java, properties: new Map([['user.home', '/u']]) }), '/u')
  assert.equal((await readJava(hostWith({}), processOf({ uid: 0, gid: 0 }))).runAs, undefined)
})

test('java processes are found by their main class, of jsvc the one that serves', () => {
  const isMain = (arg: string) => arg === 'org.Main'
  const jsvc = { executable: '/usr/bin/jsvc', name: 'jsvc', argv: ['jsvc.exec', 'org.Main'] }
  const found = findJava([
    processOf({ pid: 1, argv: ['java', 'org.Main'] }), processOf({ pid: 2, argv: ['java', 'org.Other'] }), processOf({ pid: 3, name: 'vi', executable: '/usr/bin/vi', argv: ['vi', 'org.Main'] }),
    processOf({ ...jsvc, pid: 4 }), processOf({ ...jsvc, pid: 5, parentPid: 4 }),
  ], isMain)
  assert.deepEqual(found.map(({ pid }) => pid), [1, 5])
})

test('units are restarted through sudo where that is wanted', () => {
  assert.deepEqual(unitCommands('tomcat10.service', { sudo: true }), { restart: ['sudo', '-n', 'systemctl', 'restart', 'tomcat10.service'], start: ['sudo', '-n', 'systemctl', 'start', 'tomcat10.service'] })
  assert.deepEqual(unitCommands('x.service', { sudo: false }).restart, ['systemctl', 'restart', 'x.service'])
})

test('a unit is restarted only where its main process is the server or a script that started it', async () => {
  const unit = { service: 'shop.service', uid: 0 }
  const main = processOf({ ...unit, pid: 4, parentPid: 1, name: 'launch.sh', executable: '/usr/bin/bash', argv: ['/bin/bash', '/opt/shop/launch.sh'] })
  const script = processOf({ ...unit, pid: 5, parentPid: 4, name: 'standalone.sh', executable: '', argv: ['/bin/sh', '/opt/shop/standalone.sh'] })
  const java = processOf({ ...unit, pid: 6, parentPid: 5 })
  const asked = (mainPid: number, processes: readonly HostProcess[], of = java) => javaUnit({
    processes: async () => [...processes],
    run: async () => ({ exitCode: 0, stdout: `MainPID=${mainPid}\n`, stderr: '', truncated: false, durationMs: 1 }),
  } as unknown as Host, of)
  assert.deepEqual([await asked(6, [java]), await asked(5, [script, java]), await asked(4, [main, script, java])], ['shop.service', 'shop.service', 'shop.service'])
  const cron = processOf({ ...unit, pid: 4, parentPid: 1, name: 'cron', executable: '/usr/sbin/cron', argv: ['cron'] })
  assert.equal(await asked(4, [cron, script, java]), null)
  assert.equal(await asked(4, [{ ...main, service: 'other.service' }, script, java]), null)
  assert.equal(await asked(9, [main, script, java]), null)
  assert.equal(await asked(6, [java], { ...java, service: null }), null)
})
