import type { DetectedServer, DetectedSlot, Endpoint, Observation, ReachKind, ServedCertificate, Step } from '@certloop/contract'
import type { Static, TObject } from 'typebox'
import type { Host } from './host.ts'

/** Public half of a server type: read by the control plane, the pages and the docs. */
export interface ServerTypeManifest<F extends TObject = TObject> {
  /** Stored in the database and equal to the folder's name: never rename. */
  id: string
  title: string
  category: 'web' | 'mail' | 'database' | 'load-balancer' | 'java' | 'file' | 'cloud' | 'appliance' | 'windows'
  summary: string
  fields: F
  /** The fields that together name the place on its host; two targets with equal ones are the same place. */
  identity: readonly string[]
  /** What the schema can't say: problems of fields that have to fit together, each with the field's name. */
  check?: (fields: Static<F>) => { field: string; problem: string }[]
  capabilities: readonly Capability[]
  /** Ways to a target of this type. Absent: on the bot's own machine and over SSH. */
  reaches?: readonly ReachKind[]
}
export type Capability = 'detect' | 'bind' | 'chain' | 'overwrite' | 'client-certificates' | 'reload' | 'restart'

/** What is to be installed, without the private key: that is named by its SPKI and read by the engine alone. */
export interface PlanMaterial {
  /** PEM, leaf first, no root. */
  chainPem: readonly string[]
  fingerprint: string
  /** SHA-256 of the SPKI of the leaf, hex. */
  spkiDigest: string
  keyType: 'rsa' | 'ec' | 'other'
}

/** Does a TLS handshake and says what was served; never throws. */
export type Prober = (endpoint: Endpoint) => Promise<ServedCertificate>

/** Body of a plan, and what stays on the host beside it. */
export interface PlanDraft {
  observed: Observation[]
  steps: Step[]
  /** The texts behind the observations, by the same names, for showing differences. */
  observedTexts: Record<string, string>
  /** Values of the secrets that steps name, e.g. a keystore password that stands in a configuration file. Never logged, never on disk in the clear. */
  secrets?: Record<string, string>
}

export interface DriverContext { host: Host; probe: Prober }

/** Private half of a server type: run by a bot. Returns data; the engine acts. */
export interface ServerTypeDriver<Fields = Record<string, unknown>> {
  /** Servers of this type that run now; one entry per instance. A server that can't be read is reported with its problem. */
  detect(context: DriverContext): Promise<DetectedServer[]>
  /** The one slot that these fields name, as it is now. @throws CertloopError SERVER_NOT_RUNNING, SLOT_NOT_FOUND, SERVER_CONFIGURATION_UNREADABLE */
  inspect(context: DriverContext, fields: Fields): Promise<DetectedSlot>
  /** Ordered steps that install the material. Same host and material, same plan. Changes nothing. @throws as inspect, PLAN_FAILED */
  plan(context: DriverContext, fields: Fields, material: PlanMaterial): Promise<PlanDraft>
}

export interface ServerTypeEntry<F extends TObject = TObject> {
  manifest: ServerTypeManifest<F>
  driver: () => Promise<ServerTypeDriver<Static<F>>>
}

/** One line of the registry. The driver module is loaded by bots only. */
export function serverType<F extends TObject>(manifest: ServerTypeManifest<F>, driver: () => Promise<ServerTypeDriver<Static<F>>>): ServerTypeEntry {
  return { manifest, driver }
}
