import type { Static, TObject } from 'typebox'
import type { TestSteps } from './authority.ts'
import type { AddressGuard, Outbound } from './outbound.ts'

/** Public half of a connector to a DNS provider. */
export interface DnsProviderManifest<F extends TObject = TObject> {
  /** Stored in the database and equal to the folder's name: never rename. */
  id: string
  title: string
  summary: string
  docsUrl?: string
  fields: F
  /** Lowest time to live of a record in seconds; 60 where it takes less. */
  lowestTtl: number
  /** Changes go one at a time: per "zone" where it replaces sets or counts serial numbers, else per "name". */
  oneAtATime: 'zone' | 'name'
  /** Its names are made for validations alone, to be pointed at by CNAME records: any name in its zones may be written. */
  delegationOnly?: true
  /** It holds the latest so many values of a name and forgets the oldest; none can be removed, and removeTxt does nothing. */
  keepsLatest?: number
  check?: (fields: Static<F>) => { field: string; problem: string }[]
}
export interface DnsProviderContext<Fields = Record<string, unknown>> {
  name: string
  fields: Fields
  outbound(options?: { trustPem?: string }): Outbound
  /** For those that speak something else than HTTP: addresses that may be connected to, looked up before. */
  guard: AddressGuard
  now: () => Date
  random: () => number
  /** Waits between looks at the provider; rejects when aborted. */
  wait(milliseconds: number): Promise<void>
  signal: AbortSignal
}
/** Names without a dot at the end, in A-label form, lower case. */
export interface TextRecord { zone: string; name: string; value: string }
/**
 * A configured DNS provider.
 * @throws CertloopError from each: DNS_PROVIDER_REFUSED, DNS_PROVIDER_UNREACHABLE (facts.retryAt where it says when),
 * AUTHORITY_NOT_TRUSTED, DNS_RECORD_FAILED
 */
export interface DnsProviderConnector {
  /** Zones that can be written. undefined: they can't be listed, and holdsZone is asked. */
  listZones?(): Promise<string[]>
  /** The zone that holds the name, by the longest suffix; undefined: none of its zones. */
  findZone(name: string): Promise<string | undefined>
  /**
   * Adds one TXT value beside others of the same name. Repeating changes nothing. Returns once the provider has taken it, and
   * where it tells, once its servers have it.
   * @returns how it is found again, kept with the validation; below 2 kB of JSON
   */
  addTxt(record: TextRecord & { ttl: number }): Promise<Readonly<Record<string, string>>>
  /** Removes just this value and leaves others. What is not there is fine. `receipt`: what addTxt said; null after a crash in its middle. */
  removeTxt(record: TextRecord, receipt: Readonly<Record<string, string>> | null): Promise<void>
  /** Credentials and rights, without changing anything. */
  test(steps: TestSteps): Promise<void>
}
export interface DnsProviderEntry<F extends TObject = TObject> {
  manifest: DnsProviderManifest<F>
  connector: () => Promise<(context: DnsProviderContext<Static<F>>) => DnsProviderConnector>
}
/** One line of the registry. */
export function dnsProvider<F extends TObject>(manifest: DnsProviderManifest<F>, connector: DnsProviderEntry<F>['connector']): DnsProviderEntry {
  return { manifest, connector } as unknown as DnsProviderEntry
}
