import { Badge, Code, Group, Paper, Stack, Table, Text, Title } from '@mantine/core'
import { describeEndpoint, type BotDetail } from '@certloop/api-client'
import { Empty } from '../shared/page.tsx'
import { ProblemAlert, ProblemNote } from '../shared/problem-alert.tsx'
import { CareLink } from './care-link.tsx'

type Server = BotDetail['servers'][number]
type Slot = Server['slots'][number]

/** What runs on the host, with each place that holds a certificate. */
export function DetectedServers({ bot }: { bot: BotDetail }) {
  if (bot.servers.length === 0) {
    return bot.lastScanAt === null
      ? <Empty title="Not scanned yet">The scan begins when the bot joins.</Empty>
      : <Empty title="No server found">No server that Certloop knows runs on this host. Start it, then scan again.</Empty>
  }
  return bot.servers.map((server) => <ServerCard key={server.key} server={server} />)
}

function ServerCard({ server }: { server: Server }) {
  const { process } = server
  return (
    <Paper withBorder p="sm">
      <Group gap="sm" mb={4}>
        <Title order={3} size="h6">{server.title}</Title>
        <Badge variant="light" color="gray">{server.serverType}{server.version === null ? '' : ` ${server.version}`}</Badge>
      </Group>
      <Text size="xs" c="dimmed" mb="xs">Process {process.pid}, user {process.user}{process.service === null ? '' : `, service ${process.service}`}{process.container === null ? '' : `, container ${process.container}`}: <Code>{process.command}</Code></Text>
      {server.problem && <ProblemAlert error={server.problem} />}
      {server.slots.length === 0 ? server.problem === null && <Text size="sm" c="dimmed">It uses no certificate.</Text> : <Slots server={server} />}
    </Paper>
  )
}

function Slots({ server }: { server: Server }) {
  return (
    <Table.ScrollContainer minWidth={560} type="native">
      <Table aria-label={`Certificates of ${server.title}`}>
        <Table.Thead><Table.Tr><Table.Th>Place</Table.Th><Table.Th>Names</Table.Th><Table.Th>Served at</Table.Th><Table.Th w={170}>Certificate</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>{server.slots.map((slot) => <SlotRow key={slot.title} slot={slot} />)}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}

function SlotRow({ slot }: { slot: Slot }) {
  return (
    <Table.Tr>
      <Table.Td>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>{slot.title}</Text>
        {slot.problem && <ProblemNote error={slot.problem} />}
      </Table.Td>
      <Table.Td>{slot.names.length === 0 ? <Text size="sm" c="dimmed">Any</Text> : slot.names.join(', ')}</Table.Td>
      <Table.Td>
        <Stack gap={2}>
          {slot.served.map(({ endpoint, fingerprint, error }) => (
            <Text key={describeEndpoint(endpoint)} size="sm">{describeEndpoint(endpoint)} {fingerprint === null ? <Badge size="xs" color="red" variant="light">{error ?? 'No answer'}</Badge> : <Code title={fingerprint}>{fingerprint.slice(0, 8)}…</Code>}</Text>
          ))}
          {slot.served.length === 0 && <Text size="sm" c="dimmed">Nowhere</Text>}
        </Stack>
      </Table.Td>
      <Table.Td><CareLink slot={slot} /></Table.Td>
    </Table.Tr>
  )
}
