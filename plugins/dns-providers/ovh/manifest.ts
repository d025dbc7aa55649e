import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressField, addressProblems } from '../shared/address.ts'

const rights = 'Made at the address createToken of the endpoint, such as eu.api.ovh.com/createToken. Least rights: GET /domain/zone, and for each zone GET, POST and DELETE /domain/zone/example.com/* (the README has them).'
export const fields = fieldsObject({
  endpoint: field.choice({ label: 'Endpoint', help: 'Where the account lives.', values: { eu: 'OVHcloud Europe', ca: 'OVHcloud Canada', us: 'OVHcloud US' }, default: 'eu' }),
  applicationKey: field.text({ label: 'Application key', help: rights }),
  applicationSecret: field.secret({ label: 'Application secret', help: `Goes with the application key; it only signs. ${rights}`, sentTo: ['endpoint', 'applicationKey', 'apiAddress'] }),
  consumerKey: field.secret({ label: 'Consumer key', help: `Says whose domains these are and what may be done. ${rights}`, sentTo: ['endpoint', 'applicationKey', 'apiAddress'] }),
  apiAddress: addressField('the address of the chosen endpoint'),
})

export const manifest = {
  id: 'ovh',
  title: 'OVHcloud',
  summary: 'Records of DNS zones at OVHcloud, each by itself; the zone is refreshed after each change.',
  docsUrl: 'https://eu.api.ovh.com/console/?section=%2Fdomain',
  fields,
  lowestTtl: 60,
  oneAtATime: 'zone',
  check: (given) => addressProblems(given, ['apiAddress']),
} as const satisfies DnsProviderManifest<typeof fields>
