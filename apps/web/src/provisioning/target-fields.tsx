import { SimpleGrid } from '@mantine/core'
import type { ServerType } from '@certloop/api-client'
import { problemAt } from '../shared/problem.ts'
import { withSecretField, type DraftTarget } from './draft-target.ts'
import { FieldControl } from './field-control.tsx'
import { SecretField } from './secret-field.tsx'
import { isShown, typedFields } from './typed-fields.ts'

interface Props {
  serverType: ServerType
  target: DraftTarget
  onChange: (target: DraftTarget) => void
  problems: Record<string, string>
  /** Path of the target in the request, e.g. "targets.0". */
  path: string
}

/** The typed fields of a server type, made from its schema. */
export function TargetFields({ serverType, target, onChange, problems, path }: Props) {
  const fields = typedFields(serverType.fields)
  const values = target.fields
  const set = (name: string, value: unknown) => {
    const { [name]: _, ...others } = values
    // What is left empty is not sent: then the default of the server type holds.
    onChange({ ...target, fields: value === '' || value === undefined ? others : { ...others, [name]: value } })
  }
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
      {fields.filter((field) => isShown(field, values, fields)).map((field) => (field.kind === 'secret'
        ? (
          <SecretField
            key={field.name} label={field.label} description={field.help} required={field.required} kept={target.kept.includes(`fields.${field.name}`)} value={target.secrets?.fields?.[field.name]}
            onChange={(value) => onChange(withSecretField(target, field.name, value))} error={problems[`${path}.fields.${field.name}`] ?? problems[`${path}.secrets.fields.${field.name}`]}
          />
        )
        : <FieldControl key={field.name} field={field} value={values[field.name]} onChange={(value) => set(field.name, value)} error={problemAt(problems, `${path}.fields.${field.name}`)} />
      ))}
    </SimpleGrid>
  )
}
