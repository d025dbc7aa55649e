import { certificateStatuses, CertloopError, type CertificateId, type CertificateStatus, type Selection } from '@certloop/contract'
import { contains } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'

/** So many certificates at most in one batch or bulk change. */
const mostSelected = 10_000
/** Statements take so many values at most on SQLite; rows are read and written in parts of this size. */
const chunkSize = 500
const mostNamed = 50

export interface Selected { id: CertificateId; name: string }

export function* chunks<T>(all: readonly T[], size = chunkSize): Generator<T[]> {
  for (let from = 0; from < all.length; from += size) yield all.slice(from, from + size)
}

const invalid = (message: string, fields: string[]) => new CertloopError('INPUT_INVALID', message, { fields })

/**
 * The certificates that are meant, as they are at this moment; later ones that a search would find do not join.
 * @throws CertloopError INPUT_INVALID when nothing or too much is found, or naming those that do not exist
 */
export async function resolveSelection(tx: Tx, selection: Selection): Promise<Selected[]> {
  const { certificateIds, search, status } = selection
  const searches = search !== undefined || status !== undefined
  if ((certificateIds !== undefined) === searches) throw invalid('Say which certificates: either their ids, or what to search for.', ['body.selection: takes certificateIds, or search and status'])
  const found = certificateIds ? await byIds(tx, certificateIds) : await bySearch(tx, search ?? '', status)
  if (found.length === 0) throw invalid('No certificate was found, so there is nothing to do.', ['body.selection: finds no certificate'])
  return found
}

async function byIds(tx: Tx, ids: readonly CertificateId[]): Promise<Selected[]> {
  const known = new Map<CertificateId, Selected>()
  for (const part of chunks(ids)) {
    for (const row of await tx.selectFrom('certificate').select(['id', 'name']).where('id', 'in', part).execute()) known.set(row.id, row)
  }
  const missing = ids.flatMap((id, index) => (known.has(id) ? [] : [`body.selection/certificateIds/${index}: there is no certificate ${id}`]))
  if (missing.length > 0) {
    const more = missing.length > mostNamed ? [`and ${missing.length - mostNamed} more`] : []
    throw invalid(`${missing.length} of the ${ids.length} certificates do not exist; they may have been deleted.`, [...missing.slice(0, mostNamed), ...more])
  }
  return ids.map((id) => known.get(id)).filter((row) => row !== undefined)
}

async function bySearch(tx: Tx, search: string, status: string | undefined): Promise<Selected[]> {
  let query = tx.selectFrom('certificate').select(['id', 'name']).orderBy('name').orderBy('id').limit(mostSelected + 1)
  if (status !== undefined) {
    if (!(certificateStatuses as readonly string[]).includes(status)) throw invalid(`There is no status "${status}".`, [`body.selection/status: must be one of ${certificateStatuses.join(', ')}`])
    query = query.where('status', '=', status as CertificateStatus)
  }
  if (search !== '') query = query.where(contains('searchText', search.toLowerCase()))
  const rows = await query.execute()
  if (rows.length > mostSelected) throw invalid(`The search finds more than ${mostSelected} certificates. Narrow it and do them in parts.`, [`body.selection: finds more than ${mostSelected} certificates`])
  return rows
}
