import type { ComponentProps } from 'react'
import { Text } from '@mantine/core'
import type { DeploymentSummary } from '@certloop/api-client'
import { Fingerprint } from '../shared/copy.tsx'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { TextLink } from '../shared/link.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { requesterText } from '../shared/timeline.tsx'
import { When } from '../shared/when.tsx'

const columns: Column<DeploymentSummary>[] = [
  { id: 'state', header: 'State', width: 190, cell: ({ state, reason }) => <StateBadge state={state} reason={reason} /> },
  { id: 'certificate', header: 'Deployment of', cell: ({ id, certificateName, targetTitle, error }) => (
    <>
      <TextLink to="/deployments/$id" params={{ id }} fw={600}>{certificateName}</TextLink>
      <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>onto {targetTitle}</Text>
      {error && <Text size="xs" c="red" lineClamp={2}>{error.message}</Text>}
    </>
  ) },
  { id: 'bot', header: 'Bot', cell: ({ botId, botName }) => <TextLink style={{ whiteSpace: 'nowrap' }} to="/bots/$id" params={{ id: botId }}>{botName}</TextLink> },
  { id: 'version', header: 'Version', width: 150, cell: ({ fingerprint }) => <Fingerprint value={fingerprint} digits={10} /> },
  { id: 'requester', header: 'Asked for by', cell: ({ requester }) => requesterText(requester) },
  { id: 'at', header: 'Begun', width: 190, cell: ({ createdAt }) => <When at={createdAt} form="both" /> },
]

export function DeploymentTable({ deployments, more }: { deployments: readonly DeploymentSummary[]; more?: NonNullable<ComponentProps<typeof DataTable>['more']> }) {
  return <DataTable label="Deployments" rows={deployments} rowId={({ id }) => id} columns={columns} {...(more ? { more } : {})} />
}
