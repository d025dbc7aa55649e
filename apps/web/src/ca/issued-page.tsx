import { Group, Select, Text } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { issuedStatuses, type IssuedCertificate, type Issuer } from '@certloop/api-client'
import { useMay, usePages, useRead } from '../shared/api.ts'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { withFilters } from '../shared/filters.ts'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { OtherNames } from '../shared/other-names.tsx'
import { Empty, Page, Section } from '../shared/page.tsx'
import { SearchBox } from '../shared/search-box.tsx'
import { StateBadge, stateLabel } from '../shared/state-badge.tsx'
import { When } from '../shared/when.tsx'
import { CaTabs } from './ca-tabs.tsx'
import { commonNameOf, issuedMeaning, issuedState, reasonLabel } from './ca-words.ts'
import { caFreshMs } from './issuers-page.tsx'

const route = getRouteApi('/built-in-ca/certificates')
type Search = ReturnType<typeof route.useSearch>

const columns: Column<IssuedCertificate>[] = [
  { id: 'status', header: 'Status', width: 130, cell: (issued) => <Status issued={issued} /> },
  { id: 'name', header: 'Issued to', width: 260, cell: (issued) => <NameCell issued={issued} /> },
  { id: 'issuer', header: 'Issuer', width: 190, cell: ({ issuerName, profile }) => <><Text size="sm">{issuerName}</Text><Text size="xs" c="dimmed">{profile}</Text></> },
  { id: 'issued', header: 'Issued', width: 170, cell: ({ createdAt }) => <When at={createdAt} form="both" /> },
  { id: 'end', header: 'Ends', width: 170, cell: ({ notAfter }) => <When at={notAfter} form="both" /> },
]

function Status({ issued }: { issued: IssuedCertificate }) {
  const state = issuedState(issued)
  const { revocationReason: reason } = issued
  return <><StateBadge state={state} reason={issuedMeaning[state]} />{state === 'revoked' && reason !== null && <Text size="xs" c="dimmed">{reasonLabel(reason)}</Text>}</>
}

/** What a person knows a certificate by: its first name, or the common name. */
export const titleOf = ({ names, subject }: Pick<IssuedCertificate, 'names' | 'subject'>): string => names[0] ?? (subject === '' ? 'No name' : commonNameOf(subject))

function NameCell({ issued }: { issued: IssuedCertificate }) {
  const { id, names, serialNumber } = issued
  return (
    <>
      <TextLink to="/built-in-ca/certificates/$id" params={{ id }} fw={600} style={{ overflowWrap: 'anywhere' }}>{titleOf(issued)}</TextLink>
      <OtherNames names={names.slice(1)} />
      <Text size="xs" c="dimmed" ff="monospace" title={serialNumber}>{serialNumber.slice(0, 16)}…</Text>
    </>
  )
}

export function IssuedPage() {
  const { issuerId, ...search } = route.useSearch()
  const list = usePages('listIssuedCertificates', { query: { ...search, ...(issuerId === undefined ? {} : { issuerId: issuerId as Issuer['id'] }) } }, { everyMs: caFreshMs })
  const issue = useMay('ca:issue') && <ButtonLink to="/built-in-ca/issue" search={{}}>Issue from a CSR</ButtonLink>
  const filtered = issuerId !== undefined || Object.keys(search).length > 0
  return (
    <Page title="Issued certificates" summary="Everything that the built-in CA signed, newest first." actions={issue} toolbar={<CaTabs />}>
      <Section title="List" heading={<Filters />}>
        <Loaded result={{ ...list, data: list.items }}>
          {(items) => (items.length > 0
            ? <DataTable label="Issued certificates" minWidth={920} rows={items} rowId={({ id }) => id} columns={columns} more={list.more} />
            : filtered ? <Empty title="No certificate fits" action={<ButtonLink to="/built-in-ca/certificates" search={{}} variant="default">Show all</ButtonLink>}>Change the search or the filters. A serial number has to be whole.</Empty>
            : <Empty title="Nothing issued yet" action={issue}>Orders of the certificates under care show here, and what you issue from a CSR.</Empty>)}
        </Loaded>
      </Section>
    </Page>
  )
}

const statuses = [...issuedStatuses, 'expired'] as const

function Filters() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const issuers = useRead('listIssuers', {}).data?.items ?? []
  const set = (change: Partial<Record<keyof Search, string | null>>) => void navigate({ search: (old) => withFilters<Search>(old, change), replace: true })
  return (
    <Group gap="sm" mb="md">
      <SearchBox label="Name, subject or serial" value={search.search ?? ''} onChange={(text) => set({ search: text })} />
      <Select aria-label="Status" placeholder="Any status" clearable w={170} data={statuses.map((value) => ({ value, label: stateLabel(value) }))} value={search.status ?? null} onChange={(status) => set({ status })} />
      <Select aria-label="Issuer" placeholder="Any issuer" clearable w={260} data={issuers.map(({ id, name }) => ({ value: id, label: name }))} value={search.issuerId ?? null} onChange={(issuerId) => set({ issuerId })} />
    </Group>
  )
}
