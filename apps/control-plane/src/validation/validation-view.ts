import { CertloopError, type Validation, type ValidationId } from '@certloop/contract'
import { fromJsonOrNull } from '../database/columns.ts'
import type { Db } from '../database/database.ts'
import { listValidations, lookOf, namedValidation, type NamedValidation, type ValidationQuery } from './validation-store.ts'
import { expectedOf, instructionsOf } from './validation-words.ts'

export async function readValidation(db: Db, id: ValidationId): Promise<Validation> {
  const row = await namedValidation(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no validation ${id}.`, { validationId: id })
  return toValidation(row)
}
export async function validationPage(db: Db, query: ValidationQuery): Promise<{ items: Validation[]; nextCursor: string | null }> {
  const rows = await listValidations(db, { ...query, limit: query.limit + 1 })
  const items = rows.slice(0, query.limit).map(toValidation)
  return { items, nextCursor: rows.length > query.limit ? items.at(-1)?.id ?? null : null }
}

function toValidation(row: NamedValidation): Validation {
  const { id, orderId, certificateId, authorityId, name, method, state, botId, dnsProviderId, cleanup, reason, nextAction, deadline, createdAt, updatedAt } = row
  return {
    id, orderId, certificateId, certificateName: row.certificateName ?? certificateId, authorityId, authorityName: row.authorityName ?? authorityId, name, wildcard: row.wildcard === 1, method, state,
    expected: expectedOf(row), instructions: instructionsOf(row), botId, dnsProviderId, lastLook: lookOf(row), cleanup, reason, nextAction, deadline, error: fromJsonOrNull(row.error), createdAt, updatedAt,
  }
}
