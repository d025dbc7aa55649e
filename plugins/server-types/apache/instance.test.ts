import type { HostProcess } from '@certloop/plugin-kit'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { commandOf, findMasters, type Instance, isInForeground, namedDefines, parseBuild, startOptions } from './instance.ts'

const processOf = (pid: number, parentPid: number, argv: string[], more: Partial<HostProcess> = {}): HostProcess =>
  ({ pid, parentPid, argv, uid: 0, gid: 0, user: 'root', executable: '/usr/sbin/apache2', name: 'apache2', workingDirectory: '/', service: null, container: null, ...more })

test('masters, not their children, calls or other programs', () => {
  const masters = findMasters([
    processOf(10, 1, ['/usr/sbin/apache2', '-k', 'start']), processOf(11, 10, ['/usr/sbin/apache2', '-k', 'start'], { user: 'www-data' }),
    processOf(20, 7, ['/usr/sbin/apache2', '-t']), processOf(21, 7, ['apache2', '-k', 'graceful']), processOf(22, 7, ['apache2', '-d', '/x', '-V']),
    processOf(30, 1, ['/usr/sbin/httpd', '-DFOREGROUND'], { name: 'httpd', executable: '/usr/sbin/httpd' }),
    processOf(31, 1, ['/opt/bin/httpd'], { name: 'httpd', executable: '' }),
    processOf(50, 1, ['lighttpd'], { name: 'lighttpd', executable: '/usr/sbin/lighttpd' }),
  ])
  assert.deepEqual(masters.map(({ pid }) => pid), [10, 30, 31])
})

describe('how a master was started', () => {
  const none = { root: null, configuration: null, defines: [], directives: [] }
  const cases: [string[], ReturnType<typeof startOptions>][] = [
    [['/usr/sbin/apache2', '-k', 'start'], none],
    [['/usr/sbin/httpd', '-DFOREGROUND'], { ...none, defines: ['FOREGROUND'] }],
    [['httpd', '-d', '/etc/apache2-shop', '-f', 'conf/x.conf', '-D', 'SSL', '-DLIVE', '-k', 'start'], { root: '/etc/apache2-shop', configuration: 'conf/x.conf', defines: ['SSL', 'LIVE'], directives: [] }],
    [['httpd', '-X', '-C', 'Listen 1', '-c', 'Define X', '-e', 'debug', '-E', '/log'], { ...none, defines: ['DEBUG'], directives: [{ flag: '-C', text: 'Listen 1' }, { flag: '-c', text: 'Define X' }] }],
    [['httpd', '-d'], { ...none, root: '' }],
    [[], none],
  ]
  for (const [argv, expected] of cases) test(argv.join(' ') || 'nothing', () => assert.deepEqual(startOptions({ argv }), expected))
})

describe('what -V says', () => {
  const text = (banner: string) => `Server version: ${banner}\nServer built:   2026\n -D HTTPD_ROOT="/etc/httpd"\n -D SERVER_CONFIG_FILE="conf/httpd.conf"\n`
  test('httpd', () => assert.deepEqual(parseBuild(text('Apache/2.4.62 (Red Hat Enterprise Linux)')), { product: 'Apache', version: '2.4.62', root: '/etc/httpd', configuration: 'conf/httpd.conf' }))
  for (const [banner, message] of [['IBM_HTTP_Server/9.0.5.1 (Unix)', /keystore/], ['Oracle-HTTP-Server/12.2.1.4.0 (Unix)', /wallet/], ['Apache/2.2.34 (Unix)', /only 2\.4/]] as const) {
    test(banner, () => assert.throws(() => parseBuild(text(banner)), { code: 'PLACE_UNSUPPORTED', message }))
  }
  test('something else', () => assert.throws(() => parseBuild('httpd: not found'), { code: 'SERVER_CONFIGURATION_UNREADABLE' }))
})

test('a call carries everything the master was started with', () => {
  const instance: Instance = {
    process: processOf(1, 0, []), program: '/usr/sbin/httpd', product: 'Apache', version: '2.4.1', build: '', configurationPath: '/c', serverRoot: '/r', sudo: false, environment: {},
    start: startOptions({ argv: ['httpd', '-DFOREGROUND', '-D', 'SSL', '-C', 'Listen 1'] }),
  }
  assert.deepEqual(commandOf(instance, '-t'), ['/usr/sbin/httpd', '-d', '/r', '-f', '/c', '-D', 'FOREGROUND', '-D', 'SSL', '-C', 'Listen 1', '-t'])
  assert.deepEqual([isInForeground(instance), namedDefines(instance.start)], [true, 'SSL'])
})
