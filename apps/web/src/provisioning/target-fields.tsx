import { NumberInput, Select, SimpleGrid, Switch, Textarea, TextInput } from '@mantine/core'
import type { ServerType } from '@certloop/api-client'
import { problemAt } from '../shared/problem.ts'
import { argumentLines } from './argument-lines.ts'
import { withSecretField, type DraftTarget } from './draft-target.ts'
import { SecretField } from './secret-field.tsx'
import { isShown, typedFields, type TypedField } from './typed-fields.ts'

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
        : <Field key={field.name} field={field} value={values[field.name]} onChange={(value) => set(field.name, value)} error={problemAt(problems, `${path}.fields.${field.name}`)} />
      ))}
    </SimpleGrid>
  )
}

interface ControlProps { field: TypedField; value: unknown; onChange: (value: unknown) => void; error: string | undefined }
type Common = Pick<TypedField, 'label' | 'required'> & { description: string; error: string | undefined; placeholder: string }

function Field({ field, value, onChange, error }: ControlProps) {
  const { label, help: description, required, preset, kind } = field
  const common: Common = { label, description, error, required, placeholder: preset === undefined ? '' : String(preset) }
  if (kind === 'switch') return <Switch label={label} description={description} error={error} checked={(value ?? preset) === true} onChange={(e) => onChange(e.currentTarget.checked)} />
  if (kind === 'seconds' || kind === 'number') return <NumberField field={field} common={common} value={value} onChange={onChange} />
  if (kind === 'lines') return <Textarea {...common} autosize minRows={2} value={Array.isArray(value) ? value.join('\n') : ''} onChange={(e) => onChange(e.currentTarget.value === '' ? undefined : e.currentTarget.value.split('\n'))} onBlur={(e) => onChange(argumentLines(e.currentTarget.value))} />
  return <TextField kind={kind === 'secret' ? 'text' : kind} choices={field.choices} common={common} value={typeof value === 'string' ? value : ''} onChange={onChange} />
}

function NumberField({ field: { kind, minimum, maximum }, common, value, onChange }: Omit<ControlProps, 'error'> & { common: Common }) {
  const limits = { ...(minimum === undefined ? {} : { min: minimum }), ...(maximum === undefined ? {} : { max: maximum }) }
  return <NumberInput {...common} {...limits} value={typeof value === 'number' ? value : ''} onChange={onChange} allowDecimal={false} suffix={kind === 'seconds' ? ' s' : ''} />
}

function TextField({ kind, choices, common, value, onChange }: { kind: 'choice' | 'path' | 'text'; choices: TypedField['choices']; common: Common; value: string; onChange: (value: string) => void }) {
  switch (kind) {
    case 'choice': return <Select {...common} data={choices} value={value === '' ? null : value} placeholder={choices.find((choice) => choice.value === common.placeholder)?.label ?? ''} onChange={(next) => onChange(next ?? '')} clearable={!common.required} />
    case 'path': return <TextInput {...common} value={value} onChange={(e) => onChange(e.currentTarget.value)} spellCheck={false} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }} />
    case 'text': return <TextInput {...common} value={value} onChange={(e) => onChange(e.currentTarget.value)} />
  }
}
