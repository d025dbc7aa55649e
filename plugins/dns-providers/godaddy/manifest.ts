import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressField, addressProblems } from '../shared/address.ts'

export const fields = fieldsObject({
  apiKey: field.text({ label: 'API key', help: 'developer.godaddy.com, API keys, of the environment Production.' }),
  apiSecret: field.secret({ label: 'API secret', help: 'Shown once when the key is made. A key has no scopes: it may do all that the account may. GoDaddy gives the API only to accounts with at least 10 domains or a Discount Domain Club plan.', sentTo: ['apiKey', 'apiAddress'] }),
  shopperId: field.optional(field.text({ label: 'Shopper ID', help: 'Only for resellers: the customer whose domains these are.' })),
  apiAddress: addressField('https://api.godaddy.com'),
})

export const manifest = {
  id: 'godaddy',
  title: 'GoDaddy',
  summary: 'DNS records of domains at GoDaddy, through the Domains API.',
  docsUrl: 'https://developer.godaddy.com/doc/endpoint/domains',
  fields,
  lowestTtl: 600,
  oneAtATime: 'name',
  check: (given) => addressProblems(given, ['apiAddress']),
} as const satisfies DnsProviderManifest<typeof fields>
