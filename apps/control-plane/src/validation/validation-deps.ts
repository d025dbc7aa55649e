import type { DnsProviderId, OutsideLook, ProofExpected, ValidationMethod } from '@certloop/contract'
import type { TextRecord } from '@certloop/plugin-kit'
import type { AuthorityOf } from '../authority/authority.ts'
import type { Database } from '../database/database.ts'
import type { Mailer } from './mailer.ts'

/** What can be seen from where the authority looks. Nothing that is seen is thrown: it is a finding. */
export interface Outside {
  look(expected: ProofExpected): Promise<OutsideLook>
  /** What would be in the way, before anything is placed. */
  preflight(asked: Preflight): Promise<OutsideLook>
  /** Where the record has to be written, after the CNAME records that lead on from its name. @throws CertloopError DNS_DELEGATION_BROKEN, DNS_LOOKUP_FAILED */
  delegatedName(recordName: string): Promise<{ name: string; chain: string[] }>
}
export interface Preflight {
  name: string
  type: 'dns' | 'ip'
  wildcard: boolean
  /** How the authority will look: "dns", "file" and "tls-alpn" stand for all that are done by hand or otherwise. */
  method: ValidationMethod
  caa: { identities: string[]; accountUri: string | null } | null
  httpPort: number
  tlsPort: number
}

type Receipt = Readonly<Record<string, string>>
/** Writes records at the configured DNS providers. */
export interface Records {
  /** @throws CertloopError DNS_ZONE_NOT_FOUND */
  placeFor(name: string, preferred: DnsProviderId | null): Promise<{ providerId: DnsProviderId; zone: string }>
  add(providerId: DnsProviderId, record: TextRecord): Promise<Receipt>
  /** @throws CertloopError NOT_FOUND when the provider is no longer configured */
  remove(providerId: DnsProviderId, record: TextRecord, receipt: Receipt | null): Promise<void>
}

export interface ValidationDeps {
  database: Database
  now: () => Date
  authorityOf: AuthorityOf
  outside: Outside
  records: Records
  /** null: no mail server is set. */
  mailer: Mailer | null
  /** Where people reach the pages; undefined: unknown. */
  publicUrl: () => string | undefined
}
