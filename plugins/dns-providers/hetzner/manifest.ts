import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressField, addressProblems } from '../shared/address.ts'

export const fields = fieldsObject({
  apiToken: field.secret({ label: 'API token', help: 'Cloud Console, the project of the zones, security, API tokens. It needs the permission Read and Write, and holds for the whole project: keep the zones in a project of their own. Tokens of the former DNS Console do not work.', sentTo: ['apiAddress'] }),
  apiAddress: addressField('https://api.hetzner.cloud/v1'),
})

export const manifest = {
  id: 'hetzner',
  title: 'Hetzner',
  summary: 'DNS zones in the Hetzner Cloud Console; values are added to and taken from sets of records.',
  docsUrl: 'https://docs.hetzner.cloud/reference/cloud#zones',
  fields,
  lowestTtl: 60,
  oneAtATime: 'name',
  check: (given) => addressProblems(given, ['apiAddress']),
} as const satisfies DnsProviderManifest<typeof fields>
