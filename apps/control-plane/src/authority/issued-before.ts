import type { VersionRow } from '../certificate/certificate-store.ts'
import { fromJson } from '../database/columns.ts'
import type { IssuedBefore } from './authority.ts'

/** How a connector is told of a version that was issued by it. */
export function issuedBefore({ fingerprint, serialNumber, chainPem, orderId }: Pick<VersionRow, 'fingerprint' | 'serialNumber' | 'chainPem' | 'orderId'>): IssuedBefore {
  return { certificatePem: fromJson<string[]>(chainPem)[0] ?? '', fingerprint, serialNumber, reference: orderId }
}
