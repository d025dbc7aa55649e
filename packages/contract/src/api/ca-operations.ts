import { Type } from 'typebox'
import { idText, instant, literals, nullable, pem, keyAlgorithm } from '../text.ts'
import * as c from './ca-resources.ts'
import { byId, list, op, page, query } from './operation.ts'

const strict = { additionalProperties: false } as const
const tag = 'built-in CA'
const issuer = byId({ id: idText('iss') })
const issued = byId({ id: idText('cac') })
const profile = byId({ name: Type.String({ minLength: 1, maxLength: 100 }) })

/** The built-in CA: issuers, profiles, what was issued. */
export const caOperations = {
  listIssuers: op({ method: 'GET', path: '/ca/issuers', access: 'ca:read', tag, summary: 'Roots and intermediates', response: list(c.Issuer), status: 200 }),
  getIssuer: op({ method: 'GET', path: '/ca/issuers/{id}', access: 'ca:read', tag, summary: 'One issuer with its certificates and lists', params: issuer, response: c.Issuer, status: 200 }),
  createIssuer: op({ method: 'POST', path: '/ca/issuers', access: 'ca:write', tag, summary: 'Make a root, an intermediate, or one to be signed elsewhere', body: c.IssuerInput, response: c.Issuer, status: 201 }),
  importIssuer: op({ method: 'POST', path: '/ca/issuer-imports', access: 'ca:write', tag, summary: 'Take over a CA made elsewhere', body: c.IssuerImport, response: c.Issuer, status: 201 }),
  configureIssuer: op({ method: 'PUT', path: '/ca/issuers/{id}/settings', access: 'ca:write', tag, summary: 'How it publishes', params: issuer, body: c.IssuerSettingsInput, response: c.Issuer, status: 200 }),
  installIssuerCertificate: op({ method: 'POST', path: '/ca/issuers/{id}/certificates', access: 'ca:write', tag, summary: 'Install a certificate that somebody signed for it', params: issuer, body: Type.Object({ certificatesPem: Type.String({ maxLength: 500_000, description: 'Its certificate, and those above it up to the root' }) }, strict), response: c.Issuer, status: 200 }),
  preferIssuerCertificate: op({ method: 'PUT', path: '/ca/issuers/{id}/preferred-certificate', access: 'ca:write', tag, summary: 'Which of its certificates goes into chains', params: issuer, body: Type.Object({ certificateId: idText('icc') }, strict), response: c.Issuer, status: 200 }),
  rollOverIssuer: op({ method: 'POST', path: '/ca/issuers/{id}/actions/roll-over', access: 'ca:write', tag, summary: 'Replace an intermediate by a new one with a new key; both stay valid side by side', params: issuer, body: Type.Object({ keyAlgorithm: Type.Optional(keyAlgorithm), validityDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 9132 })), later: Type.Optional(Type.Boolean({ description: 'The old one goes on until the new one is activated' })) }, strict), response: c.Issuer, status: 201 }),
  crossSignIssuer: op({ method: 'POST', path: '/ca/issuers/{id}/actions/cross-sign', access: 'ca:write', tag, summary: 'Let another issuer certify the key of this one', params: issuer, body: Type.Object({ signedBy: idText('iss'), validityDays: Type.Integer({ minimum: 1, maximum: 9132 }) }, strict), response: c.Issuer, status: 201 }),
  activateIssuer: op({ method: 'POST', path: '/ca/issuers/{id}/actions/activate', access: 'ca:write', tag, summary: 'Make it the intermediate in use; the one before retires', params: issuer, response: c.Issuer, status: 200 }),
  retireIssuer: op({ method: 'POST', path: '/ca/issuers/{id}/actions/retire', access: 'ca:write', tag, summary: 'Sign nothing new with it', params: issuer, response: c.Issuer, status: 200 }),
  publishCrl: op({ method: 'POST', path: '/ca/issuers/{id}/actions/publish-crl', access: 'ca:revoke', tag, summary: 'Make its revocation lists anew now', params: issuer, response: c.Issuer, status: 200 }),

  listProfiles: op({ method: 'GET', path: '/ca/profiles', access: 'ca:read', tag, summary: 'Issuance profiles', response: list(c.IssuanceProfile), status: 200 }),
  createProfile: op({ method: 'POST', path: '/ca/profiles', access: 'ca:write', tag, summary: 'Make a profile', body: Type.Object({ name: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,59}$' }), rules: c.ProfileRules }, strict), response: c.IssuanceProfile, status: 201 }),
  updateProfile: op({ method: 'PUT', path: '/ca/profiles/{name}', access: 'ca:write', tag, summary: 'Change a profile; what was issued stays as it is', params: profile, body: Type.Object({ rules: c.ProfileRules, revision: Type.Integer({ minimum: 1, description: 'As it was read' }) }, strict), response: c.IssuanceProfile, status: 200 }),
  deleteProfile: op({ method: 'DELETE', path: '/ca/profiles/{name}', access: 'ca:write', tag, summary: 'Delete a profile', params: profile, response: null, status: 204 }),

  listIssuedCertificates: op({ method: 'GET', path: '/ca/certificates', access: 'ca:read', tag, summary: 'What the built-in CA issued, newest first', query: query({ search: Type.Optional(Type.String({ maxLength: 200, description: 'Part of a name or subject, or a serial number' })), status: Type.Optional(literals([...c.issuedStatuses, 'expired'] as const)), issuerId: Type.Optional(idText('iss')) }), response: page(c.IssuedCertificate), status: 200 }),
  getIssuedCertificate: op({ method: 'GET', path: '/ca/certificates/{id}', access: 'ca:read', tag, summary: 'One issued certificate', params: issued, response: c.IssuedCertificateDetail, status: 200 }),
  issueCertificate: op({ method: 'POST', path: '/ca/certificates', access: 'ca:issue', tag, summary: 'Issue a certificate for a CSR', body: c.IssueInput, response: c.IssuedCertificateDetail, status: 201 }),
  revokeCertificate: op({ method: 'POST', path: '/ca/certificates/{id}/actions/revoke', access: 'ca:revoke', tag, summary: 'Revoke for ever', params: issued, body: Type.Object({ reason: literals(c.revocationReasonsToGive), invalidityDate: Type.Optional(nullable(instant)) }, strict), response: c.IssuedCertificateDetail, status: 200 }),
  suspendCertificate: op({ method: 'POST', path: '/ca/certificates/{id}/actions/suspend', access: 'ca:revoke', tag, summary: 'Suspend (certificateHold)', params: issued, response: c.IssuedCertificateDetail, status: 200 }),
  resumeCertificate: op({ method: 'POST', path: '/ca/certificates/{id}/actions/resume', access: 'ca:revoke', tag, summary: 'Take a suspension back', params: issued, response: c.IssuedCertificateDetail, status: 200 }),
  inspectCsr: op({ method: 'POST', path: '/csr-inspections', access: 'certificate:read', tag, summary: 'Read a CSR back into fields, with what is wrong with it', body: Type.Object({ csrPem: pem }, strict), response: c.CsrReport, status: 200 }),
} as const
