import type { AuthorityPreset } from '../../../packages/contract/src/index.ts'
import type { AuthorityManifest } from '../../../packages/plugin-kit/src/index.ts'
import { fieldsTable } from './fields.ts'
import { code, generatedFrom, table } from './markdown.ts'

function presetRow({ id, title, note, fields, isPublic, ended }: AuthorityPreset): string[] {
  const address = (fields as { directoryUrl?: string }).directoryUrl
  return [title, code(id), address === undefined ? '' : code(address), isPublic ? 'yes' : 'no', ended ?? note]
}

const describe = ({ id, title, summary, fields, presets, abilities, validationMethods }: AuthorityManifest): string => [
  `## ${title}`, '', summary, '',
  `Id ${code(id)}, can: ${abilities.join(', ')}. Names are proven by: ${validationMethods.join(', ')}. What it needs and its limits: [README](../../plugins/authorities/${id}/README.md).`, '',
  fieldsTable(fields), '',
  table(['Ready-made entry', 'Id', 'Address', 'Public', 'Note'], presets.map(presetRow)), '',
].join('\n')

/** docs/reference/authorities.md: every kind of authority elsewhere with its fields and ready-made entries. */
export const authoritiesPage = (manifests: readonly AuthorityManifest[]): string => [
  generatedFrom('the manifests in plugins/authorities'), '', '# Kinds of authorities', '',
  'How to set one up is in the [guide](../guides/authorities.md). The built-in CA has a [guide of its own](../guides/built-in-ca.md).', '',
  ...manifests.map(describe),
].join('\n')
