import type { DnsProviderId } from '@certloop/contract'
import type { Selectable } from 'kysely'

export interface DnsProviderTable {
  id: DnsProviderId
  name: string
  kind: string
  /** JSON of the fields, without secrets. */
  settings: string
  /** JSON of the secret fields, sealed for this row. */
  sealedSecrets: string | null
  /** JSON of the zones found at the last test. */
  zones: string
  /** JSON of Health. */
  health: string
  createdAt: string
  updatedAt: string
}
export interface DnsProviderTables { dnsProvider: DnsProviderTable }
export type DnsProviderRow = Selectable<DnsProviderTable>
