import { Text } from '@mantine/core'
import type { Authority } from '@certloop/api-client'
import { HealthBadge } from '../plugin/test-report.tsx'
import { useMay, useRead } from '../shared/api.ts'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Page, Section } from '../shared/page.tsx'
import { When } from '../shared/when.tsx'
import { validationsText } from '../validation/validation-words.ts'

const columns: Column<Authority>[] = [
  { id: 'name', header: 'Authority', cell: ({ id, name, title, facts }) => (
    <>
      <TextLink to="/authorities/$id" params={{ id }} search={{}} fw={600}>{name}</TextLink>
      <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>{[title, ...Object.values(facts).slice(0, 1)].filter((word) => word !== name).join('. ')}</Text>
    </>
  ) },
  { id: 'health', header: 'State', width: 160, cell: ({ health }) => (
    <>
      <HealthBadge health={health} />
      {health.lastReport && <Text size="xs" c="dimmed"><When at={health.lastReport.at} form="relative" /></Text>}
    </>
  ) },
  { id: 'trust', header: 'Known to', width: 150, cell: ({ isPublic }) => (isPublic ? 'All browsers' : 'Who trusts its root') },
  { id: 'validation', header: 'Validation', cell: ({ validationMethods }) => <Text size="sm">{validationsText(validationMethods)}</Text> },
]

/** The authorities that can be asked for certificates. */
export function AuthoritiesPage() {
  const result = useRead('listAuthorities', {})
  const mayWrite = useMay('authority:write')
  return (
    <Page title="Authorities" summary="Who issues certificates: the built-in CA, and authorities elsewhere." actions={mayWrite && <ButtonLink to="/authorities/add">Add an authority</ButtonLink>}>
      <Section title="Authorities" help={mayWrite ? undefined : 'You may look, not change: that takes the right authority:write.'}>
        <Loaded result={result}>{({ items }) => <DataTable label="Authorities" minWidth={760} rows={items} rowId={({ id }) => id} columns={columns} />}</Loaded>
      </Section>
    </Page>
  )
}
