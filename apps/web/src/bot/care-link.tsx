import { Button, Stack, Text } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import type { CertificateSummary } from '@certloop/api-client'
import { useMay, useRead, useWrite } from '../shared/api.ts'
import { TextLink } from '../shared/link.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { certificateOf, type Slot } from './slot-certificate.ts'

/** The certificates among which this slot's is: all of a small inventory, those with its name of a large one. */
function useInventory(slot: Slot): { data: CertificateSummary[] | undefined; error: Error | null } {
  const [search] = slot.names
  const all = useRead('listCertificates', { query: { limit: 200 } })
  const large = all.data !== undefined && all.data.nextCursor !== null && search !== undefined
  const named = useRead('listCertificates', { query: { limit: 200, search } }, { enabled: large })
  return large ? { data: named.data && [...all.data.items, ...named.data.items], error: named.error } : { data: all.data?.items, error: all.error }
}

/** From a slot to its certificate; one that is not managed yet can be taken under care here. */
export function CareLink({ slot }: { slot: Slot }) {
  const list = useInventory(slot)
  if (list.error) return <ProblemAlert error={list.error} />
  return list.data && <Care slot={slot} found={certificateOf(slot, list.data)} />
}

function Care({ slot, found }: { slot: Slot; found: CertificateSummary | undefined }) {
  const navigate = useNavigate()
  const toConfiguration = ({ id }: { id: CertificateSummary['id'] }) => void navigate({ to: '/certificates/$id', params: { id }, search: { tab: 'configuration' } })
  const manage = useWrite('setManagement', toConfiguration)
  const create = useWrite('createCertificate', toConfiguration)
  const mayTake = useMay('certificate:write') && (found ? found.management !== 'managed' : slot.names.length > 0)
  const take = () => (found ? manage.mutate({ params: { id: found.id }, body: { management: 'managed' } }) : create.mutate({ body: { names: slot.names } }))
  const error = manage.error ?? create.error
  return (
    <Stack gap={4} align="flex-start">
      {found && <TextLink to="/certificates/$id" params={{ id: found.id }} search={{}} size="sm">{found.name}</TextLink>}
      {found?.management === 'managed' && <StateBadge state={found.status} reason={found.statusReason} />}
      {mayTake && <Button size="compact-xs" variant="light" loading={manage.isPending || create.isPending} onClick={take}>Take under care</Button>}
      {!found && slot.names.length === 0 && <Text size="sm" c="dimmed">Unknown</Text>}
      {error && <ProblemAlert error={error} />}
    </Stack>
  )
}
