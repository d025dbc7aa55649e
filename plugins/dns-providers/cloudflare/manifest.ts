import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressField, addressProblems } from '../shared/address.ts'

export const fields = fieldsObject({
  apiToken: field.secret({ label: 'API token', help: 'My profile, API tokens, Create token (or one of the account). Least permissions: Zone / Zone / Read and Zone / DNS / Edit, for just the zones that are to be used.', sentTo: ['apiAddress'] }),
  zoneToken: field.optional(field.secret({ label: 'Token for finding zones', help: 'Only where the API token may edit records and not see zones: another one with the permission Zone / Zone / Read.', sentTo: ['apiAddress'] })),
  apiAddress: addressField('https://api.cloudflare.com/client/v4'),
})

export const manifest = {
  id: 'cloudflare',
  title: 'Cloudflare',
  summary: 'Records of zones at Cloudflare, each by itself through the API v4.',
  docsUrl: 'https://developers.cloudflare.com/api/resources/dns/',
  fields,
  lowestTtl: 60,
  oneAtATime: 'name',
  check: (given) => addressProblems(given, ['apiAddress']),
} as const satisfies DnsProviderManifest<typeof fields>
