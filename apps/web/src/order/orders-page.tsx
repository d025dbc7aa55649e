import { Text } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { orderStates, type Order } from '@certloop/api-client'
import { usePages } from '../shared/api.ts'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { TextLink, ButtonLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Empty, Page, Section } from '../shared/page.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { StateFilters, useOrderCounts } from '../shared/state-filters.tsx'
import { requesterText } from '../shared/timeline.tsx'
import { When } from '../shared/when.tsx'

const route = getRouteApi('/orders')

const columns: Column<Order>[] = [
  { id: 'state', header: 'State', width: 150, cell: ({ state, reason }) => <StateBadge state={state} reason={reason} /> },
  { id: 'certificate', header: 'Order for', cell: ({ id, certificateName, error }) => <><TextLink to="/orders/$id" params={{ id }} fw={600}>{certificateName}</TextLink>{error && <Text size="xs" c="red" lineClamp={2}>{error.message}</Text>}</> },
  { id: 'authority', header: 'Authority', cell: ({ authorityName }) => authorityName },
  { id: 'key', header: 'Key', cell: ({ keyAlgorithm }) => keyAlgorithm },
  { id: 'requester', header: 'Asked for by', cell: ({ requester }) => requesterText(requester) },
  { id: 'at', header: 'Begun', width: 190, cell: ({ createdAt }) => <When at={createdAt} form="both" /> },
]

export function OrdersPage() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const list = usePages('listOrders', { query: search })
  return (
    <Page title="Orders" summary="Requests to an authority, newest first. An order ends in a new version or in a failure.">
      <Section title="List" heading={<StateFilters states={orderStates} counts={useOrderCounts(search.search)} search={search} onChange={(next) => void navigate({ search: next, replace: true })} />}>
        <Loaded result={{ ...list, data: list.items }}>
          {(items) => (items.length === 0
            ? <Empty title={Object.keys(search).length > 0 ? 'No order fits' : 'No orders yet'} action={<ButtonLink to="/certificates" variant="default">To the certificates</ButtonLink>}>Open a certificate, complete its configuration and choose "Order" or "Rotate".</Empty>
            : <DataTable label="Orders" rows={items} rowId={({ id }) => id} columns={columns} more={list.more} />)}
        </Loaded>
      </Section>
    </Page>
  )
}
