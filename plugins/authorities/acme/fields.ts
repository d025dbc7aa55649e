import { field, fieldsObject } from '@certloop/contract'
import type { Static } from 'typebox'

export const fields = fieldsObject({
  directoryUrl: field.text({ label: 'Directory', help: 'Address of the ACME directory, with https, as the authority names it.' }),
  termsAgreed: field.optional(field.switch({ label: 'Terms of service agreed to', help: 'On: the terms of service that the directory names are agreed to when the account is made. Without it no account is made where there are such terms; the test shows their address.', default: false })),
  contact: field.optional(field.text({ label: 'Contact', help: 'E-mail addresses for news of the authority, separated by commas. Not every authority keeps them.' })),
  eabKeyId: field.optional(field.text({ label: 'External account: key id', help: 'Only where the authority makes accounts for its customers alone (EAB). From its customer page, or as the help of the ready-made entry says. Another key id makes another account.' })),
  eabHmacKey: field.optional(field.secret({ label: 'External account: HMAC key', help: 'Belongs to the key id; base64url as shown there. It is used once, when the account is made, and gives no access afterwards.', sentTo: ['directoryUrl', 'eabKeyId'] })),
  accountKey: field.optional(field.secret({ label: 'Key of an existing account', help: 'PEM, not encrypted. Only to go on with an account that another client made. Empty: a key is made, and never leaves the control plane.', sentTo: ['directoryUrl'], multiline: true })),
  accountKeyAlgorithm: field.optional(field.choice({ label: 'Kind of account key', help: 'For keys that are made here. P-256 is taken everywhere.', default: 'ec-256', values: { 'ec-256': 'EC P-256', 'ec-384': 'EC P-384', 'rsa-2048': 'RSA 2048', 'rsa-4096': 'RSA 4096' } })),
  trustPem: field.optional(field.pem({ label: 'Trust anchor', help: 'Root certificate (PEM) of the server that answers at the directory, for private ones. It takes the place of the system\'s roots.' })),
  preferredChain: field.optional(field.text({ label: 'Preferred chain', help: 'Common name of the issuer of the topmost certificate, e.g. "ISRG Root X1". Where the authority offers such a chain it is taken, else its usual one.' })),
  profile: field.optional(field.text({ label: 'Profile', help: 'For requests that name none. The test lists the profiles that the directory has. Empty: the one it issues by otherwise.' })),
  requestNotAfter: field.optional(field.switch({ label: 'Ask for the end of validity', help: 'On: the validity of the configuration is asked for (notAfter). Many authorities, Let\'s Encrypt among them, refuse such orders.', default: false })),
  dnsAccount: field.optional(field.switch({ label: 'DNS records by account', help: 'On: dns-account-01 is taken before dns-01 where the directory offers it, so that several accounts can prove the same name by records of their own.', default: false })),
  httpPort: field.optional(field.port({ label: 'HTTP port', help: 'Of private authorities that look at another port than 80.' })),
  tlsPort: field.optional(field.port({ label: 'TLS port', help: 'Of private authorities that look at another port than 443 for tls-alpn-01.' })),
})
export type AcmeFields = Static<typeof fields>
