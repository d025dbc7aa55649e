import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Check } from 'typebox/value'
import type { TSchema } from 'typebox'
import { DetectedServer, DetectedSlot, HostFacts, HostScan, TargetInspection } from './detection.ts'
import { DeployLogEntry, DeployResult, LeaseRequest } from './messages.ts'

const at = '2026-03-01T00:00:00.000Z'
const host = { hostName: 'h', os: 'linux', osVersion: '6', arch: 'x64', addresses: [] }
const endpoint = { address: '127.0.0.1', port: 443, serverName: null, keyType: null }
const served = { endpoint, fingerprint: null, error: null, at }
const slot = { title: 't', fields: {}, names: [], served: [], installedPem: null, problem: null }
const process = { pid: 1, user: 'root', command: 'nginx', service: null, container: null }
const server = { serverType: 'nginx', key: 'k', title: 't', version: null, process, slots: [], problem: null }
const scan = { at, host, servers: [], listeners: [], problems: [] }
const line = { at, step: null, phase: 'do', ok: true, message: 'm', output: null, durationMs: null }
const result = { outcome: 'deployed', touched: true, error: null, differences: [], inspection: null, log: [] }
const many = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item)
const long = (count: number) => 'x'.repeat(count)

/** Message, schema, what fits, what is too much. */
const cases: [string, TSchema, object, object][] = [
  ['servers', HostScan, { ...scan, servers: many(1000, server) }, { ...scan, servers: many(1001, server) }],
  ['slots', DetectedServer, { ...server, slots: many(5000, slot) }, { ...server, slots: many(5001, slot) }],
  ['names', DetectedSlot, { ...slot, names: many(10_000, 'a.example') }, { ...slot, names: many(10_001, 'a.example') }],
  ['a name', DetectedSlot, { ...slot, names: [long(4096)] }, { ...slot, names: [long(4097)] }],
  ['installed PEM', DetectedSlot, { ...slot, installedPem: long(1_000_000) }, { ...slot, installedPem: long(1_000_001) }],
  ['title', DetectedSlot, { ...slot, title: long(10_000) }, { ...slot, title: long(10_001) }],
  ['served', DetectedSlot, { ...slot, served: many(10_000, served) }, { ...slot, served: many(10_001, served) }],
  ['fields', DetectedSlot, { ...slot, fields: Object.fromEntries(many(200, 1).map((_, i) => [`f${i}`, 1])) }, { ...slot, fields: Object.fromEntries(many(201, 1).map((_, i) => [`f${i}`, 1])) }],
  ['command', DetectedServer, { ...server, process: { ...process, command: long(1_000_000) } }, { ...server, process: { ...process, command: long(1_000_001) } }],
  ['listeners', HostScan, { ...scan, listeners: many(70_000, { address: '::', port: 1, pid: null, command: null }) }, { ...scan, listeners: many(70_001, { address: '::', port: 1, pid: null, command: null }) }],
  ['problems', HostScan, { ...scan, problems: many(10_000, { code: 'INTERNAL', message: 'm', facts: {} }) }, { ...scan, problems: many(10_001, { code: 'INTERNAL', message: 'm', facts: {} }) }],
  ['addresses', HostFacts, { ...host, addresses: many(5000, '10.0.0.1') }, { ...host, addresses: many(5001, '10.0.0.1') }],
  ['host name', HostFacts, { ...host, hostName: long(500) }, { ...host, hostName: long(501) }],
  ['inspected PEM', TargetInspection, { at, installedPem: long(1_000_000), served: [] }, { at, installedPem: long(1_000_001), served: [] }],
  ['message', DeployLogEntry, { ...line, message: long(200_000) }, { ...line, message: long(200_001) }],
  ['output', DeployLogEntry, { ...line, output: long(200_000) }, { ...line, output: long(200_001) }],
  ['log', DeployResult, { ...result, log: many(10_000, line) }, { ...result, log: many(10_001, line) }],
  ['differences', DeployResult, { ...result, differences: many(10_000, 'd') }, { ...result, differences: many(10_001, 'd') }],
  ['boot id', LeaseRequest, { bootId: long(64), waitSeconds: 0, max: 1 }, { bootId: long(65), waitSeconds: 0, max: 1 }],
]

for (const [name, schema, fits, tooMuch] of cases) {
  test(`what a bot may say has an end: ${name}`, () => {
    assert.ok(Check(schema, fits), 'a large one fits')
    assert.ok(!Check(schema, tooMuch), 'a larger one does not')
  })
}
