import { Chip, Group } from '@mantine/core'
import { useQueries } from '@tanstack/react-query'
import type { DeploymentState, OrderState } from '@certloop/api-client'
import { readOptions } from './api.ts'
import { SearchBox } from './search-box.tsx'
import { stateLabel } from './state-badge.tsx'

interface Search<S> { search?: string; state?: S }
interface Props<S extends OrderState | DeploymentState> {
  operation: 'listOrders' | 'listDeployments'
  states: readonly S[]
  search: Search<S>
  onChange: (search: Search<S>) => void
}

const counted = 100

/** Search and one chip per state with how many there are; from a hundred on it says "100+". */
export function StateFilters<S extends OrderState | DeploymentState>({ operation, states, search, onChange }: Props<S>) {
  const counts = useQueries({
    queries: states.map((state) => ({
      ...readOptions(operation, { query: { state: state as never, limit: counted, ...(search.search === undefined ? {} : { search: search.search }) } }),
      select: (page: { items: unknown[]; nextCursor: string | null }) => (page.nextCursor === null ? String(page.items.length) : `${page.items.length}+`),
    })),
  })
  const select = (state: string | null) => onChange({ ...(search.search === undefined ? {} : { search: search.search }), ...(state === null || state === 'any' ? {} : { state: state as S }) })
  return (
    <Group gap="sm" mb="md">
      <SearchBox label="Search names" value={search.search ?? ''} onChange={(text) => onChange({ ...(search.state === undefined ? {} : { state: search.state }), ...(text === '' ? {} : { search: text }) })} />
      <Chip.Group value={search.state ?? 'any'} onChange={(value) => select(value)}>
        <Group gap={6} role="group" aria-label="State">
          <Chip size="xs" variant="light" value="any">Any state</Chip>
          {states.map((state, index) => ({ state, count: counts[index]?.data }))
            .filter(({ state, count }) => state === search.state || (count !== undefined && count !== '0'))
            .map(({ state, count }) => <Chip key={state} size="xs" variant="light" value={state}>{stateLabel(state)} {count ?? ''}</Chip>)}
        </Group>
      </Chip.Group>
    </Group>
  )
}
