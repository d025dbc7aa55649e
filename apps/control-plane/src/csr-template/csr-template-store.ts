import type { CsrTemplateId } from '@certloop/contract'
import type { Selectable } from 'kysely'

export interface CsrTemplateTable {
  id: CsrTemplateId
  name: string
  description: string
  /** Of the rules now. */
  version: number
  /** JSON of CsrTemplateRules. */
  rules: string
  createdAt: string
  updatedAt: string
}
/** Every version there was, the present one too. */
export interface CsrTemplateVersionTable { templateId: CsrTemplateId; version: number; rules: string; changedBy: string; at: string }
export interface CsrTemplateTables { csrTemplate: CsrTemplateTable; csrTemplateVersion: CsrTemplateVersionTable }
export type CsrTemplateRow = Selectable<CsrTemplateTable>
