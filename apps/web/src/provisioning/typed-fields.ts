import type { FieldNotes } from '@certloop/api-client'

/** One field of a server type as a form needs it. */
export interface TypedField extends FieldNotes {
  name: string
  required: boolean
  preset: string | number | boolean | undefined
  minimum: number | undefined
  maximum: number | undefined
  /** The values of a choice, with the words for each. */
  choices: { value: string; label: string }[]
}

interface PropertySchema { type?: string; title?: string; description?: string; default?: string | number | boolean; minimum?: number; maximum?: number; enum?: unknown[]; 'x-field'?: FieldNotes; 'x-values'?: Record<string, string> }
interface FieldsSchema { properties?: Record<string, PropertySchema>; required?: string[] }

/** Reads the JSON Schema of a server type's fields; "x-field" holds label, help and control. */
export function typedFields(schema: unknown): TypedField[] {
  const { properties = {}, required = [] } = (schema ?? {}) as FieldsSchema
  return Object.entries(properties).map(([name, { 'x-field': notes, 'x-values': words = {}, title, description, enum: choices = [], default: preset, minimum, maximum }]) => ({
    kind: 'text', label: title ?? name, help: description ?? '', ...notes,
    name, required: required.includes(name), choices: choices.map((value) => ({ value: String(value), label: words[String(value)] ?? String(value) })), preset, minimum, maximum,
  }))
}

/** Whether a field applies, given the values of the others. */
export function isShown({ shownWhen }: TypedField, values: Record<string, unknown>, fields: readonly TypedField[]): boolean {
  if (shownWhen === undefined) return true
  const other = fields.find(({ name }) => name === shownWhen.field)
  const value = values[shownWhen.field] ?? other?.preset
  return Array.isArray(shownWhen.is) ? shownWhen.is.includes(value) : value === shownWhen.is
}
