import { Badge, Button, Group, List, Stack, Table, Text } from '@mantine/core'
import type { Order, Validation } from '@certloop/api-client'
import { useMay, usePages, useWrite } from '../shared/api.ts'
import { CopyBlock } from '../shared/copy.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { ProblemAlert, ProblemNote } from '../shared/problem-alert.tsx'
import { Section } from '../shared/page.tsx'
import { When } from '../shared/when.tsx'
import { validationLooks, validationWord } from './validation-words.ts'

/** The names that an order has to prove: what is expected, what was seen, and what a person has to do. */
export function ValidationList({ orderId }: { orderId: Order['id'] }) {
  const { result, items, more } = useValidations(orderId)
  return (
    <Loaded result={result}>
      {() => (items === undefined || items.length === 0 ? null : (
        <Section title="Validation" help="The authority is told to look once the proof can be seen from outside.">
          <Stack>{items.map((validation) => <OneValidation key={validation.id} validation={validation} />)}{more.hasMore && <Button variant="default" size="xs" onClick={more.load} loading={more.loading}>Show more names</Button>}</Stack>
        </Section>
      ))}
    </Loaded>
  )
}

function useValidations(orderId: Order['id']) {
  const { items, more, ...result } = usePages('listValidations', { query: { orderId } })
  return { result, items, more }
}

const isOpen = ({ state }: Validation) => !['valid', 'failed', 'cancelled'].includes(state)

function OneValidation({ validation }: { validation: Validation }) {
  const { id, name, wildcard, method, state, reason, nextAction, deadline, error, instructions, expected, lastLook, cleanup } = validation
  const check = useWrite('checkValidation')
  const mayCheck = useMay('order:write') && isOpen(validation)
  return (
    <Stack gap="xs" data-validation={id} pb="sm" style={{ borderBottom: '1px solid var(--mantine-color-default-border)' }}>
      <Group justify="space-between">
        <Group gap="xs"><Text fw={600}>{wildcard ? `*.${name}` : name}</Text><Badge variant="dot" color={validationLooks[state].color} data-state={state}>{validationLooks[state].label}</Badge><Text size="sm" c="dimmed">{validationWord(method)}</Text></Group>
        {mayCheck && <Button size="xs" variant="default" loading={check.isPending} onClick={() => check.mutate({ params: { id } })}>Look now</Button>}
      </Group>
      <Text size="sm">{reason}{nextAction !== null && <> <b>Next:</b> {nextAction}</>}{isOpen(validation) && deadline !== null && <> Until <When at={deadline} form="both" inline />.</>}</Text>
      {check.error && <ProblemAlert error={check.error} />}
      {error && <ProblemNote error={error} said={reason} />}
      {isOpen(validation) && instructions.length > 0 && <List type="ordered" size="sm" aria-label={`What to do for ${name}`}>{instructions.map((line) => <List.Item key={line} style={{ overflowWrap: 'anywhere' }}>{line}</List.Item>)}</List>}
      {isOpen(validation) && expected && <Expected expected={expected} />}
      {lastLook && <LastLook look={lastLook} />}
      {cleanup === 'stuck' && <Text size="sm" c="orange">What was placed could not be removed yet; it is tried again.</Text>}
    </Stack>
  )
}

function Expected({ expected }: { expected: NonNullable<Validation['expected']> }) {
  switch (expected.kind) {
    case 'http': return <CopyBlock label={`Answer of ${expected.url}`} text={expected.content} />
    case 'dns': return <CopyBlock label={`${expected.recordType} record ${expected.recordName}`} text={expected.value} />
    case 'tls-alpn': return <Text size="sm" c="dimmed">A TLS handshake for "acme-tls/1" with {expected.name} on port {expected.port}.</Text>
  }
}

function LastLook({ look: { at, findings } }: { look: NonNullable<Validation['lastLook']> }) {
  return (
    <Stack gap={4}>
      <Text size="xs" c="dimmed">Seen from outside <When at={at} form="both" inline />:</Text>
      <Table verticalSpacing={4} fz="sm" aria-label="What was seen from outside">
        <Table.Tbody>
          {findings.map(({ ok, title, seen, error }) => (
            <Table.Tr key={`${title} ${seen}`}>
              <Table.Td w={90}><Badge size="xs" variant="dot" color={ok ? 'teal' : 'orange'}>{ok ? 'Good' : 'Not yet'}</Badge></Table.Td>
              <Table.Td w={240} style={{ overflowWrap: 'anywhere' }}>{title}</Table.Td>
              <Table.Td style={{ overflowWrap: 'anywhere' }}>{seen}{error && <ProblemNote error={error} said={seen} />}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Stack>
  )
}
