import { CertloopError } from '@certloop/contract'
import { fromJson } from '../database/columns.ts'
import { kindOf, targetsOf, type FieldValues } from './dns-provider-kinds.ts'
import type { DnsProviderRow } from './dns-provider-store.ts'

/** Labels that nobody uses for anything but validations; RFC 8555 and its successors put their names at or below these. */
const labels = new Set(['_acme-challenge', '_validation-persist'])
const isWithin = (name: string, above: string) => name === above || name.endsWith(`.${above}`)

/** Whether a record for validations may be written there by this provider. Whoever can order can't change any other name. */
export function mayWrite(row: Pick<DnsProviderRow, 'kind' | 'settings'>, name: string): boolean {
  if (name.split('.').some((label) => labels.has(label))) return true
  if (kindOf(row).manifest.delegationOnly) return true
  return targetsOf(fromJson<FieldValues>(row.settings)).some((target) => isWithin(name, target))
}
/** @throws CertloopError DNS_NAME_NOT_ALLOWED */
export function assertMayWrite(row: Pick<DnsProviderRow, 'id' | 'name' | 'kind' | 'settings'>, name: string): void {
  if (!mayWrite(row, name)) throw new CertloopError('DNS_NAME_NOT_ALLOWED', `${name} is a name that records for validations are not written at by "${row.name}": it has no label _acme-challenge, and is not below its delegation targets.`, { name, dnsProviderId: row.id })
}
