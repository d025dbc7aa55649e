import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { isIPv4 } from 'node:net'
import { addressField, addressProblems } from '../shared/address.ts'

export const fields = fieldsObject({
  userName: field.text({ label: 'User name', help: 'Of the Namecheap account.' }),
  apiKey: field.secret({ label: 'API key', help: 'Profile, tools, API access. A key has no scopes: it may do all that the account may. Namecheap gives the API only to accounts of some size (20 domains or so).', sentTo: ['userName', 'apiAddress'] }),
  clientIp: field.text({ label: 'Own IPv4 address', help: 'The public address that this control plane calls from. It has to be on the list of allowed addresses beside the key.' }),
  apiAddress: addressField('https://api.namecheap.com/xml.response'),
})

export const manifest = {
  id: 'namecheap',
  title: 'Namecheap',
  summary: "Domains on Namecheap's own name servers. Each change writes the whole list of records, which is read, compared and checked around it.",
  docsUrl: 'https://www.namecheap.com/support/api/methods/',
  fields,
  lowestTtl: 60,
  oneAtATime: 'zone',
  check: (given) => [
    ...addressProblems(given, ['apiAddress']),
    ...(isIPv4(given.clientIp) ? [] : [{ field: 'clientIp', problem: 'An IPv4 address such as 192.0.2.7.' }]),
  ],
} as const satisfies DnsProviderManifest<typeof fields>
