import type { AuthorityManifest } from '@certloop/plugin-kit'
import { fields, type AcmeFields } from './fields.ts'
import { presetOf, presets } from './presets.ts'

/** What the schema can't say. Secrets are looked at where they are used: a form that changes something else does not send them. */
function check({ directoryUrl, eabKeyId }: AcmeFields): { field: string; problem: string }[] {
  if (!URL.canParse(directoryUrl) || !directoryUrl.startsWith('https://')) return [{ field: 'directoryUrl', problem: 'has to be an address that begins with https://' }]
  const { eab = false, ended } = presetOf(directoryUrl) ?? {}
  return [
    ...(ended ? [{ field: 'directoryUrl', problem: ended }] : []),
    ...(eab && !eabKeyId ? [{ field: 'eabKeyId', problem: 'is needed: this authority makes accounts only for its customers' }] : []),
  ]
}

export const manifest = {
  id: 'acme',
  title: 'ACME',
  summary: 'Any authority with an ACME directory (RFC 8555): Let\'s Encrypt, Google, ZeroSSL and others for everybody, step-ca, Vault or EJBCA in a private network. With external accounts, profiles, preferred chains, IP addresses and renewal information.',
  docsUrl: 'https://www.rfc-editor.org/rfc/rfc8555',
  fields,
  presets,
  abilities: ['revoke', 'renewal-window', 'templates', 'find', 'account-key-rollover'],
  validationMethods: ['file', 'http', 'dns', 'dns-persist', 'tls-alpn', 'manual', 'none'],
  certificateTypes: ['dv', 'ov', 'ev', 'other'],
  keyAlgorithms: ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-256', 'ec-384', 'ec-521', 'ed25519'],
  check,
} as const satisfies AuthorityManifest<typeof fields>
