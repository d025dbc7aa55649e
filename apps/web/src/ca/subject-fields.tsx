import { ActionIcon, Button, Fieldset, Group, Select, Stack, Text, TextInput } from '@mantine/core'
import { problemAt } from '../shared/problem.ts'
import { attributeName, attributeWords } from './ca-words.ts'
import type { Attribute } from './issuer-draft.ts'

/** Attributes of a subject beside the common name, in the order they get in the certificate. */
export function SubjectFields({ value, onChange, problems }: { value: readonly Attribute[]; onChange: (value: Attribute[]) => void; problems: Record<string, string> }) {
  const set = (at: number, change: Partial<Attribute>) => onChange(value.map((one, i) => (i === at ? { ...one, ...change } : one)))
  return (
    <Fieldset legend="Subject beside the common name">
      <Stack gap="xs">
        {value.length === 0 && <Text size="sm" c="dimmed">None. Most private CAs name their organisation and country here.</Text>}
        {value.map((attribute, at) => (
          // Rows have no identity of their own: they are what stands in them, in this order.
          <Group key={`${at}`} gap="xs" align="flex-start">
            <Select aria-label={`Attribute ${at + 1}`} w={190} searchable allowDeselect={false} data={[...new Set([...Object.keys(attributeWords), attribute.type])].map((type) => ({ value: type, label: attributeName(type) }))} value={attribute.type} onChange={(type) => set(at, { type: type ?? 'O' })} />
            <TextInput aria-label={attributeName(attribute.type)} flex="1 1 10rem" maxLength={1000} value={attribute.value} onChange={(event) => set(at, { value: event.currentTarget.value })} error={problemAt(problems, `subject.${at}`)} />
            <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Remove attribute ${at + 1}`} onClick={() => onChange(value.filter((_, i) => i !== at))}>×</ActionIcon>
          </Group>
        ))}
        {problems.subject !== undefined && <Text size="sm" c="red">{problems.subject}</Text>}
        <Button w="fit-content" size="compact-sm" variant="default" disabled={value.length >= 20} onClick={() => onChange([...value, { type: ['O', 'C', 'OU', 'ST', 'L'].find((type) => !value.some((one) => one.type === type)) ?? 'OU', value: '' }])}>Add an attribute</Button>
      </Stack>
    </Fieldset>
  )
}
