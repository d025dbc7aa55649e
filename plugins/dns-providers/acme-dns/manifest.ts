import { field, fieldsObject } from '@certloop/contract'
import type { DnsProviderManifest } from '@certloop/plugin-kit'
import { addressProblem } from '../shared/address.ts'
import { readAccounts } from './accounts.ts'

export const fields = fieldsObject({
  url: field.text({ label: 'Address of acme-dns', help: 'Of its API, e.g. https://auth.example.org.' }),
  accounts: field.secret({ label: 'Accounts', help: 'What acme-dns answered to "curl -X POST https://auth.example.org/register": JSON with username, password, fulldomain and subdomain; or several of them in a list, or by name as clients keep them in a file. Each may change the TXT values of its own name and nothing else; "allowfrom" at registering restricts it to addresses.', sentTo: ['url', 'trustPem', 'plainHttp'] }),
  dnsServer: field.optional(field.text({ label: 'DNS server', help: 'Where acme-dns answers DNS questions, with a port or without. Empty: the host of the address, port 53. It is looked there whether a value is in place already.' })),
  trustPem: field.optional(field.pem({ label: 'Trusted certificates', help: 'PEM of the authority that issued the TLS certificate of the API, where it is not a public one.' })),
  plainHttp: field.switch({ label: 'Without TLS', help: 'Takes an address with http://: the passwords of the accounts then go over the network in the clear. Only within a network that is trusted.', default: false }),
})

export const manifest = {
  id: 'acme-dns',
  title: 'acme-dns',
  summary: 'acme-dns, a DNS server for validations that are handed on to it by CNAME.',
  docsUrl: 'https://github.com/joohoi/acme-dns',
  fields,
  lowestTtl: 1,
  oneAtATime: 'name',
  delegationOnly: true,
  keepsLatest: 2,
  check: ({ url, accounts, plainHttp }) => {
    const address = addressProblem(plainHttp ? url.replace(/^http:/i, 'https:') : url)
    const read = readAccounts(accounts)
    return [...(address === undefined ? [] : [{ field: 'url', problem: address }]), ...(typeof read === 'string' ? [{ field: 'accounts', problem: read }] : [])]
  },
} as const satisfies DnsProviderManifest<typeof fields>
