import { Type, type Static } from 'typebox'
import { Endpoint } from '../plan.ts'
import { Fingerprint, instant, nullable, Wire } from '../text.ts'

/** What one handshake showed. */
export const ServedCertificate = Type.Object({
  endpoint: Endpoint,
  fingerprint: nullable(Fingerprint),
  error: nullable(Type.String()),
  at: instant,
}, { additionalProperties: false })
export type ServedCertificate = Static<typeof ServedCertificate>

/** One place of a server that holds a certificate: what a target is made from. */
export const DetectedSlot = Type.Object({
  title: Type.String(),
  fields: Type.Record(Type.String(), Type.Unknown(), { description: 'Pre-fills the fields of a target of this server type' }),
  names: Type.Array(Type.String(), { description: 'Server names configured for it' }),
  served: Type.Array(ServedCertificate),
  installedPem: nullable(Type.String({ description: 'Leaf and chain as installed' })),
  problem: nullable(Wire),
}, { additionalProperties: false })
export type DetectedSlot = Static<typeof DetectedSlot>

/** A server that is running now. */
export const DetectedServer = Type.Object({
  serverType: Type.String(),
  key: Type.String({ description: 'The same for the same server at each scan, e.g. its configuration file' }),
  title: Type.String(),
  version: nullable(Type.String()),
  process: Type.Object({ pid: Type.Integer(), user: Type.String(), command: Type.String(), service: nullable(Type.String()), container: nullable(Type.String()) }, { additionalProperties: false }),
  slots: Type.Array(DetectedSlot),
  problem: nullable(Wire),
}, { additionalProperties: false })
export type DetectedServer = Static<typeof DetectedServer>

export const HostFacts = Type.Object({
  hostName: Type.String(), os: Type.String(), osVersion: Type.String(), arch: Type.String(),
  addresses: Type.Array(Type.String()),
}, { additionalProperties: false })
export type HostFacts = Static<typeof HostFacts>

export const HostScan = Type.Object({
  at: instant,
  host: HostFacts,
  servers: Type.Array(DetectedServer),
  listeners: Type.Array(Type.Object({ address: Type.String(), port: Type.Integer(), pid: nullable(Type.Integer()), command: nullable(Type.String()) }, { additionalProperties: false })),
  problems: Type.Array(Wire),
}, { $id: 'HostScan', additionalProperties: false })
export type HostScan = Static<typeof HostScan>

/** A target as it is now: after each deployment and at each re-check. */
export const TargetInspection = Type.Object({
  at: instant,
  installedPem: nullable(Type.String()),
  served: Type.Array(ServedCertificate),
}, { additionalProperties: false })
export type TargetInspection = Static<typeof TargetInspection>
