import { SimpleGrid } from '@mantine/core'
import { FieldControl } from '../provisioning/field-control.tsx'
import { SecretField } from '../provisioning/secret-field.tsx'
import { isShown, typedFields } from '../provisioning/typed-fields.ts'
import { problemAt } from '../shared/problem.ts'

/** What a form holds of a configured plug-in: its fields, and the secrets that were typed. */
export interface PluginDraft { fields: Record<string, unknown>; secrets: Record<string, string | null> }

interface Props {
  /** JSON Schema of the fields. */
  schema: unknown
  draft: PluginDraft
  onChange: (draft: PluginDraft) => void
  /** Names of the secrets that are kept already. */
  kept: readonly string[]
  problems: Record<string, string>
}

const without = <T,>(values: Record<string, T>, name: string): Record<string, T> => Object.fromEntries(Object.entries(values).filter(([other]) => other !== name))

/** The typed fields of a connector, made from its schema; secrets go in and are never shown again. */
export function PluginFields({ schema, draft, onChange, kept, problems }: Props) {
  const fields = typedFields(schema)
  const { fields: values, secrets } = draft
  // What is left empty is not sent: then the default holds.
  const isEmpty = (value: unknown) => value === '' || value === undefined || (Array.isArray(value) && value.length === 0)
  const set = (name: string, value: unknown) => onChange({ ...draft, fields: isEmpty(value) ? without(values, name) : { ...values, [name]: value } })
  const setSecret = (name: string, value: string | null | undefined) => onChange({ ...draft, secrets: value === undefined ? without(secrets, name) : { ...secrets, [name]: value } })
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
      {fields.filter((field) => isShown(field, values, fields)).map((field) => (field.kind === 'secret'
        ? <SecretField key={field.name} label={field.label} description={field.help} required={field.required} lines={field.multiline === true} kept={kept.includes(field.name)} value={secrets[field.name]} onChange={(value) => setSecret(field.name, value)} error={problems[`secrets.${field.name}`] ?? problems[`fields.${field.name}`]} />
        : <FieldControl key={field.name} field={field} value={values[field.name]} onChange={(value) => set(field.name, value)} error={problemAt(problems, `fields.${field.name}`)} />
      ))}
    </SimpleGrid>
  )
}
