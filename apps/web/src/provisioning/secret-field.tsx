import { Button, Group, PasswordInput, Stack, Text, Textarea } from '@mantine/core'

interface Props {
  label: string
  description?: string
  /** The control plane has one, which is never shown. */
  kept: boolean
  /** What was typed; null: the kept one is to be deleted; undefined: it stays. */
  value: string | null | undefined
  onChange: (value: string | null | undefined) => void
  error: string | undefined
  required?: boolean
  /** Several lines, as a private key has them. */
  lines?: boolean
}

/** Something that goes in and is never shown again. */
export function SecretField({ label, description, kept, value, onChange, error, required = false, lines = false }: Props) {
  const placeholder = kept && value === undefined ? 'Kept. Type to replace it.' : ''
  const common = { label, description, error, required: required && !kept, placeholder, value: value ?? '', disabled: value === null, autoComplete: 'off', spellCheck: false }
  return (
    <Stack gap={4}>
      {lines
        ? <Textarea {...common} autosize minRows={2} maxRows={8} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }} onChange={(e) => onChange(e.currentTarget.value === '' ? undefined : e.currentTarget.value)} />
        : <PasswordInput {...common} onChange={(e) => onChange(e.currentTarget.value === '' ? undefined : e.currentTarget.value)} />}
      {kept && (
        <Group gap="xs">
          <Text size="xs" c="dimmed">{value === null ? 'Deleted when you save.' : value === undefined ? 'One is kept; it is never shown.' : 'Replaces the kept one when you save.'}</Text>
          <Button size="compact-xs" variant="subtle" onClick={() => onChange(value === null ? undefined : null)}>{value === null ? `Keep ${label.toLowerCase()}` : `Delete ${label.toLowerCase()}`}</Button>
        </Group>
      )}
    </Stack>
  )
}
