import { ActionIcon, Button, Fieldset, Group, Select, Stack, Text, TextInput } from '@mantine/core'
import { problemAt } from '../shared/problem.ts'
import type { Constraint } from './issuer-draft.ts'

const types: Record<Constraint['type'], { label: string; example: string }> = { dns: { label: 'DNS name', example: 'example.com covers it and all below' }, ip: { label: 'IP network', example: '10.0.0.0/8' }, email: { label: 'E-mail domain', example: 'example.com' }, uri: { label: 'URI host', example: 'www.example.com, or .example.com for all below' } }
const kinds = Object.entries(types).map(([value, { label }]) => ({ value: value as Constraint['type'], label }))

/** Which names the CA may certify; it goes into its certificate, and clients enforce it. */
export function ConstraintFields({ value, onChange, problems }: { value: readonly Constraint[]; onChange: (value: Constraint[]) => void; problems: Record<string, string> }) {
  const set = (at: number, change: Partial<Constraint>) => onChange(value.map((one, i) => (i === at ? { ...one, ...change } : one)))
  return (
    <Fieldset legend="Name constraints">
      <Stack gap="xs">
        <Text size="sm" c="dimmed">Binds the CA to your own names, so that a stolen key is of little use elsewhere. {value.length === 0 && 'None: it may certify any name.'}</Text>
        {value.map((row, at) => (
          <Group key={`${at}`} gap="xs" align="flex-start">
            <Select aria-label={`Constraint ${at + 1}: allowed or not`} w={100} allowDeselect={false} data={[{ value: 'only', label: 'Only' }, { value: 'never', label: 'Never' }]} value={row.only ? 'only' : 'never'} onChange={(only) => set(at, { only: only !== 'never' })} />
            <Select aria-label={`Constraint ${at + 1}: kind of name`} w={150} allowDeselect={false} data={kinds} value={row.type} onChange={(type) => set(at, { type: type ?? 'dns' })} />
            <TextInput aria-label={`Constraint ${at + 1}`} flex="1 1 10rem" maxLength={255} placeholder={types[row.type].example} value={row.value} onChange={(event) => set(at, { value: event.currentTarget.value })} />
            <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Remove constraint ${at + 1}`} onClick={() => onChange(value.filter((_, i) => i !== at))}>×</ActionIcon>
          </Group>
        ))}
        {problemAt(problems, 'nameConstraints') !== undefined && <Text size="sm" c="red" role="alert">{problemAt(problems, 'nameConstraints')}</Text>}
        <Button w="fit-content" size="compact-sm" variant="default" disabled={value.length >= 200} onClick={() => onChange([...value, { type: 'dns', value: '', only: true }])}>Add a constraint</Button>
      </Stack>
    </Fieldset>
  )
}
