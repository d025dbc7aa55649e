import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, TextRecord } from '@certloop/plugin-kit'
import { Type } from 'typebox'
import { again, untilWritten } from '../shared/again.ts'
import { longestZone, relativeName } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { createClient } from './client.ts'
import { type Host, type HostList, missingIn, readHosts, refuseIncomplete, sameHosts, writeHosts } from './hosts.ts'
import type { fields } from './manifest.ts'

const text = Type.String()
const Domains = Type.Object({
  DomainGetListResult: Type.Union([Type.String(), Type.Object({ Domain: Type.Optional(Type.Array(Type.Object({ Name: text, IsOurDNS: Type.Optional(text) }))) })]),
  Paging: Type.Object({ TotalItems: text }),
})
const pageSize = 100

/**
 * Namecheap has no call for one record: setHosts replaces all of a domain. So the list is read twice and has to be the same,
 * has to look whole, and is read again after writing: what is missing then is written once more, or told loudly.
 */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const client = createClient(context)

  async function listZones(): Promise<string[]> {
    const [names, seen] = [[] as string[], { count: 0 }]
    for (let page = 1; ; page++) {
      const { DomainGetListResult: result, Paging: paging } = await client.call('namecheap.domains.getList', { ListType: 'ALL', Page: String(page), PageSize: String(pageSize) }, Domains)
      const domains = typeof result === 'string' ? [] : result.Domain ?? []
      seen.count += domains.length
      names.push(...domains.filter(({ IsOurDNS: ours }) => ours !== 'false').map(({ Name: name }) => name.toLowerCase()))
      if (domains.length === 0 || seen.count >= Number(paging.TotalItems)) return names
    }
  }
  const isOurs = ({ name, value, zone }: TextRecord) => (host: Host) => host.type === 'TXT' && host.name.toLowerCase() === relativeName({ name, zone }) && host.address === value

  /** wanted: the new list; undefined: it stays as it is. */
  const change = (zone: string, wanted: (hosts: Host[]) => Host[] | undefined): Promise<void> => untilWritten(context, 'Namecheap', async () => {
    const first = await readHosts(client, zone)
    const hosts = wanted(first.hosts)
    if (hosts === undefined) return undefined
    refuseIncomplete(zone, first)
    const second = await readHosts(client, zone)
    if (second.emailType !== first.emailType || !sameHosts(first.hosts, second.hosts)) return again
    await writeWhole(zone, { emailType: first.emailType, hosts })
    return undefined
  })
  async function writeWhole(zone: string, list: HostList): Promise<void> {
    let missing: Host[] = []
    for (let time = 0; time < 2; time++) {
      await writeHosts(client, zone, list)
      const after = await readHosts(client, zone)
      missing = missingIn(list.hosts, after.hosts)
      if (missing.length === 0 && after.emailType === list.emailType) return
    }
    const lost = missing.map(({ name, type, address }) => `${name} ${type} ${address}`).join('; ')
    throw new CertloopError('DNS_RECORD_FAILED', `After writing, Namecheap does not show all records of ${zone}. Look at them now and add what is missing: ${client.clean(lost || `the kind of e-mail service ${list.emailType}`)}.`)
  }

  return {
    listZones,
    findZone: async (name) => longestZone(await listZones(), name),
    async addTxt(record) {
      const ours: Host = { name: relativeName(record), type: 'TXT', address: record.value, mxPref: '10', ttl: String(record.ttl) }
      await change(record.zone, (hosts) => (hosts.some(isOurs(record)) ? undefined : [...hosts, ours]))
      return {}
    },
    async removeTxt(record) {
      await change(record.zone, (hosts) => {
        const left = hosts.filter((host) => !isOurs(record)(host))
        return left.length === hosts.length ? undefined : left
      })
    },
    test: (steps) => testByReading(steps, { title: 'Namecheap', zones: listZones, read: (zone) => readHosts(client, zone), noZone: 'Look whether the account has domains that use the name servers of Namecheap (BasicDNS or PremiumDNS).' }),
  }
}
