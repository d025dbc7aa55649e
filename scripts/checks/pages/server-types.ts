import type { ServerTypeManifest } from '../../../packages/plugin-kit/src/index.ts'
import { code, generatedFrom, table } from './markdown.ts'

interface Property { 'x-field'?: { label: string; help: string; kind: string }; default?: string | number | boolean }

function fieldRow(name: string, { 'x-field': notes, default: value }: Property, isRequired: boolean): string[] {
  return [code(name), notes?.label ?? '', notes?.kind ?? '', isRequired ? 'yes' : 'no', value === undefined ? '' : code(String(value)), notes?.help ?? '']
}

function describe({ id, title, category, summary, fields, capabilities }: ServerTypeManifest): string {
  const required = new Set<string>(fields.required ?? [])
  const rows = Object.entries(fields.properties as Record<string, Property>).map(([name, schema]) => fieldRow(name, schema, required.has(name)))
  return [
    `## ${title}`, '', summary, '',
    `Id ${code(id)}, category ${category}, can: ${capabilities.join(', ') || 'nothing beyond the basics'}. Rights and limits: [README](../../plugins/server-types/${id}/README.md).`, '',
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
