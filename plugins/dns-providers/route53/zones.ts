import { CertloopError, type Static } from '@certloop/contract'
import { longestZone, possibleZones, withoutDot } from '../shared/names.ts'
import type { Client } from './client.ts'
import { OneZone, readXml, type Zone, ZoneList } from './xml.ts'

const isPublic = ({ Config: config }: Static<typeof Zone>) => config === undefined || config === '' || config.PrivateZone !== 'true'
export const plainId = (id: string) => id.replace(/^\/(hostedzone|change)\//, '')

export interface Zones {
  listZones(): Promise<string[]>
  findZone(name: string): Promise<string | undefined>
  /** @throws CertloopError DNS_RECORD_FAILED: there is no such public zone, or several of the name */
  idOf(zone: string): Promise<string>
}

/** The public hosted zones of an account; with an id just that one. */
export function createZones(client: Client, hostedZoneId: string | undefined): Zones {
  const known = new Map<string, string>()

  const zonesFrom = async (query: Record<string, string>) => readXml(ZoneList, await client.get('/hostedzonesbyname', { ...query, maxitems: '100' })).ListHostedZonesByNameResponse
  const zonesIn = ({ HostedZones: zones }: Awaited<ReturnType<typeof zonesFrom>>) => (zones === '' ? [] : zones.HostedZone)
  async function onlyZone(): Promise<{ name: string; id: string } | undefined> {
    if (hostedZoneId === undefined) return undefined
    const [zone] = readXml(OneZone, await client.get(`/hostedzone/${hostedZoneId}`)).GetHostedZoneResponse.HostedZone
    if (!zone || !isPublic(zone)) throw new CertloopError('DNS_RECORD_FAILED', `The hosted zone ${hostedZoneId} is a private one: no authority can see its records.`)
    return { name: withoutDot(zone.Name), id: plainId(zone.Id) }
  }
  /** The public zone of just this name; undefined: there is none. */
  async function zoneId(zone: string): Promise<string | undefined> {
    if (hostedZoneId !== undefined) return (await onlyZone())?.name === zone ? hostedZoneId : undefined
    const before = known.get(zone)
    if (before !== undefined) return before
    const found = zonesIn(await zonesFrom({ dnsname: zone })).filter((each) => withoutDot(each.Name) === zone && isPublic(each)).map((each) => plainId(each.Id))
    if (found.length > 1) throw new CertloopError('DNS_RECORD_FAILED', `Route 53 has ${found.length} public hosted zones ${zone} (${found.join(', ')}). Put the ID of the one that is delegated to into the field "Hosted zone ID".`)
    if (found[0] !== undefined) known.set(zone, found[0])
    return found[0]
  }
  async function idOf(zone: string): Promise<string> {
    const id = await zoneId(zone)
    if (id === undefined) throw new CertloopError('DNS_RECORD_FAILED', `Route 53 has no public hosted zone ${zone} in this account.`)
    return id
  }

  async function listZones(): Promise<string[]> {
    const only = await onlyZone()
    if (only) return [only.name]
    const names = new Set<string>()
    for (let query: Record<string, string> = {}; ;) {
      const page = await zonesFrom(query)
      for (const zone of zonesIn(page).filter(isPublic)) names.add(withoutDot(zone.Name))
      if (page.IsTruncated !== 'true' || page.NextDNSName === undefined || page.NextHostedZoneId === undefined) return [...names]
      query = { dnsname: page.NextDNSName, hostedzoneid: page.NextHostedZoneId }
    }
  }

  return {
    listZones, idOf,
    async findZone(name) {
      const only = await onlyZone()
      if (only) return longestZone([only.name], name)
      for (const zone of possibleZones(name)) if ((await zoneId(zone)) !== undefined) return zone
      return undefined
    },
  }
}
