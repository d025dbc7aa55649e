import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSocketTable } from './linux-listeners.ts'
import { assembleProcess, containerId, parseStat, systemdUnit } from './linux-processes.ts'

test('a process name may hold spaces and brackets', () => {
  assert.deepEqual(parseStat('71 (nginx: (x) y) S 12 71 71 0 -1'), { name: 'nginx: (x) y', parentPid: 12 })
})

test('a process that has ended is none, though its parent has not collected it yet', () => {
  const read = (state: string) => assembleProcess({
    pid: 71, status: `Name:\tnginx\nState:\t${state}\nPPid:\t12\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n`, cmdline: 'nginx\0', executable: '/usr/sbin/nginx', workingDirectory: '/', cgroup: '', root: '1', ownRoot: '1', users: new Map(),
  })
  assert.equal(read('S (sleeping)')?.name, 'nginx')
  assert.deepEqual([read('Z (zombie)'), read('X (dead)')], [undefined, undefined])
})

test('systemd unit from the control group', () => {
  assert.equal(systemdUnit('0::/system.slice/nginx.service\n'), 'nginx.service')
  assert.equal(systemdUnit('2:cpu:/\n1:name=systemd:/system.slice/nginx.service\n0::/\n'), 'nginx.service')
  assert.equal(systemdUnit('0::/user.slice/user-1000.slice/user@1000.service/app.slice/caddy.service'), 'caddy.service')
  assert.equal(systemdUnit('0::/user.slice/user-1000.slice/user@1000.service/init.scope'), null)
  assert.equal(systemdUnit('0::/user.slice/user-0.slice/session-3.scope'), null)
  assert.equal(systemdUnit(''), null)
})

test('container ids', () => {
  const id = 'ab'.repeat(32)
  assert.equal(containerId(`0::/system.slice/docker-${id}.scope`), id)
  assert.equal(containerId(`11:pids:/kubepods/burstable/pod1/${id}`), id)
  assert.equal(containerId('0::/lxc.payload.web1/system.slice/nginx.service'), 'web1')
  assert.equal(containerId('0::/machine.slice/machine-web.scope'), 'web')
  assert.equal(containerId('0::/system.slice/nginx.service'), null)
})

test('listening sockets of both families', () => {
  const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
  const row = (address: string, state: string, inode: string) => `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0 0 10 0\n`
  const table = head + row('0100007F:01BB', '0A', '11') + row('0100007F:01BC', '01', '12') + row('00000000000000000000000001000000:0050', '0A', '13') + row('00000000000000000000000000000000:0051', '0A', '14') + row('0000000000000000FFFF00000100007F:0052', '0A', '15')
  assert.deepEqual(parseSocketTable(table), [
    { address: '127.0.0.1', port: 443, inode: '11' },
    { address: '::1', port: 80, inode: '13' },
    { address: '::', port: 81, inode: '14' },
    { address: '127.0.0.1', port: 82, inode: '15' },
  ])
})
