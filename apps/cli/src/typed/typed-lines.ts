interface FieldSchema {
  'type'?: string
  'default'?: unknown
  'minimum'?: number
  'maximum'?: number
  'x-values'?: Record<string, string>
  'x-field'?: { kind?: string; label?: string; help?: string; shownWhen?: { field: string; is: string | boolean | readonly string[] } }
}
interface FieldsSchema { properties?: Record<string, FieldSchema>; required?: readonly string[] }

function valueText(schema: FieldSchema): string {
  const { kind = schema.type ?? 'text' } = schema['x-field'] ?? {}
  if (schema['x-values']) return Object.keys(schema['x-values']).join(', ')
  if (kind === 'switch') return 'true, false'
  const { minimum, maximum } = schema
  return minimum === undefined || maximum === undefined ? kind : `${kind}, ${minimum} to ${maximum}`
}

/** By which option a field is given, where it is not plainly --field. */
function wayText(name: string, kind: string | undefined): string | null {
  if (kind === 'secret') return `given with --secret ${name}=FILE`
  if (kind === 'pem') return `given with --field-file ${name}=FILE`
  return kind === 'lines' ? 'repeat --field for each line' : null
}

/** One line of help below the row would tear a table apart, so each field has a paragraph of its own. */
function fieldLines(name: string, schema: FieldSchema, isRequired: boolean): string[] {
  const { label = name, help, kind, shownWhen } = schema['x-field'] ?? {}
  const notes = [
    isRequired && schema.default === undefined ? 'required' : null, schema.default === undefined ? null : `default ${JSON.stringify(schema.default)}`,
    shownWhen ? `only with ${shownWhen.field} ${[shownWhen.is].flat().join(' or ')}` : null, wayText(name, kind),
  ].filter((note) => note !== null)
  const choices = Object.entries(schema['x-values'] ?? {}).map(([value, words]) => `    ${value}: ${words}`)
  return [`${name} (${[valueText(schema), ...notes].join('; ')})`, `  ${label}${help ? `. ${help}` : ''}`, ...choices]
}

/** Every field of a plug-in, explained. @param schema JSON Schema, as the API gives it */
export function typedLines(schema: unknown): string[] {
  const { properties = {}, required = [] } = schema as FieldsSchema
  return Object.entries(properties).flatMap(([name, one]) => fieldLines(name, one, required.includes(name)))
}
