import { Type, type Static } from 'typebox'
import { Endpoint } from '../plan.ts'
import { Fingerprint, instant, nullable, Wire } from '../text.ts'

// Generous ends to what a bot may say: real hosts stay far below, a broken or hostile one can not fill the database.
const text = (maxLength = 10_000, options: { description?: string } = {}) => Type.String({ maxLength, ...options })
const installedPem = nullable(text(1_000_000, { description: 'Leaf and chain as installed' }))

/** What one handshake showed. */
export const ServedCertificate = Type.Object({
  endpoint: Endpoint,
  fingerprint: nullable(Fingerprint),
  error: nullable(text()),
  at: instant,
}, { additionalProperties: false })
export type ServedCertificate = Static<typeof ServedCertificate>

/** One place of a server that holds a certificate: what a target is made from. */
export const DetectedSlot = Type.Object({
  title: text(),
  fields: Type.Record(Type.String(), Type.Unknown(), { maxProperties: 200, description: 'Pre-fills the fields of a target of this server type' }),
  names: Type.Array(text(4096), { maxItems: 10_000, description: 'Server names configured for it' }),
  served: Type.Array(ServedCertificate, { maxItems: 10_000 }),
  installedPem,
  problem: nullable(Wire),
}, { additionalProperties: false })
export type DetectedSlot = Static<typeof DetectedSlot>

/** A server that is running now. */
export const DetectedServer = Type.Object({
  serverType: text(60),
  key: text(10_000, { description: 'The same for the same server at each scan, e.g. its configuration file' }),
  title: text(),
  version: nullable(text()),
  process: Type.Object({ pid: Type.Integer(), user: text(), command: text(1_000_000), service: nullable(text()), container: nullable(text()) }, { additionalProperties: false }),
  slots: Type.Array(DetectedSlot, { maxItems: 5000 }),
  problem: nullable(Wire),
}, { additionalProperties: false })
export type DetectedServer = Static<typeof DetectedServer>

export const HostFacts = Type.Object({
  hostName: text(500), os: text(500), osVersion: text(500), arch: text(500),
  addresses: Type.Array(text(100), { maxItems: 5000 }),
}, { additionalProperties: false })
export type HostFacts = Static<typeof HostFacts>

export const HostScan = Type.Object({
  at: instant,
  host: HostFacts,
  servers: Type.Array(DetectedServer, { maxItems: 1000 }),
  listeners: Type.Array(Type.Object({ address: text(100), port: Type.Integer(), pid: nullable(Type.Integer()), command: nullable(text(1_000_000)) }, { additionalProperties: false }), { maxItems: 70_000 }),
  problems: Type.Array(Wire, { maxItems: 10_000 }),
}, { $id: 'HostScan', additionalProperties: false })
export type HostScan = Static<typeof HostScan>

/** A target as it is now: after each deployment and at each re-check. */
export const TargetInspection = Type.Object({
  at: instant,
  installedPem,
  served: Type.Array(ServedCertificate, { maxItems: 10_000 }),
}, { additionalProperties: false })
export type TargetInspection = Static<typeof TargetInspection>
