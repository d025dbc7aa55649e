import { Type } from 'typebox'
import { validationStates } from '../states.ts'
import { idText, literals } from '../text.ts'
import * as a from './authority-resources.ts'
import { byId, list, op, page, query } from './operation.ts'

const authorityId = byId({ id: idText('ath') })
const providerId = byId({ id: idText('dnp') })

export const authorityOperations = {
  listAuthorityTypes: op({ method: 'GET', path: '/authority-types', access: 'authority:read', tag: 'authorities', summary: 'Kinds of connectors with their fields and ready-made entries', response: list(a.AuthorityType), status: 200 }),
  listAuthorities: op({ method: 'GET', path: '/authorities', access: 'authority:read', tag: 'authorities', summary: 'Configured authorities', response: list(a.Authority), status: 200 }),
  createAuthority: op({ method: 'POST', path: '/authorities', access: 'authority:write', tag: 'authorities', summary: 'Add an authority; it is tested at once, and kept whatever the test says', body: a.AuthorityInput, response: a.Authority, status: 201 }),
  getAuthority: op({ method: 'GET', path: '/authorities/{id}', access: 'authority:read', tag: 'authorities', summary: 'One authority with its health', params: authorityId, response: a.Authority, status: 200 }),
  updateAuthority: op({ method: 'PUT', path: '/authorities/{id}', access: 'authority:write', tag: 'authorities', summary: 'Change an authority. Its kind stays; secrets left out stay', params: authorityId, body: a.AuthorityInput, response: a.Authority, status: 200 }),
  deleteAuthority: op({ method: 'DELETE', path: '/authorities/{id}', access: 'authority:write', tag: 'authorities', summary: 'Remove an authority that no configuration and no open order names', params: authorityId, response: null, status: 204 }),
  testAuthority: op({ method: 'POST', path: '/authorities/{id}/actions/test', access: 'certificate:order', tag: 'authorities', summary: 'Test an authority now, and say what was tried and seen', params: authorityId, response: a.TestReport, status: 200 }),
  rollAuthorityKey: op({ method: 'POST', path: '/authorities/{id}/actions/roll-account-key', access: 'authority:write', tag: 'authorities', summary: 'Replace the key of the account at the authority', params: authorityId, response: a.Authority, status: 200 }),
  getAuthorityUse: op({ method: 'GET', path: '/authorities/{id}/use', access: 'authority:read', tag: 'authorities', summary: 'How much of the rate limits is used', params: authorityId, response: a.AuthorityUse, status: 200 }),
} as const

export const dnsProviderOperations = {
  listDnsProviderTypes: op({ method: 'GET', path: '/dns-provider-types', access: 'dns:read', tag: 'DNS providers', summary: 'Kinds of DNS providers with their fields', response: list(a.DnsProviderType), status: 200 }),
  listDnsProviders: op({ method: 'GET', path: '/dns-providers', access: 'dns:read', tag: 'DNS providers', summary: 'Configured DNS providers', response: list(a.DnsProvider), status: 200 }),
  createDnsProvider: op({ method: 'POST', path: '/dns-providers', access: 'dns:write', tag: 'DNS providers', summary: 'Add a DNS provider; it is tested at once, and kept whatever the test says', body: a.DnsProviderInput, response: a.DnsProvider, status: 201 }),
  getDnsProvider: op({ method: 'GET', path: '/dns-providers/{id}', access: 'dns:read', tag: 'DNS providers', summary: 'One DNS provider with its zones and health', params: providerId, response: a.DnsProvider, status: 200 }),
  updateDnsProvider: op({ method: 'PUT', path: '/dns-providers/{id}', access: 'dns:write', tag: 'DNS providers', summary: 'Change a DNS provider. Its kind stays; secrets left out stay', params: providerId, body: a.DnsProviderInput, response: a.DnsProvider, status: 200 }),
  deleteDnsProvider: op({ method: 'DELETE', path: '/dns-providers/{id}', access: 'dns:write', tag: 'DNS providers', summary: 'Remove a DNS provider that no configuration names and that has no record of ours to remove', params: providerId, response: null, status: 204 }),
  testDnsProvider: op({ method: 'POST', path: '/dns-providers/{id}/actions/test', access: 'dns:write', tag: 'DNS providers', summary: 'Test a DNS provider now; with a name, also write a record below it, look for it and remove it', params: providerId, body: Type.Object({ name: Type.Optional(Type.String({ maxLength: 255, description: 'e.g. www.example.com' })) }, { additionalProperties: false }), response: a.TestReport, status: 200 }),
} as const

export const validationOperations = {
  listOrderAttempts: op({ method: 'GET', path: '/orders/{id}/attempts', access: 'order:read', tag: 'orders', summary: 'Which authorities the order asked, one after the other', params: byId({ id: idText('ord') }), response: list(a.OrderAttempt), status: 200 }),
  listValidations: op({ method: 'GET', path: '/validations', access: 'order:read', tag: 'validations', summary: 'Names that are to be proven to an authority, newest first', query: query({ orderId: Type.Optional(idText('ord')), certificateId: Type.Optional(idText('crt')), state: Type.Optional(literals(validationStates)) }), response: page(a.Validation), status: 200 }),
  getValidation: op({ method: 'GET', path: '/validations/{id}', access: 'order:read', tag: 'validations', summary: 'One validation: what is expected, and what was seen from outside', params: byId({ id: idText('val') }), response: a.Validation, status: 200 }),
  checkValidation: op({ method: 'POST', path: '/validations/{id}/actions/check', access: 'order:write', tag: 'validations', summary: 'Look from outside now; it goes on by itself when the proof is visible', params: byId({ id: idText('val') }), response: a.Validation, status: 200 }),
} as const
