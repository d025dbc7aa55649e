import type { ServerTypeManifest } from '../../../packages/plugin-kit/src/index.ts'
import type { ReachKind } from '../../../packages/contract/src/index.ts'
import { fieldsTable } from './fields.ts'
import { code, generatedFrom } from './markdown.ts'

const ways: Readonly<Record<ReachKind, string>> = { local: 'on the bot\'s own machine', ssh: 'over SSH', sftp: 'over SFTP', ftp: 'over FTP' }

function describe({ id, title, category, summary, fields, capabilities, reaches }: ServerTypeManifest): string {
  return [
    `## ${title}`, '', summary, '',
    `Id ${code(id)}, category ${category}, reached ${(reaches ?? ['local', 'ssh']).map((reach) => ways[reach]).join(', ')}, can: ${capabilities.join(', ') || 'nothing beyond the basics'}. Rights and limits: [README](../../plugins/server-types/${id}/README.md).`, '',
    fieldsTable(fields), '',
  ].join('\n')
}

/** docs/reference/server-types.md: every kind of target with its fields. */
export function serverTypesPage(manifests: readonly ServerTypeManifest[]): string {
  return [
    generatedFrom('the manifests in plugins/server-types'), '', '# Server types', '',
    'Kinds of targets that certificates can be deployed to. The scan of a bot fills most fields.', '',
    ...manifests.map(describe),
  ].join('\n')
}
