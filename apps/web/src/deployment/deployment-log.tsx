import { Badge, Code, Table, Text } from '@mantine/core'
import type { DeployLogEntry } from '@certloop/api-client'
import { formatDuration } from '../shared/time.ts'
import { When } from '../shared/when.tsx'

const phases: Record<DeployLogEntry['phase'], string> = { plan: 'Plan', backup: 'Backup', do: 'Do', undo: 'Undo', prove: 'Prove', recover: 'Recover', commit: 'Commit' }

/** What the bot did, line by line, with durations and the output of commands. */
export function DeploymentLog({ entries, begun }: { entries: readonly DeployLogEntry[]; begun: boolean }) {
  if (entries.length === 0) return <Text size="sm" c="dimmed">{begun ? 'The bot has told nothing yet.' : 'The bot has not begun.'}</Text>
  return (
    <Table.ScrollContainer minWidth={560} type="native">
      <Table aria-label="Log" verticalSpacing={4}>
        <Table.Thead><Table.Tr><Table.Th w={130}>Time</Table.Th><Table.Th w={60}>Step</Table.Th><Table.Th w={90}>Phase</Table.Th><Table.Th>What happened</Table.Th><Table.Th w={90}>Took</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {entries.map((entry, index) => (
            <Table.Tr key={index}>
              <Table.Td style={{ whiteSpace: 'nowrap' }}><When at={entry.at} form="clock" /></Table.Td>
              <Table.Td>{entry.step === null ? '' : entry.step + 1}</Table.Td>
              <Table.Td><Badge size="sm" variant="light" color={entry.ok ? (entry.phase === 'undo' ? 'orange' : 'gray') : 'red'}>{phases[entry.phase]}</Badge></Table.Td>
              <Table.Td>
                <Text size="sm" {...(entry.ok ? {} : { c: 'red' })} style={{ overflowWrap: 'anywhere' }}>{entry.message}</Text>
                {entry.output !== null && entry.output !== '' && <Code block mt={4} mah={260} style={{ whiteSpace: 'pre-wrap', overflow: 'auto' }} tabIndex={0} aria-label="Output">{entry.output}</Code>}
              </Table.Td>
              <Table.Td>{entry.durationMs === null ? '' : formatDuration(entry.durationMs)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
