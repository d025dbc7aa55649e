import type { ServerTypeManifest } from '../../../packages/plugin-kit/src/index.ts'
import type { ReachKind } from '../../../packages/contract/src/index.ts'
import { code, generatedFrom, table } from './markdown.ts'

interface Property { 'x-field'?: { label: string; help: string; kind: string }; 'x-values'?: Record<string, string>; default?: string | number | boolean }

function fieldRow(name: string, { 'x-field': notes, 'x-values': values = {}, default: value }: Property, isRequired: boolean): string[] {
  const choices = Object.entries(values).map(([choice, words]) => `${code(choice)}: ${words}.`)
  return [code(name), notes?.label ?? '', notes?.kind ?? '', isRequired ? 'yes' : 'no', value === undefined ? '' : code(String(value)), [notes?.help ?? '', ...choices].join(' ')]
}

const ways: Readonly<Record<ReachKind, string>> = { local: 'on the bot\'s own machine', ssh: 'over SSH', sftp: 'over SFTP', ftp: 'over FTP' }

function describe({ id, title, category, summary, fields, capabilities, reaches }: ServerTypeManifest): string {
  const required = new Set<string>(fields.required ?? [])
  const rows = Object.entries(fields.properties as Record<string, Property>).map(([name, schema]) => fieldRow(name, schema, required.has(name)))
  return [
    `## ${title}`, '', summary, '',
    `Id ${code(id)}, category ${category}, reached ${(reaches ?? ['local', 'ssh']).map((reach) => ways[reach]).join(', ')}, can: ${capabilities.join(', ') || 'nothing beyond the basics'}. Rights and limits: [README](../../plugins/server-types/${id}/README.md).`, '',
    table(['Field', 'Label', 'Kind', 'Required', 'Default', 'Help'], rows), '',
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
