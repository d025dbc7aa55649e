import { NumberInput, Select, Switch, Textarea, TextInput } from '@mantine/core'
import { argumentLines } from './argument-lines.ts'
import type { TypedField } from './typed-fields.ts'

interface ControlProps { field: TypedField; value: unknown; onChange: (value: unknown) => void; error: string | undefined }
type Common = Pick<TypedField, 'label' | 'required'> & { description: string; error: string | undefined; placeholder: string }

/** One typed field that is not secret. */
export function FieldControl({ field, value, onChange, error }: ControlProps) {
  const { label, help: description, required, preset, kind } = field
  const common: Common = { label, description, error, required, placeholder: preset === undefined ? '' : String(preset) }
  if (kind === 'switch') return <Switch label={label} description={description} error={error} checked={(value ?? preset) === true} onChange={(e) => onChange(e.currentTarget.checked)} />
  if (kind === 'seconds' || kind === 'number') return <NumberField field={field} common={common} value={value} onChange={onChange} />
  if (kind === 'lines') return <Textarea {...common} autosize minRows={2} value={Array.isArray(value) ? value.join('\n') : ''} onChange={(e) => onChange(e.currentTarget.value === '' ? undefined : e.currentTarget.value.split('\n'))} onBlur={(e) => onChange(argumentLines(e.currentTarget.value))} />
  if (kind === 'pem') return <Textarea {...common} autosize minRows={2} maxRows={8} spellCheck={false} placeholder="-----BEGIN CERTIFICATE-----" styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }} value={typeof value === 'string' ? value : ''} onChange={(e) => onChange(e.currentTarget.value)} />
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
