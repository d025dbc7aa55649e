import { Text } from '@mantine/core'
import type { DnsProvider } from '@certloop/api-client'
import { HealthBadge } from '../plugin/test-report.tsx'
import { useMay, useRead } from '../shared/api.ts'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Page, Section } from '../shared/page.tsx'
import { When } from '../shared/when.tsx'

const columns: Column<DnsProvider>[] = [
  { id: 'name', header: 'DNS provider', cell: ({ id, name, title }) => <><TextLink to="/dns-providers/$id" params={{ id }} search={{}} fw={600}>{name}</TextLink>{name !== title && <Text size="xs" c="dimmed">{title}</Text>}</> },
  { id: 'health', header: 'State', width: 160, cell: ({ health }) => <><HealthBadge health={health} />{health.lastReport && <Text size="xs" c="dimmed"><When at={health.lastReport.at} form="relative" /></Text>}</> },
  { id: 'zones', header: 'Zones', cell: ({ zones }) => <Text size="sm" style={{ overflowWrap: 'anywhere' }}>{zones.length === 0 ? 'None known' : `${zones.slice(0, 8).join(', ')}${zones.length > 8 ? ` and ${zones.length - 8} more` : ''}`}</Text> },
]

/** Where records for validations can be written. Credentials stay here; hosts never see them. */
export function DnsProvidersPage() {
  const result = useRead('listDnsProviders', {})
  const mayWrite = useMay('dns:write')
  return (
    <Page title="DNS providers" summary="Who writes the records that prove names to an authority. Credentials stay in the platform; no host sees them." actions={mayWrite && <ButtonLink to="/dns-providers/add">Add a DNS provider</ButtonLink>}>
      <Section title="DNS providers" help={mayWrite ? undefined : 'You may look, not change: that takes the right dns:write.'}>
        <Loaded result={result}>{({ items }) => (items.length === 0 ? <Text size="sm" c="dimmed">There is none yet. Without one, names are proven by a file, a TLS handshake or by hand.</Text> : <DataTable label="DNS providers" minWidth={680} rows={items} rowId={({ id }) => id} columns={columns} />)}</Loaded>
      </Section>
    </Page>
  )
}
