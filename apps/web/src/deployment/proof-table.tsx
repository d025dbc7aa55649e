import { Badge, Code, Table, Text } from '@mantine/core'
import { describeEndpoint, type DeploymentDetail } from '@certloop/api-client'
import { When } from '../shared/when.tsx'

/** Every endpoint with what was to be served, what was served before and what is served now. */
export function ProofTable({ deployment: { plan, served, fingerprint, undoes } }: { deployment: DeploymentDetail }) {
  const proof = plan?.steps.find((step) => step.kind === 'prove')
  const expected = proof?.kind === 'prove' ? proof.endpoints : []
  const seen = new Map(served.map((one) => [describeEndpoint(one.endpoint), one]))
  const rows = [...new Set([...expected.map(({ endpoint }) => describeEndpoint(endpoint)), ...seen.keys()])]
  if (rows.length === 0) return <Text size="sm" c="dimmed">No endpoint has been tried yet.</Text>
  const before = new Map(expected.map((one) => [describeEndpoint(one.endpoint), one.before]))
  return (
    <Table.ScrollContainer minWidth={560} type="native">
      <Table aria-label="Proof">
        <Table.Thead><Table.Tr><Table.Th>Endpoint</Table.Th><Table.Th>Expected</Table.Th><Table.Th>Before</Table.Th><Table.Th>Served</Table.Th><Table.Th>Seen</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {rows.map((endpoint) => {
            const one = seen.get(endpoint)
            return (
              <Table.Tr key={endpoint}>
                <Table.Td>{endpoint}</Table.Td>
                <Table.Td>{undoes === null ? <Short value={fingerprint} /> : <Text size="sm">As before</Text>}</Table.Td>
                <Table.Td><Short value={undoes === null ? before.get(endpoint) ?? null : fingerprint} /></Table.Td>
                <Table.Td>{one === undefined ? <Text size="sm" c="dimmed">Not tried yet</Text> : <Served fingerprint={one.fingerprint} error={one.error} asWanted={undoes === null ? one.fingerprint === fingerprint : one.fingerprint !== fingerprint} />}</Table.Td>
                <Table.Td>{one === undefined ? '–' : <When at={one.at} />}</Table.Td>
              </Table.Tr>
            )
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}

function Short({ value }: { value: string | null }) {
  return value === null ? <Text size="sm" c="dimmed">Nothing</Text> : <Code title={value}>{value.slice(0, 12)}…</Code>
}

function Served({ fingerprint, error, asWanted }: { fingerprint: string | null; error: string | null; asWanted: boolean }) {
  if (fingerprint === null) return <Badge variant="light" color="red">{error ?? 'No answer'}</Badge>
  return <><Short value={fingerprint} /> <Badge size="sm" variant="light" color={asWanted ? 'teal' : 'red'}>{asWanted ? 'As expected' : 'Another one'}</Badge></>
}
