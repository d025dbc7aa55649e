import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressField, addressProblems } from '../shared/address.ts'

export const fields = fieldsObject({
  token: field.secret({ label: 'Personal access token', help: 'Organizations, sharing, personal access tokens; for just the domains that are to be used. Least permissions: "See and renew domain names" and "Manage domain name technical configurations". It expires: put the new one here in time.', sentTo: ['apiAddress'] }),
  apiAddress: addressField('https://api.gandi.net/v5/livedns'),
})

export const manifest = {
  id: 'gandi',
  title: 'Gandi LiveDNS',
  summary: 'Domains on the name servers of Gandi (LiveDNS), through the API v5.',
  docsUrl: 'https://api.gandi.net/docs/livedns/',
  fields,
  lowestTtl: 300,
  oneAtATime: 'name',
  check: (given) => addressProblems(given, ['apiAddress']),
} as const satisfies DnsProviderManifest<typeof fields>
