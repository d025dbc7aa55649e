import { zoneOf } from '@certloop/dns'
import { parse } from 'tldts'
import { problem, type Sight } from './finding.ts'

/** Of a registry such as "com" or "co.uk", or the root: no domain of anybody's. */
export const isRegistry = (zone: string): boolean => {
  const { publicSuffix, isIcann } = parse(zone, { allowPrivateDomains: false })
  return zone === '' || (isIcann === true && publicSuffix === zone)
}

/**
 * Where CNAME and DNAME records lead from a name. `chain` has all names on the way, first to last; it is empty where nothing leads on.
 * @throws CertloopError DNS_DELEGATION_BROKEN: in a circle, longer than ten, or to a domain that nobody has registered; DNS_LOOKUP_FAILED
 */
export async function delegatedName({ resolver, signal }: Pick<Sight, 'resolver' | 'signal'>, recordName: string): Promise<{ name: string; chain: string[] }> {
  const { name, chain, outcome } = await resolver.look({ name: recordName, type: 'CNAME' }, signal)
  if (chain.length > 0 && outcome === 'nxdomain') {
    const zone = await zoneOf(resolver, name, signal)
    if (zone !== null && isRegistry(zone)) throw problem('DNS_DELEGATION_BROKEN', `The CNAME record of ${recordName} leads to ${name}, in a domain that nobody has registered (${chain.join(' → ')}). Whoever registers it could get certificates for this name.`, { name: recordName, target: name })
  }
  return { name, chain }
}
