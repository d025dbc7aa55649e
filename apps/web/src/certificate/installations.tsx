import { Badge, Code, Group, Stack, Text } from '@mantine/core'
import { describeEndpoint, type CertificateDetail, type Installation } from '@certloop/api-client'
import { CopyIconButton } from '../shared/copy.tsx'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Empty } from '../shared/page.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { When } from '../shared/when.tsx'

export function Installations({ certificate }: { certificate: CertificateDetail }) {
  if (certificate.installations.length === 0) {
    return (
      <Empty title="Not seen anywhere yet" action={<ButtonLink to="/certificates/$id" params={{ id: certificate.id }} search={{ tab: 'configuration' }} variant="default">To the configuration</ButtonLink>}>
        Choose in the configuration where it has to go, then rotate or deploy it.
      </Empty>
    )
  }
  const current = certificate.versions.find(({ id }) => id === certificate.currentVersionId)?.fingerprint
  return <DataTable label="Installations" rows={certificate.installations} rowId={({ id }) => id} columns={columnsFor(current)} />
}

const columnsFor = (current: string | undefined): Column<Installation>[] => [
  { id: 'state', header: 'State', width: 140, cell: ({ state }) => <StateBadge state={state} /> },
  { id: 'place', header: 'Place', cell: ({ title, serverType, botId, botName }) => (
    <>
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>{title}</Text>
      <Text size="xs" c="dimmed">{serverType} on <TextLink to="/bots/$id" params={{ id: botId }} inherit>{botName}</TextLink></Text>
    </>
  ) },
  { id: 'installed', header: 'Installed', width: 190, cell: ({ fingerprint }) => <Version fingerprint={fingerprint} current={current} /> },
  { id: 'served', header: 'Served', cell: (installation) => <ServedList installation={installation} /> },
  { id: 'seen', header: 'Last seen', width: 180, cell: ({ lastSeenAt }) => <When at={lastSeenAt} form="both" /> },
]

function Version({ fingerprint, current }: { fingerprint: string | null; current: string | undefined }) {
  if (fingerprint === null) return <Text size="sm" c="dimmed">Nothing</Text>
  return (
    <Group gap={4} wrap="nowrap">
      <Code title={fingerprint}>{fingerprint.slice(0, 8)}…</Code>
      <CopyIconButton text={fingerprint} label="Copy the fingerprint" />
      {current !== undefined && <Badge size="xs" variant="light" color={fingerprint === current ? 'teal' : 'orange'}>{fingerprint === current ? 'current' : 'another'}</Badge>}
    </Group>
  )
}

function ServedList({ installation: { served, fingerprint: installed } }: { installation: Installation }) {
  if (served.length === 0) return <Text size="sm" c="dimmed">By nothing that was found</Text>
  return (
    <Stack gap={2}>
      {served.map(({ endpoint, fingerprint, error }) => (
        <Group key={describeEndpoint(endpoint)} gap={6}>
          <Text size="sm">{describeEndpoint(endpoint)}</Text>
          {error !== null ? <Badge size="xs" variant="light" color="red">{error}</Badge>
            : <Badge size="xs" variant="light" color={fingerprint === installed ? 'teal' : 'orange'} title={fingerprint ?? ''}>{fingerprint === installed ? 'serves it' : `serves ${fingerprint?.slice(0, 8) ?? 'nothing'}…`}</Badge>}
        </Group>
      ))}
    </Stack>
  )
}
