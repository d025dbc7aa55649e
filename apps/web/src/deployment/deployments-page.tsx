import { Text } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { deploymentStates } from '@certloop/api-client'
import { usePages } from '../shared/api.ts'
import { ButtonLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Empty, Page, Section } from '../shared/page.tsx'
import { StateFilters, useDeploymentCounts } from '../shared/state-filters.tsx'
import { DeploymentTable } from './deployment-table.tsx'

const route = getRouteApi('/deployments')

export function DeploymentsPage() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const list = usePages('listDeployments', { query: search })
  return (
    <Page title="Deployments" summary={<Text size="sm">One version put onto one target, newest first. A plan is made before anything is touched.</Text>}>
      <Section title="List" heading={<StateFilters states={deploymentStates} counts={useDeploymentCounts(search.search)} search={search} onChange={(next) => void navigate({ search: next, replace: true })} />}>
        <Loaded result={{ ...list, data: list.items }}>
          {(items) => (items.length === 0
            ? <Empty title={Object.keys(search).length > 0 ? 'No deployment fits' : 'No deployments yet'} action={<ButtonLink to="/certificates" variant="default">To the certificates</ButtonLink>}>Open a certificate and choose "Deploy" or "Rotate".</Empty>
            : <DeploymentTable deployments={items} more={list.more} />)}
        </Loaded>
      </Section>
    </Page>
  )
}
