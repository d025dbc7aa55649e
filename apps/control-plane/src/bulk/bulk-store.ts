import type { BulkChangeId, BulkItemState, BulkState, CertificateId } from '@certloop/contract'
import type { Selectable } from 'kysely'

/** One set of settings for many configurations. */
export interface BulkChangeTable {
  id: BulkChangeId
  state: BulkState
  /** JSON of BulkParts. */
  parts: string
  total: number
  requester: string
  createdAt: string
  updatedAt: string
  endedAt: string | null
}
export interface BulkItemTable {
  bulkId: BulkChangeId
  position: number
  certificateId: CertificateId
  /** As it was then: the certificate may be deleted later. */
  certificateName: string
  state: BulkItemState
  /** JSON: field, before, after. */
  changes: string
  /** JSON of the configuration as it was, for the undo. */
  before: string | null
  /** updatedAt of the configuration that the preview or the change left; another one means that somebody changed it since. */
  configurationAt: string | null
  error: string | null
}
export interface BulkTables { bulkChange: BulkChangeTable; bulkItem: BulkItemTable }
export type BulkChangeRow = Selectable<BulkChangeTable>
export type BulkItemRow = Selectable<BulkItemTable>
