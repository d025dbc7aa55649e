import { Badge, Stack, Text } from '@mantine/core'
import type { Order, OrderAttempt } from '@certloop/api-client'
import { useRead } from '../shared/api.ts'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { TextLink } from '../shared/link.tsx'
import { Section } from '../shared/page.tsx'
import { ProblemNote } from '../shared/problem-alert.tsx'
import { When } from '../shared/when.tsx'
import { attemptLooks } from '../validation/validation-words.ts'

const columns: Column<OrderAttempt>[] = [
  { id: 'authority', header: 'Authority', width: 220, cell: ({ authorityId, authorityName }) => <TextLink to="/authorities/$id" params={{ id: authorityId }} search={{}}>{authorityName}</TextLink> },
  { id: 'state', header: 'State', width: 140, cell: ({ state }) => <Badge variant="dot" color={attemptLooks[state].color} data-state={state}>{attemptLooks[state].label}</Badge> },
  { id: 'reason', header: 'Why', cell: ({ reason, error }) => <Stack gap={2}><Text size="sm">{reason}</Text>{error && <ProblemNote error={error} said={reason} />}</Stack> },
  { id: 'at', header: 'Asked', width: 170, cell: ({ startedAt }) => <When at={startedAt} form="dateTime" /> },
]

/** Which authorities were asked, one after the other. Nothing where there was but one and it did not fail. */
export function OrderAttempts({ id }: { id: Order['id'] }) {
  const attempts = useRead('listOrderAttempts', { params: { id } }).data?.items ?? []
  if (attempts.length < 2 && attempts.every(({ error }) => error === null)) return null
  return <Section title="Authorities asked" help="Each is asked once; the next one only when another could do what this one could not."><DataTable label="Authorities asked" minWidth={760} rows={attempts} rowId={(attempt) => attempt.id} columns={columns} /></Section>
}
