import type { ReactNode } from 'react'
import { Code, Stack, Text } from '@mantine/core'
import { typedFields, type TypedField } from '../provisioning/typed-fields.ts'
import { CopyBlock } from '../shared/copy.tsx'

interface Kept {
  /** JSON Schema of the fields; undefined: not known yet. */
  schema: unknown
  fields: Record<string, unknown>
  secretsSet: readonly string[]
}

/** What a configured plug-in holds, under the labels of its form and in their order. Of secrets only that they are there. */
export function pluginFacts({ schema, fields: values, secretsSet }: Kept): Record<string, ReactNode> {
  const fields = typedFields(schema)
  const known = new Set(fields.map(({ name }) => name))
  const labelOf = (name: string) => fields.find((field) => field.name === name)?.label ?? name
  return {
    ...Object.fromEntries(fields.map((field) => [field.label, valueOf(field, values[field.name])])),
    ...Object.fromEntries(Object.entries(values).filter(([name]) => !known.has(name)).map(([name, value]) => [name, plain(value)])),
    'Secrets kept': secretsSet.length === 0 ? null : secretsSet.map(labelOf).join(', '),
  }
}

function valueOf({ kind, label, choices }: TypedField, value: unknown): ReactNode {
  if (value === undefined) return null
  if (kind === 'switch') return value === true ? 'Yes' : 'No'
  if (kind === 'choice') return choices.find((choice) => choice.value === value)?.label ?? plain(value)
  if (kind === 'seconds' && typeof value === 'number') return `${value} s`
  if (kind === 'lines' && Array.isArray(value)) return <Stack gap={0}>{value.map((line) => <span key={String(line)}>{String(line)}</span>)}</Stack>
  if (kind === 'pem' && typeof value === 'string') return <details><Text component="summary" size="sm" style={{ cursor: 'pointer' }}>Show it</Text><CopyBlock label={label} text={value} /></details>
  return plain(value)
}

const plain = (value: unknown): ReactNode => <Code style={{ overflowWrap: 'anywhere' }}>{typeof value === 'string' ? value : JSON.stringify(value)}</Code>
