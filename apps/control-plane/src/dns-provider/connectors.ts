import { setTimeout as pause } from 'node:timers/promises'
import type { DnsProviderConnector } from '@certloop/plugin-kit'
import { fromJson } from '../database/columns.ts'
import { openFor } from '../plugin/sealed-values.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { WayOut } from '../way-out.ts'
import { kindOf, ownFields, type FieldValues } from './dns-provider-kinds.ts'
import type { DnsProviderRow } from './dns-provider-store.ts'

export interface ConnectorDeps { secrets: Secrets; wayOut: WayOut; now: () => Date; random: () => number }

export const bindingOf = ({ id }: Pick<DnsProviderRow, 'id'>): string => `dns-provider:${id}:secrets`
export const secretsOf = (secrets: Secrets, row: Pick<DnsProviderRow, 'id' | 'sealedSecrets'>): Record<string, string> => openFor(secrets, bindingOf(row), row.sealedSecrets)

/** So long one piece of work at a provider may take, with all its waiting. */
const longestMs = 150_000

/**
 * The connector of a configured provider for one piece of work, which it must not outlast.
 * @throws CertloopError SECRET_UNREADABLE, CONFIGURATION_INCOMPLETE
 */
export async function connectorOf({ secrets, wayOut, now, random }: ConnectorDeps, row: DnsProviderRow): Promise<DnsProviderConnector> {
  const kind = kindOf(row)
  const signal = AbortSignal.timeout(longestMs)
  const fields = { ...ownFields(fromJson<FieldValues>(row.settings)), ...secretsOf(secrets, row) }
  return (await kind.connector())({
    name: row.name, fields, now, random, signal, guard: wayOut.guard,
    outbound: (options) => wayOut.outboundFor('DNS_PROVIDER_UNREACHABLE', options),
    wait: (milliseconds) => pause(milliseconds, undefined, { signal }),
  })
}
