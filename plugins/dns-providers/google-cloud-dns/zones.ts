import { CertloopError, type Static } from '@certloop/contract'
import { Type } from 'typebox'
import type { Api } from '../shared/api.ts'
import { longestZone, possibleZones, withoutDot } from '../shared/names.ts'

const Zone = Type.Object({ name: Type.String({ pattern: '^[a-z0-9-]+$' }), dnsName: Type.String(), visibility: Type.Optional(Type.String()) })
const Zones = Type.Object({ kind: Type.String(), managedZones: Type.Optional(Type.Array(Zone)), nextPageToken: Type.Optional(Type.String()) })

export interface Zones {
  listZones(): Promise<string[]>
  findZone(name: string): Promise<string | undefined>
  /** Address of the zone in the API. @throws CertloopError DNS_RECORD_FAILED: there is no such public zone, or several of the name */
  addressOf(zone: string): Promise<string>
}

/** The public zones of a project; with the name of one in Cloud DNS just that one. */
export function createZones(api: Api, base: string, managedZone: string | undefined): Zones {
  const page = (query: Record<string, string>) => api.json(Zones, { method: 'GET', url: `${base}?${String(new URLSearchParams(query))}` })
  const isPublic = ({ visibility }: Static<typeof Zone>) => visibility !== 'private'
  async function onlyZone(): Promise<Static<typeof Zone> | undefined> {
    if (managedZone === undefined) return undefined
    const zone = await api.json(Zone, { method: 'GET', url: `${base}/${managedZone}` })
    if (isPublic(zone)) return zone
    throw new CertloopError('DNS_RECORD_FAILED', `The zone ${managedZone} is a private one: no authority can see its records.`)
  }
  /** The public zones of just this DNS name, by their names in Cloud DNS. */
  async function zonesNamed(zone: string): Promise<string[]> {
    const only = await onlyZone()
    if (only) return withoutDot(only.dnsName) === zone ? [only.name] : []
    return ((await page({ dnsName: `${zone}.` })).managedZones ?? []).filter((each) => isPublic(each) && withoutDot(each.dnsName) === zone).map(({ name }) => name)
  }
  async function addressOf(zone: string): Promise<string> {
    const found = await zonesNamed(zone)
    if (found.length > 1) throw new CertloopError('DNS_RECORD_FAILED', `Cloud DNS has ${found.length} public zones ${zone} (${found.join(', ')}). Put the name of the one that is delegated to into the field "Zone name".`)
    if (found[0] === undefined) throw new CertloopError('DNS_RECORD_FAILED', `Cloud DNS shows no public zone ${zone} to this service account.`)
    return `${base}/${found[0]}`
  }

  async function listZones(): Promise<string[]> {
    const only = await onlyZone()
    if (only) return [withoutDot(only.dnsName)]
    const names = new Set<string>()
    for (let query: Record<string, string> = {}; ;) {
      const { managedZones = [], nextPageToken } = await page(query)
      for (const zone of managedZones.filter(isPublic)) names.add(withoutDot(zone.dnsName))
      if (!nextPageToken) return [...names]
      query = { pageToken: nextPageToken }
    }
  }

  return {
    listZones, addressOf,
    async findZone(name) {
      const only = await onlyZone()
      if (only) return longestZone([withoutDot(only.dnsName)], name)
      for (const zone of possibleZones(name)) if ((await zonesNamed(zone)).length > 0) return zone
      return undefined
    },
  }
}
