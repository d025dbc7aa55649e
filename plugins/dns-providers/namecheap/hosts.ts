import { CertloopError } from '@certloop/contract'
import { Type } from 'typebox'
import type { Client } from './client.ts'

const text = Type.String()
const HostElement = Type.Object({ Name: text, Type: text, Address: text, MXPref: Type.Optional(text), TTL: Type.Optional(text), IsActive: Type.Optional(text), IsDDNSEnabled: Type.Optional(text) })
const Read = Type.Object({ DomainDNSGetHostsResult: Type.Object({ IsUsingOurDNS: text, EmailType: Type.Optional(text), host: Type.Optional(Type.Array(HostElement)), Host: Type.Optional(Type.Array(HostElement)) }) })
const Written = Type.Object({ DomainDNSSetHostsResult: Type.Object({ IsSuccess: text }) })

export interface Host { name: string; type: string; address: string; mxPref: string; ttl: string }
/** All records of a domain, as they were read. */
export interface HostList { emailType: string; hosts: Host[] }

/** What setHosts takes; of another type the list can not be written back. */
const writable = new Set(['A', 'AAAA', 'ALIAS', 'CAA', 'CNAME', 'MX', 'MXE', 'NS', 'TXT', 'URL', 'URL301', 'FRAME'])

const keyOf = ({ name, type, address }: Host): string => JSON.stringify([name.toLowerCase(), type, type === 'TXT' ? address : address.toLowerCase().replace(/\.$/, '')])
/** What the first list has and the second lacks, also when it has it twice. */
export function missingIn(wanted: readonly Host[], present: readonly Host[]): Host[] {
  const left = present.map(keyOf)
  return wanted.filter((host) => {
    const at = left.indexOf(keyOf(host))
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}
export const sameHosts = (one: readonly Host[], other: readonly Host[]): boolean => one.length === other.length && missingIn(one, other).length === 0

const ofDomain = (zone: string) => ({ SLD: zone.split('.')[0] ?? '', TLD: zone.split('.').slice(1).join('.') })

/** @throws CertloopError DNS_RECORD_FAILED: there is no such domain here, or it is served from elsewhere */
export async function readHosts(client: Client, zone: string): Promise<HostList> {
  const { DomainDNSGetHostsResult: result } = await client.call('namecheap.domains.dns.getHosts', ofDomain(zone), Read).catch((error: unknown) => {
    if (error instanceof CertloopError && error.code === 'DNS_RECORD_FAILED') throw new CertloopError('DNS_RECORD_FAILED', `The records of ${zone} can not be read. ${error.message}`, error.facts, error)
    throw error
  })
  if (result.IsUsingOurDNS !== 'true') throw new CertloopError('DNS_RECORD_FAILED', `${zone} does not use the name servers of Namecheap: what is written there is not served.`)
  const elements = result.host ?? result.Host ?? []
  const odd = elements.find(({ IsActive: active, IsDDNSEnabled: dynamic, Name: name, Type: type }) => active === 'false' || dynamic === 'true' || name === '' || !writable.has(type))
  if (odd) throw incomplete(zone, `${odd.Name} ${odd.Type} is inactive, dynamic or of a type that can not be written back`)
  return { emailType: result.EmailType ?? '', hosts: elements.map((each) => ({ name: each.Name, type: each.Type, address: each.Address, mxPref: each.MXPref ?? '10', ttl: each.TTL ?? '1800' })) }
}

const incomplete = (zone: string, why: string) => new CertloopError('DNS_RECORD_FAILED', `Nothing was written to ${zone}: Namecheap only takes the whole list of records, and what it showed can not be written back as it is: ${why}. Change the records by hand, or validate by a CNAME record to a zone at another DNS provider.`)

/** Why this list must not be written back: a record that is missing in it would be lost. */
export function refuseIncomplete(zone: string, { emailType, hosts }: HostList): void {
  if (emailType === '') throw incomplete(zone, 'the kind of e-mail service (EmailType) is missing')
  if (hosts.length === 0) throw incomplete(zone, 'the list is empty; if the domain really has no record, add any one by hand')
  if (emailType === 'MX' && !hosts.some(({ type }) => type === 'MX')) throw incomplete(zone, 'the domain has mail servers of its own (EmailType MX), and no MX record is in the list')
}

export async function writeHosts(client: Client, zone: string, { emailType, hosts }: HostList): Promise<void> {
  const numbered = hosts.flatMap(({ name, type, address, mxPref, ttl }, index) => [[`HostName${index + 1}`, name], [`RecordType${index + 1}`, type], [`Address${index + 1}`, address], [`MXPref${index + 1}`, mxPref], [`TTL${index + 1}`, ttl]])
  const { DomainDNSSetHostsResult: result } = await client.call('namecheap.domains.dns.setHosts', { ...ofDomain(zone), EmailType: emailType, ...Object.fromEntries(numbered) as Record<string, string> }, Written)
  if (result.IsSuccess !== 'true') throw new CertloopError('DNS_RECORD_FAILED', `Namecheap did not write the records of ${zone}.`)
}
