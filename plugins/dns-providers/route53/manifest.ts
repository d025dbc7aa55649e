import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressField, addressProblems } from '../shared/address.ts'

export const fields = fieldsObject({
  accessKeyId: field.text({ label: 'Access key ID', help: 'IAM, users, security credentials: an access key of a user made for this alone.' }),
  secretAccessKey: field.secret({ label: 'Secret access key', help: 'Shown once when the access key is made. The user needs a policy that allows route53:ListHostedZonesByName, and for the zones route53:ListResourceRecordSets, route53:ChangeResourceRecordSets (TXT is enough) and route53:GetChange. The README has it whole.', sentTo: ['accessKeyId', 'cloud', 'apiAddress'] }),
  cloud: field.choice({ label: 'Cloud', help: 'Where the account lives.', values: { aws: 'AWS', china: 'AWS China', gov: 'AWS GovCloud (US)' }, default: 'aws' }),
  hostedZoneId: field.optional(field.text({ label: 'Hosted zone ID', help: 'Only where several public zones have the same name, or the policy lists no zones: all records go into this one. Needs route53:GetHostedZone instead of the list.' })),
  apiAddress: addressField('the address of Route 53 in the chosen cloud'),
})

export const manifest = {
  id: 'route53',
  title: 'Amazon Route 53',
  summary: 'Public hosted zones of Route 53; each change is one transaction against what was read.',
  docsUrl: 'https://docs.aws.amazon.com/Route53/latest/APIReference/',
  fields,
  lowestTtl: 60,
  oneAtATime: 'name',
  check: (given) => [
    ...addressProblems(given, ['apiAddress']),
    ...(given.hostedZoneId === undefined || /^[A-Z0-9]{1,32}$/.test(given.hostedZoneId) ? [] : [{ field: 'hostedZoneId', problem: 'An ID such as Z0123456789ABC, without "/hostedzone/".' }]),
  ],
} as const satisfies DnsProviderManifest<typeof fields>
