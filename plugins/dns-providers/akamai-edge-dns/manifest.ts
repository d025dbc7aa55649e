import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressProblem } from '../shared/address.ts'

const where = 'From the credentials of an API client (Akamai Control Center, identity and access, API clients, or the file .edgerc). The client needs the API "DNS—Zone Record Management" with the right READ-WRITE, and groups and contracts of just the zones that are to be used.'
const sentTo = ['host']
export const fields = fieldsObject({
  host: field.text({ label: 'Host', help: 'As in the credentials: akab-….luna.akamaiapis.net.' }),
  clientToken: field.secret({ label: 'Client token', help: where, sentTo }),
  clientSecret: field.secret({ label: 'Client secret', help: `Only signs. ${where}`, sentTo }),
  accessToken: field.secret({ label: 'Access token', help: where, sentTo }),
  accountSwitchKey: field.optional(field.text({ label: 'Account switch key', help: 'Only for partners who manage the accounts of others.' })),
})

/** With https:// in front where it is the bare name of the credentials. */
export const addressOfHost = (host: string): string => (host.includes('://') ? host : `https://${host}`)

export const manifest = {
  id: 'akamai-edge-dns',
  title: 'Akamai Edge DNS',
  summary: 'Primary zones of Edge DNS, through the API v2 with EdgeGrid signatures.',
  docsUrl: 'https://techdocs.akamai.com/edge-dns/reference/edge-dns-api',
  fields,
  lowestTtl: 120,
  oneAtATime: 'zone',
  check: ({ host }) => {
    const problem = typeof host === 'string' ? addressProblem(addressOfHost(host)) : undefined
    return problem === undefined ? [] : [{ field: 'host', problem }]
  },
} as const satisfies DnsProviderManifest<typeof fields>
