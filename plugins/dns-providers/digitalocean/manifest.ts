import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressField, addressProblems } from '../shared/address.ts'

export const fields = fieldsObject({
  apiToken: field.secret({ label: 'API token', help: 'API, tokens, generate new token with custom scopes. Least scopes: domain:read, domain:create and domain:delete. It holds for all domains of the team.', sentTo: ['apiAddress'] }),
  apiAddress: addressField('https://api.digitalocean.com'),
})

export const manifest = {
  id: 'digitalocean',
  title: 'DigitalOcean',
  summary: 'Records of domains at DigitalOcean, each by itself through the API v2.',
  docsUrl: 'https://docs.digitalocean.com/reference/api/digitalocean/#tag/Domain-Records',
  fields,
  lowestTtl: 60,
  oneAtATime: 'name',
  check: (given) => addressProblems(given, ['apiAddress']),
} as const satisfies DnsProviderManifest<typeof fields>
