import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressField, addressProblem, addressProblems } from '../shared/address.ts'
import { readKey } from './service-account.ts'

const inPath = /^[a-z0-9:.-]+$/
export const fields = fieldsObject({
  serviceAccountKey: field.secret({ label: 'Key of the service account', help: 'The JSON file that IAM and Admin, service accounts, keys gives: all of it. The account needs the role "DNS Administrator" on the project or the zone, or one of your own with the permissions in the README.', sentTo: ['apiAddress'] }),
  project: field.optional(field.text({ label: 'Project ID', help: 'Empty: the project of the service account.' })),
  managedZone: field.optional(field.text({ label: 'Zone name', help: 'Only where the account may not list zones, or two public zones have the same DNS name: the name that the zone has in Cloud DNS, such as example-com.' })),
  apiAddress: addressField('https://dns.googleapis.com'),
})

/** What is wrong with the key itself. */
function keyProblem(text: string): string | undefined {
  const key = readKey(text)
  if (key === undefined) return 'This is not the JSON file of a service account key: it has to have client_email, private_key and token_uri.'
  return addressProblem(key.token_uri) === undefined ? undefined : 'The token_uri in the key is no https address.'
}

export const manifest = {
  id: 'google-cloud-dns',
  title: 'Google Cloud DNS',
  summary: 'Public zones of Cloud DNS; each change is one transaction against what was read.',
  docsUrl: 'https://cloud.google.com/dns/docs/reference/rest/v1',
  fields,
  lowestTtl: 60,
  oneAtATime: 'name',
  check: (given) => {
    const problem = typeof given.serviceAccountKey === 'string' ? keyProblem(given.serviceAccountKey) : undefined
    return [
      ...addressProblems(given, ['apiAddress']), ...(problem === undefined ? [] : [{ field: 'serviceAccountKey', problem }]),
      ...(['project', 'managedZone'] as const).flatMap((name) => (given[name] === undefined || inPath.test(given[name]) ? [] : [{ field: name, problem: 'Lower case letters, digits and hyphens, as Google Cloud shows it.' }])),
    ]
  },
} as const satisfies DnsProviderManifest<typeof fields>
