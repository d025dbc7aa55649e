import { Chip, Group } from '@mantine/core'
import { useQueries } from '@tanstack/react-query'
import { deploymentStates, orderStates, type DeploymentState, type OrderState } from '@certloop/api-client'
import { readOptions, useRead } from './api.ts'
import { SearchBox } from './search-box.tsx'
import { stateLabel } from './state-badge.tsx'

interface Search<S> { search?: string; state?: S }
interface Props<S extends OrderState | DeploymentState> {
  states: readonly S[]
  /** How many there are in each, in words; what is absent is not known yet. */
  counts: Partial<Record<S, string>>
  search: Search<S>
  onChange: (search: Search<S>) => void
}

const counted = 100

/** How many deployments there are in each state; from a hundred on it says "100+". */
export function useDeploymentCounts(search: string | undefined): Partial<Record<DeploymentState, string>> {
  const counts = useQueries({
    queries: deploymentStates.map((state) => ({
      ...readOptions('listDeployments', { query: { state, limit: counted, ...(search === undefined ? {} : { search }) } }),
      select: (page: { items: unknown[]; nextCursor: string | null }) => (page.nextCursor === null ? String(page.items.length) : `${page.items.length}+`),
    })),
  })
  return Object.fromEntries(deploymentStates.flatMap((state, index) => { const count = counts[index]?.data; return count === undefined ? [] : [[state, count]] }))
}

/** How many orders there are in each state, as the list itself says. */
export function useOrderCounts(search: string | undefined): Partial<Record<OrderState, string>> {
  const counts = useRead('listOrders', { query: { limit: 1, ...(search === undefined ? {} : { search }) } }, { keepPrevious: true }).data?.counts
  return counts ? Object.fromEntries(orderStates.map((state) => [state, counts[state].toLocaleString('en-GB')])) : {}
}

/** Search and one chip per state with how many there are. */
export function StateFilters<S extends OrderState | DeploymentState>({ states, counts, search, onChange }: Props<S>) {
  const select = (state: string | null) => onChange({ ...(search.search === undefined ? {} : { search: search.search }), ...(state === null || state === 'any' ? {} : { state: state as S }) })
  return (
    <Group gap="sm" mb="md">
      <SearchBox label="Search names" value={search.search ?? ''} onChange={(text) => onChange({ ...(search.state === undefined ? {} : { state: search.state }), ...(text === '' ? {} : { search: text }) })} />
      <Chip.Group value={search.state ?? 'any'} onChange={(value) => select(value)}>
        <Group gap={6} role="group" aria-label="State">
          <Chip size="xs" variant="light" value="any">Any state</Chip>
          {states.map((state) => ({ state, count: counts[state] }))
            .filter(({ state, count }) => state === search.state || (count !== undefined && count !== '0'))
            .map(({ state, count }) => <Chip key={state} size="xs" variant="light" value={state}>{stateLabel(state)} {count ?? ''}</Chip>)}
        </Group>
      </Chip.Group>
    </Group>
  )
}
