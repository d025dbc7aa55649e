import type { DnsProviderManifest } from '../../../packages/plugin-kit/src/index.ts'
import { fieldsTable } from './fields.ts'
import { code, generatedFrom } from './markdown.ts'

const describe = ({ id, title, summary, fields, lowestTtl }: DnsProviderManifest): string => [
  `## ${title}`, '', summary, '',
  `Id ${code(id)}, lowest time to live ${lowestTtl} seconds. Rights and limits: [README](../../plugins/dns-providers/${id}/README.md).`, '',
  fieldsTable(fields), '',
].join('\n')

/** docs/reference/dns-providers.md: every kind of DNS provider with its fields. */
export const dnsProvidersPage = (manifests: readonly DnsProviderManifest[]): string => [
  generatedFrom('the manifests in plugins/dns-providers'), '', '# Kinds of DNS providers', '',
  'How to set one up is in the [guide](../guides/dns-providers.md).', '',
  ...manifests.map(describe),
].join('\n')
