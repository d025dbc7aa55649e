import type { ServerTypeManifest } from '../../../packages/plugin-kit/src/index.ts'
import { code, table } from './markdown.ts'

interface Property { 'x-field'?: { label: string; help: string; kind: string }; 'x-values'?: Record<string, string>; default?: string | number | boolean }

function fieldRow(name: string, { 'x-field': notes, 'x-values': values = {}, default: value }: Property, isRequired: boolean): string[] {
  const choices = Object.entries(values).map(([choice, words]) => `${code(choice)}: ${words}.`)
  return [code(name), notes?.label ?? '', notes?.kind ?? '', isRequired ? 'yes' : 'no', value === undefined ? '' : code(String(value)), [notes?.help ?? '', ...choices].join(' ')]
}

/** Every field of a manifest, in the order of its form. */
export function fieldsTable(fields: ServerTypeManifest['fields']): string {
  const required = new Set<string>(fields.required ?? [])
  return table(['Field', 'Label', 'Kind', 'Required', 'Default', 'Help'], Object.entries(fields.properties as Record<string, Property>).map(([name, schema]) => fieldRow(name, schema, required.has(name))))
}
