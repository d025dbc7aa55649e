import { Badge, Box, Text, VisuallyHidden } from '@mantine/core'
import type { Issuer } from '@certloop/api-client'
import { useMay, useRead } from '../shared/api.ts'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Empty, Page, Section } from '../shared/page.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { When } from '../shared/when.tsx'
import { CaTabs } from './ca-tabs.tsx'
import { commonNameOf, issuerStatusMeaning, keyName, keyPlaces, purposeOf } from './ca-words.ts'
import { issuerTree, type TreeLine } from './issuer-tree.ts'

/** The built-in CA tells no news of its own; so it is read again this often, in milliseconds. */
export const caFreshMs = 15_000

const columns: Column<TreeLine>[] = [
  { id: 'name', header: 'Issuer', width: 300, cell: (line) => <NameCell line={line} /> },
  { id: 'status', header: 'Status', width: 110, cell: ({ issuer }) => issuer && <StateBadge state={issuer.status} reason={issuerStatusMeaning[issuer.status]} /> },
  { id: 'key', header: 'Key', width: 150, cell: ({ issuer }) => issuer && <>{keyName(issuer.keyAlgorithm)}<Text size="xs" c="dimmed">{keyPlaces[issuer.keySource]}</Text></> },
  { id: 'end', header: 'Ends', width: 170, cell: ({ issuer }) => issuer && (issuer.notAfter === null ? '–' : <When at={issuer.notAfter} form="both" />) },
  { id: 'lists', header: 'Next list', width: 170, cell: ({ issuer }) => issuer && <NextList issuer={issuer} /> },
]

function NameCell({ line: { issuer, outside, depth, below } }: { line: TreeLine }) {
  if (issuer === null) return <><Text size="sm" fw={600} title={outside ?? ''}>{commonNameOf(outside ?? '')}</Text><Text size="xs" c="dimmed">A CA outside; it signed what stands below</Text></>
  return (
    <Box style={depth > 0 ? { borderLeft: '2px solid var(--mantine-color-default-border)', marginLeft: depth * 22 - 16, paddingLeft: 14 } : {}}>
      <TextLink to="/built-in-ca/issuers/$id" params={{ id: issuer.id }} fw={600}>{issuer.name}</TextLink>
      {below !== null && <VisuallyHidden>, below {commonNameOf(below)}</VisuallyHidden>}{' '}
      {issuer.slot !== null && <Badge size="sm" variant="light" color="indigo">{issuer.slot === 'root' ? 'Anchor' : 'In use'}</Badge>}
      {issuer.style === 'public' && <Badge size="sm" variant="light" color="grape">Public style</Badge>}
      <Text size="xs" c="dimmed">{issuer.kind === 'root' ? 'Root' : 'Intermediate'}. {purposeOf(issuer)}</Text>
    </Box>
  )
}

/** When the first of its lists is due; late ones stand out. */
function NextList({ issuer: { crls, status, keySource } }: { issuer: Issuer }) {
  const first = crls.map(({ nextUpdate }) => nextUpdate).sort()[0]
  if (first === undefined) return <Text size="sm" c="dimmed">{keySource === 'outside' ? 'Published elsewhere' : status === 'pending' ? 'None while it waits' : 'None yet'}</Text>
  return <><When at={first} form="both" />{crls.length > 1 && <Text size="xs" c="dimmed">{crls.length} lists</Text>}</>
}

export function IssuersPage() {
  const result = useRead('listIssuers', {}, { everyMs: caFreshMs })
  const mayWrite = useMay('ca:write')
  const actions = mayWrite && (
    <>
      <ButtonLink to="/built-in-ca/import" variant="default">Import a CA</ButtonLink>
      <ButtonLink to="/built-in-ca/make" search={{ what: 'intermediate' }}>Make an issuer</ButtonLink>
    </>
  )
  return (
    <Page title="Built-in CA" summary="Your own certification authority: roots, and the intermediates that sign." actions={actions} toolbar={<CaTabs />}>
      <Section title="Issuers" help={mayWrite ? 'Each below the one that signed it.' : 'Each below the one that signed it. You may look, not change: that takes the right ca:write.'}>
        <Loaded result={result}>
          {({ items }) => (items.length === 0 ? <Empty title="No issuers yet" action={actions}>The control plane makes a root and an intermediate at its first start.</Empty>
            : <DataTable label="Issuers" minWidth={900} rows={issuerTree(items)} rowId={({ key }) => key} columns={columns} />)}
        </Loaded>
      </Section>
    </Page>
  )
}
