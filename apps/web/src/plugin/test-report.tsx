import { Badge, Group, Stack, Table, Text } from '@mantine/core'
import type { Health, TestReport } from '@certloop/api-client'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { When } from '../shared/when.tsx'

const states = { unknown: { color: 'gray', label: 'Not tested yet', since: 'Not tested since' }, ok: { color: 'teal', label: 'Works', since: 'Works since' }, failing: { color: 'red', label: 'Fails', since: 'Fails since' } } as const

export function HealthBadge({ health: { state }, size = 'md' }: { health: Health; size?: 'md' | 'lg' }) {
  const { color, label } = states[state]
  return <Badge variant="dot" color={color} size={size} data-state={state} style={{ flexShrink: 0 }}>{label}</Badge>
}

/** What the last test tried and saw. */
export function HealthView({ health: { state, since, lastReport, nextCheckAt } }: { health: Health }) {
  return (
    <Stack gap="sm">
      {lastReport === null ? <Text size="sm">It was not tested yet.</Text> : <Report report={lastReport} />}
      <Text size="xs" c="dimmed">{since !== null && <>{states[state].since} <When at={since} form="both" inline />. </>}{nextCheckAt !== null && <>Tested again by itself <When at={nextCheckAt} form="relative" inline />.</>}</Text>
    </Stack>
  )
}

function Report({ report: { at, steps, error } }: { report: TestReport }) {
  return (
    <Stack gap="sm">
      <Text size="sm">Tested <When at={at} form="both" inline />:</Text>
      <Table.ScrollContainer minWidth={560}>
        <Table verticalSpacing={6} aria-label="Steps of the last test">
          <Table.Thead><Table.Tr><Table.Th w={220}>Tried</Table.Th><Table.Th>Seen</Table.Th><Table.Th w={90} ta="right">Took</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {steps.map(({ title, ok, seen, milliseconds }) => (
              <Table.Tr key={title}>
                <Table.Td><Group gap={6} wrap="nowrap"><Badge size="xs" variant="dot" color={ok ? 'teal' : 'red'} style={{ flexShrink: 0 }}>{ok ? 'Good' : 'Failed'}</Badge><Text size="sm">{title}</Text></Group></Table.Td>
                <Table.Td style={{ overflowWrap: 'anywhere' }}>{seen}</Table.Td>
                <Table.Td ta="right">{milliseconds} ms</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {error && <ProblemAlert error={error} />}
    </Stack>
  )
}
