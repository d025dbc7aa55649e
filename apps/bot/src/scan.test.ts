import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { CertloopError, checkShape, HostScan, type DetectedServer } from '@certloop/contract'
import type { ServerTypeDriver } from '@certloop/plugin-kit'
import { createProber } from './engine/probe.ts'
import { createLimits } from './hosts/limits.ts'
import { createLocalHost } from './hosts/local-host.ts'
import { scanHost } from './scan.ts'

const now = () => new Date()
const context = { host: createLocalHost({ limits: createLimits({ writePaths: [], commands: [], scripts: false }) }), probe: createProber({ now }) }
const notAsked = () => Promise.reject(new Error('A scan only detects.'))
const driver = (detect: ServerTypeDriver['detect']) => () => Promise.resolve({ detect, inspect: notAsked, plan: notAsked })
const found: DetectedServer = { serverType: 'found', key: 'k', title: 't', version: null, process: { pid: 1, user: 'root', command: 'x', service: null, container: null }, slots: [], problem: null }

test('a scan names the host, what listens with its program, and what drivers find', { skip: process.platform !== 'linux' && 'looks at Linux hosts only' }, async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const scan = await scanHost(context, [{ id: 'found', driver: driver(() => Promise.resolve([found])) }], now)
  checkShape(HostScan, scan, { what: 'the scan' })
  assert.ok(scan.host.hostName.length > 0)
  const own = scan.listeners.find((l) => l.port === port)
  assert.equal(own?.pid, process.pid)
  assert.match(own?.command ?? '', /node|Main/i)
  assert.deepEqual([scan.servers, scan.problems], [[found], []])
})

test('drivers that fail, also to load, become problems with their name; the others go on', async () => {
  const scan = await scanHost(context, [
    { id: 'broken', driver: driver(() => Promise.reject(new CertloopError('SERVER_CONFIGURATION_UNREADABLE', 'Line 3.'))) },
    { id: 'buggy', driver: driver(() => { throw new TypeError('undefined is not a server') }) },
    { id: 'absent', driver: () => Promise.reject(new Error('no such module')) },
    { id: 'found', driver: driver(() => Promise.resolve([found])) },
  ], now)
  checkShape(HostScan, scan, { what: 'the scan' })
  assert.deepEqual(scan.servers, [found])
  assert.deepEqual(scan.problems.map(({ code, message }) => `${code} ${message}`).toSorted(), [
    'INTERNAL Servers of type absent: no such module',
    'INTERNAL Servers of type buggy: undefined is not a server',
    'SERVER_CONFIGURATION_UNREADABLE Servers of type broken: Line 3.',
  ])
})

test('a host that can not list its sockets is scanned all the same', async () => {
  const host = { ...context.host, listeners: () => Promise.reject(new Error('not here')) }
  const scan = await scanHost({ ...context, host }, [{ id: 'found', driver: driver(() => Promise.resolve([found])) }], now)
  assert.deepEqual([scan.listeners, scan.problems[0]?.message, scan.servers.length], [[], 'Listening sockets: not here', 1])
})
