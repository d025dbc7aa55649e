import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HostProcess } from '@certloop/plugin-kit'
import { commandOf, findMasters, type Instance, parseBuild, startOptions } from './instance.ts'

const processOf = (pid: number, parentPid: number, argv: string[], more: Partial<HostProcess> = {}): HostProcess =>
  ({ pid, parentPid, argv, uid: 0, gid: 0, user: 'root', executable: '/usr/sbin/nginx', name: 'nginx', workingDirectory: '/', service: null, container: null, ...more })

test('masters, not their workers, upgrades, calls or other programs', () => {
  const masters = findMasters([
    processOf(10, 1, ['nginx: master process nginx']), processOf(11, 10, ['nginx: worker process']), processOf(12, 10, ['nginx: cache manager process']),
    processOf(13, 10, ['nginx: master process nginx']),
    processOf(20, 7, ['/usr/sbin/nginx', '-t', '-q', '-c', '/x']), processOf(21, 7, ['nginx', '-s', 'reload']),
    processOf(30, 7, ['nginx', '-c', '/single.conf']),
    processOf(40, 1, ['angie: master process v1.5.1 #1 [/usr/sbin/angie -c /a.conf]'], { name: 'angie', executable: '/usr/sbin/angie' }),
    processOf(41, 1, ['nginx: master process /opt/openresty'], { name: 'openresty', executable: '' }),
    processOf(50, 1, ['grep', 'nginx'], { name: 'grep', executable: '/usr/bin/grep' }),
  ])
  assert.deepEqual(masters.map(({ pid }) => pid), [10, 30, 40, 41])
})

describe('how a master was started', () => {
  const cases: [string[], ReturnType<typeof startOptions>][] = [
    [['nginx: master process nginx'], { program: 'nginx', configuration: null, prefix: null, globals: null }],
    [['nginx: master process /usr/sbin/nginx -g daemon on; master_process on;'], { program: '/usr/sbin/nginx', configuration: null, prefix: null, globals: 'daemon on; master_process on;' }],
    [['nginx: master process /usr/sbin/nginx -p /srv/my web -c conf/n.conf -e stderr'], { program: '/usr/sbin/nginx', configuration: 'conf/n.conf', prefix: '/srv/my web', globals: null }],
    [['nginx: master process nginx -c/etc/n.conf'], { program: 'nginx', configuration: '/etc/n.conf', prefix: null, globals: null }],
    [['angie: master process v1.5.1 #1 [/usr/sbin/angie -c /a.conf]'], { program: '/usr/sbin/angie', configuration: '/a.conf', prefix: null, globals: null }],
    [['/usr/sbin/nginx', '-c', '/etc/x y.conf', '-p', 'rel'], { program: '/usr/sbin/nginx', configuration: '/etc/x y.conf', prefix: 'rel', globals: null }],
    [[], { program: '', configuration: null, prefix: null, globals: null }],
  ]
  for (const [argv, expected] of cases) test(argv.join(' ') || 'nothing', () => assert.deepEqual(startOptions({ argv }), expected))
})

describe('nginx -V', () => {
  const cases: [string, ReturnType<typeof parseBuild>][] = [
    ['nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.22\nconfigure arguments: --with-cc-opt=\'-O2 -ffile-prefix-map=/build=.\' --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf',
      { product: 'nginx', version: '1.22.1', prefix: '/usr/share/nginx', configurationPath: '/etc/nginx/nginx.conf' }],
    ['nginx version: nginx/1.18.0 (Ubuntu)\nconfigure arguments: --prefix=/usr/share/nginx', { product: 'nginx', version: '1.18.0', prefix: '/usr/share/nginx', configurationPath: '/usr/share/nginx/conf/nginx.conf' }],
    ['nginx version: openresty/1.25.3.1\nconfigure arguments: --prefix=/usr/local/openresty/nginx', { product: 'OpenResty', version: '1.25.3.1', prefix: '/usr/local/openresty/nginx', configurationPath: '/usr/local/openresty/nginx/conf/nginx.conf' }],
    ['Tengine version: Tengine/2.3.3\nnginx version: nginx/1.18.0', { product: 'Tengine', version: '2.3.3', prefix: '/usr/local/nginx', configurationPath: '/usr/local/nginx/conf/nginx.conf' }],
    ['Angie version: Angie/1.5.0\nconfigure arguments: --prefix=\'/etc/angie\' --conf-path=angie.conf', { product: 'Angie', version: '1.5.0', prefix: '/etc/angie', configurationPath: '/etc/angie/angie.conf' }],
  ]
  for (const [text, expected] of cases) test(expected.product + expected.version, () => assert.deepEqual(parseBuild(text), expected))
  test('something else', () => assert.throws(() => parseBuild('bash: nginx: not found'), /did not say its version/))
})

test('a call carries everything the master was started with', () => {
  const instance: Instance = { process: processOf(1, 0, []), program: '/usr/sbin/nginx', product: 'nginx', version: '1', build: '', configurationPath: '/c', prefix: '/p', globals: 'pid /x;', sudo: true }
  assert.deepEqual(commandOf(instance, '-t', '-q'), ['sudo', '-n', '/usr/sbin/nginx', '-t', '-q', '-c', '/c', '-p', '/p', '-g', 'pid /x;'])
  assert.deepEqual(commandOf({ ...instance, sudo: false, prefix: null, globals: null }, '-T'), ['/usr/sbin/nginx', '-T', '-c', '/c'])
})
