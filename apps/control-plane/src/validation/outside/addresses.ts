import { isIP, isIPv6 } from 'node:net'
import { addressGuard } from '@certloop/plugin-kit'
import { bad, good, mostAddresses, problem, type Finding, type Sight } from './finding.ts'

const publicOnly = addressGuard([])

export interface Addresses {
  /** Those that may be called, at most twenty. */
  addresses: string[]
  findings: Finding[]
}

/** All that a name resolves to; an IP address is its own. A name without any is a finding. @throws CertloopError DNS_LOOKUP_FAILED, DNS_DELEGATION_BROKEN */
export async function addressesOf({ resolver, guard, signal }: Sight, host: string): Promise<Addresses> {
  const found = isIP(host) === 0 ? await resolver.addresses(host, signal) : { outcome: 'found' as const, name: host, chain: [], addresses: [host] }
  const title = `addresses of ${host}`
  const leads = found.chain.length > 0 ? ` (${found.chain.join(' → ')})` : ''
  if (found.addresses.length === 0) {
    const why = found.outcome === 'nxdomain' ? 'does not exist in DNS' : 'has neither an A nor an AAAA record'
    return { addresses: [], findings: [bad(title, problem('DNS_NAME_UNKNOWN', `${found.name} ${why}${leads}.`, { name: host }))] }
  }
  const listed = found.addresses.slice(0, mostAddresses)
  const allowed = listed.filter((address) => guard.allows(address))
  const refused = listed.filter((address) => !guard.allows(address))
  const findings = [good(title, `${found.addresses.join(', ')}${leads}`), ...refused.map((address) => bad(`address ${address}`, problem('ADDRESS_NOT_ALLOWED', `${host} leads to ${address}, which outgoing calls may not reach. A public authority does not reach it either.`, { address })))]
  // Whoever looks from the internet may see something else. Inside a network of its own that is as it should be: no doubt, a hint.
  if (isIP(host) === 0 && !listed.some((address) => publicOnly.allows(address))) {
    findings.push(good(`split DNS for ${host}`, `The DNS servers asked here give private addresses only (${listed.join(', ')}). A public authority asks public ones and may see other addresses or none; public servers in the setting dns-servers show what it sees.`))
  }
  return { addresses: allowed, findings }
}

/** As it stands in a URL. */
export const inUrl = (address: string): string => (isIPv6(address) ? `[${address}]` : address)

/** This machine has no way to the address, which says nothing about the address. */
export const hasNoWay = (errno: string): boolean => ['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EPROTONOSUPPORT'].includes(errno)
