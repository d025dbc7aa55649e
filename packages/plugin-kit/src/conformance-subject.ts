import type { DeployLogEntry, DeployResult, DetectedServer, DetectedSlot, Plan, ReachKind, TargetOptions, WireError } from '@certloop/contract'
import type { TestContext } from 'node:test'
import type { DriverContext, PlanMaterial, Prober } from './driver.ts'
import type { Host } from './host.ts'

export type Fields = Record<string, unknown>

/** A certificate with its key; PEM, `issuersPem` without the root. */
export interface ConformancePair extends Omit<PlanMaterial, 'chainPem'> { certPem: string; issuersPem?: readonly string[]; keyPem: string }

/** What a driver gets to see of a pair. */
export const materialOfPair = ({ certPem, issuersPem = [], fingerprint, spkiDigest, keyType }: ConformancePair): PlanMaterial => ({ chainPem: [certPem, ...issuersPem], fingerprint, spkiDigest, keyType })

/** A real server that runs and serves a certificate, and another one to put there. The suite swaps the two as it goes on. */
export interface ConformanceSubject {
  /** Of the running server, to tell it from others of its kind on the machine. Needed where the manifest says "detect". */
  isSubject?: (server: DetectedServer) => boolean
  /** The fields to deploy with, e.g. with secrets added; the slot is undefined where nothing detects. Absent: as detection gave them. */
  fields?: (slot: DetectedSlot | undefined) => Fields
  /** What is served now, and another for the same names. */
  pairs: readonly [ConformancePair, ConformancePair]
  /** Everything that a deployment could change, with owner and mode: two equal answers mean the same state. */
  snapshot: () => Promise<unknown>
  /** What no deployment may change: other entries, comments and order of configuration, neighbouring files; no leftovers. */
  foreign: () => Promise<unknown>
  /** Passwords and the like, as they stand in fields or configuration. Keys of the pairs are looked for anyway. */
  secrets?: readonly string[]
  badInput?: readonly BadInput[]
  failures?: readonly Failure[]
}

/** Something that stops a deployment before anything is touched. */
export interface BadInput {
  /** The name of the test: "a keystore password that is wrong". */
  what: string
  /** The code that plan or deploy fails with. */
  code: string
  /** What the message says of the particulars, e.g. the path. */
  names: RegExp
  /** Brings it about: other fields, or something changed on the server, which `mend` puts back. */
  spoil: (fields: Fields) => Promise<{ fields?: Fields; mend?: () => Promise<unknown> }>
  /** Why it can't be brought about here; false when it can. */
  skip?: string | false
}

/** Something that breaks while a deployment is under way, after the new files were made ready: it has to be undone. */
export interface Failure {
  what: string
  code: string
  /** @returns what puts it right again, after the deployment is undone and before the look at what is there */
  spoil: () => Promise<() => Promise<unknown>>
  fields?: (fields: Fields) => Fields
}

/** The host of a subject and engines on it. The bot's test kit makes it. */
export interface ConformanceBench {
  /** A real host, as a driver gets it. */
  readonly context: DriverContext
  /** With a folder of its own: it knows nothing of earlier deployments. */
  engine(options?: BenchOptions): Promise<ConformanceEngine>
}

export interface BenchOptions {
  /** Changes what the host or the prober say, to bring failures about. */
  host?: (host: Host) => Host
  probe?: (probe: Prober) => Prober
}

/** The engine of a bot, as a test drives it. */
export interface ConformanceEngine {
  /** @throws CertloopError as the engine does */
  plan(fields: Fields, pair: ConformancePair, options?: TargetOptions): Promise<Plan>
  /** Plans and deploys, or deploys the given plan. `atPoint`: called at each crash point of the engine; the next call to the host waits for it. */
  deploy(fields: Fields, pair: ConformancePair, more?: { options?: TargetOptions; plan?: Plan; atPoint?: (name: string) => unknown }): Promise<DeployResult>
  /**
   * Cuts a deployment off at a crash point, as a kill of the process would: what the engine does afterwards goes nowhere.
   * @returns a new engine on what was on disk at that moment
   * @throws Error when the deployment ends without having passed the point
   */
  cut(fields: Fields, pair: ConformancePair, point: string): Promise<ConformanceEngine>
  /** Ends what was cut off. */
  recover(): Promise<{ recovered: { result: DeployResult }[]; stuck: { error: WireError }[] }>
  /** What lies in its folder now: path → bytes. */
  stored(): Promise<Map<string, Uint8Array>>
  /** Everything it ran on the host and said, so far. */
  readonly heard: { ran: { argv: readonly string[]; environment: Readonly<Record<string, string>> }[]; log: DeployLogEntry[] }
}

/** A way to the subject's host, for which the whole suite is run. */
export interface ConformanceReach {
  kind: ReachKind
  /** Why there is none here; false when there is. */
  skip?: string | false
  bench: (t: TestContext) => Promise<ConformanceBench>
}

export interface ConformanceOptions {
  /** Folder of the server type: `new URL('./', import.meta.url)` of one of its files. */
  folder: URL
  /** Those that the manifest does not name are left out. */
  reaches: readonly ConformanceReach[]
  /** Starts the server; called once per reach. All tests of a reach share it, so it is stopped through `t` at their end. */
  makeSubject: (t: TestContext, bench: ConformanceBench) => Promise<ConformanceSubject>
  /** Why the server can't be had here; false when it can. */
  skip?: string | false
  /**
   * Cut off at every point of the engine, also while files are made ready and while what is left is cleaned up, over
   * each way. Absent or false: after each change over the first way, around the last one over others.
   */
  thorough?: boolean
}

/** The same host but for some of its functions; the others stay bound to it. For tests that make a host fail or listen in. */
export function overlaid(host: Host, changed: Partial<Host>): Host {
  return new Proxy(host, {
    get(whole, name) {
      const value: unknown = Reflect.get(changed, name) ?? Reflect.get(whole, name)
      return typeof value === 'function' ? value.bind(whole) as unknown : value
    },
  })
}
