import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressProblem } from '../shared/address.ts'

export const fields = fieldsObject({
  url: field.text({ label: 'Address of the API', help: 'Of the web server of PowerDNS or the proxy before it, without /api, e.g. https://dns1.example.net:8443.' }),
  apiKey: field.secret({ label: 'API key', help: '"api-key" in pdns.conf. PowerDNS has one key, and who has it may change every zone of the server; for lesser rights put a proxy before the API that lets through the zones for validations alone.', sentTo: ['url', 'trustPem', 'plainHttp'] }),
  serverId: field.text({ label: 'Server id', help: 'localhost, unless a proxy before the API knows several servers.', default: 'localhost' }),
  trustPem: field.optional(field.pem({ label: 'Trusted certificates', help: 'PEM of the authority that issued the TLS certificate of the API, where it is not a public one.' })),
  plainHttp: field.switch({ label: 'Without TLS', help: 'Takes an address with http://: the API key then goes over the network in the clear. Only within a network that is trusted.', default: false }),
})

export const manifest = {
  id: 'powerdns',
  title: 'PowerDNS',
  summary: 'PowerDNS Authoritative Server through its API.',
  docsUrl: 'https://doc.powerdns.com/authoritative/http-api/',
  fields,
  lowestTtl: 1,
  oneAtATime: 'zone',
  check: ({ url, plainHttp }) => {
    const problem = addressProblem(plainHttp ? url.replace(/^http:/i, 'https:') : url)
    return problem === undefined ? [] : [{ field: 'url', problem }]
  },
} as const satisfies DnsProviderManifest<typeof fields>
