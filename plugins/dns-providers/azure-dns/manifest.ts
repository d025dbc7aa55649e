import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressField, addressProblems } from '../shared/address.ts'

const inPath = /^[\w().-]+$/
export const fields = fieldsObject({
  tenantId: field.text({ label: 'Directory (tenant) ID', help: 'Microsoft Entra ID, overview.' }),
  clientId: field.text({ label: 'Application (client) ID', help: 'Microsoft Entra ID, app registrations: one made for this alone.' }),
  clientSecret: field.secret({ label: 'Client secret', help: 'Certificates and secrets of the app registration; the value, not the ID. The application needs the role "DNS Zone Contributor" on the zones, or a role of your own that may read zones and read, write and delete TXT sets (see the README).', sentTo: ['tenantId', 'clientId', 'cloud', 'loginAddress'] }),
  subscriptionId: field.text({ label: 'Subscription ID', help: 'The subscription that holds the zones.' }),
  resourceGroup: field.optional(field.text({ label: 'Resource group', help: 'Empty: all zones of the subscription that the application may see.' })),
  cloud: field.choice({ label: 'Cloud', help: 'Where the subscription lives.', values: { public: 'Azure', usgov: 'Azure Government', china: 'Azure China' }, default: 'public' }),
  managementAddress: addressField('that of Azure Resource Manager in the chosen cloud', 'Address of Azure Resource Manager'),
  loginAddress: addressField('that of Microsoft Entra ID in the chosen cloud', 'Address for signing in'),
})

export const manifest = {
  id: 'azure-dns',
  title: 'Azure DNS',
  summary: 'Public zones of Azure DNS; each change is bound to the etag that was read.',
  docsUrl: 'https://learn.microsoft.com/rest/api/dns/',
  fields,
  lowestTtl: 60,
  oneAtATime: 'name',
  check: (given) => [
    ...addressProblems(given, ['managementAddress', 'loginAddress']),
    ...(['tenantId', 'subscriptionId', 'resourceGroup'] as const).flatMap((name) => (given[name] === undefined || inPath.test(given[name]) ? [] : [{ field: name, problem: 'Letters, digits, dots, hyphens, underscores and parentheses only.' }])),
  ],
} as const satisfies DnsProviderManifest<typeof fields>
