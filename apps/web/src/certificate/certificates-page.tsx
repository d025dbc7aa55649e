import { Button, Group, Select, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { getRouteApi } from '@tanstack/react-router'
import { certificateStatuses, managements, type CertificateSummary } from '@certloop/api-client'
import { commonNameOf } from '../ca/ca-words.ts'
import { useMay, usePages } from '../shared/api.ts'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { withFilters } from '../shared/filters.ts'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Empty, Page, Section } from '../shared/page.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { OtherNames } from '../shared/other-names.tsx'
import { SearchBox } from '../shared/search-box.tsx'
import { StateBadge, stateLabel } from '../shared/state-badge.tsx'
import { When } from '../shared/when.tsx'
import { actionWords } from './action-words.ts'
import { AddCertificate } from './add-certificate.tsx'

const route = getRouteApi('/certificates')
type Search = ReturnType<typeof route.useSearch>

const columns: Column<CertificateSummary>[] = [
  { id: 'status', header: 'Status', width: 190, cell: ({ status, statusReason }) => <StateBadge state={status} reason={statusReason} /> },
  { id: 'name', header: 'Name', sort: { ascending: 'name' }, cell: (certificate) => <NameCell certificate={certificate} /> },
  { id: 'issuer', header: 'Issuer', cell: ({ issuer }) => <Text size="sm" lineClamp={2} title={issuer ?? ''}>{issuer === null ? '–' : commonNameOf(issuer)}</Text> },
  { id: 'expiry', header: 'Expires', sort: { ascending: 'notAfter', descending: '-notAfter' }, width: 190, cell: ({ notAfter }) => (notAfter === null ? '–' : <When at={notAfter} form="both" />) },
  { id: 'renewal', header: 'Next renewal', width: 190, cell: ({ nextRenewalAt, management }) => (nextRenewalAt === null ? <Text size="sm" c="dimmed">{management === 'managed' ? 'None planned' : `Only ${management}`}</Text> : <When at={nextRenewalAt} form="both" />) },
  { id: 'places', header: 'Places', width: 70, cell: ({ installationCount }) => installationCount },
]

function NameCell({ certificate: { id, name, names, nextAction } }: { certificate: CertificateSummary }) {
  return (
    <>
      <TextLink to="/certificates/$id" params={{ id }} search={{}} fw={600}>{name}</TextLink>
      <OtherNames names={names.filter((other) => other !== name)} />
      {nextAction !== null && <Text size="xs">Next: <TextLink to="/certificates/$id" params={{ id }} search={nextAction === 'configure' ? { tab: 'configuration' } : {}} inherit>{nextAction === 'configure' ? 'Configure' : actionWords[nextAction].label}</TextLink></Text>}
    </>
  )
}

export function CertificatesPage() {
  const search = route.useSearch()
  const [adding, dialogue] = useDisclosure(false)
  const mayAdd = useMay('certificate:write')
  const list = usePages('listCertificates', { query: { sort: 'name', ...search } })
  const add = mayAdd && <Button onClick={dialogue.open}>Add certificate</Button>
  return (
    <Page title="Certificates" summary="Every identity found or taken under care, and how it is doing." actions={add}>
      <Section title="List" heading={<Filters />}>
        <Loaded result={{ ...list, data: list.items }}>
          {(items) => (items.length === 0 ? <NoCertificates filtered={Object.keys(search).some((key) => key !== 'sort')} add={add} /> : <Rows items={items} sort={search.sort ?? 'name'} list={list} />)}
        </Loaded>
      </Section>
      <AddCertificate opened={adding} onClose={dialogue.close} />
    </Page>
  )
}

function Rows({ items, sort, list }: { items: CertificateSummary[]; sort: string; list: ReturnType<typeof usePages<'listCertificates'>> }) {
  const navigate = route.useNavigate()
  return (
    <DataTable
      label="Certificates" rows={items} rowId={({ id }) => id} columns={columns} sort={sort}
      onSort={(next) => void navigate({ search: (old) => ({ ...old, sort: next as NonNullable<Search['sort']> }), replace: true })}
      more={list.more}
    />
  )
}

function Filters() {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const set = (change: Partial<Record<keyof Search, string | null>>) => void navigate({ search: (old) => withFilters<Search>(old, change), replace: true })
  return (
    <Group gap="sm" mb="md">
      <SearchBox label="Search names" value={search.search ?? ''} onChange={(text) => set({ search: text })} />
      <Select aria-label="Status" placeholder="Any status" clearable w={200} data={certificateStatuses.map((value) => ({ value, label: stateLabel(value) }))} value={search.status ?? null} onChange={(status) => set({ status })} />
      <Select aria-label="Management" placeholder="Managed or not" clearable w={170} data={managements.map((value) => ({ value, label: value.charAt(0).toUpperCase() + value.slice(1) }))} value={search.management ?? null} onChange={(management) => set({ management })} />
      <Select
        aria-label="Sort" w={190} allowDeselect={false} value={search.sort ?? 'name'} onChange={(sort) => set({ sort })}
        data={[{ value: 'name', label: 'By name' }, { value: 'notAfter', label: 'First to expire first' }, { value: '-notAfter', label: 'Last to expire first' }, { value: '-createdAt', label: 'Newest first' }]}
      />
    </Group>
  )
}

function NoCertificates({ filtered, add }: { filtered: boolean; add: React.ReactNode }) {
  if (filtered) return <Empty title="No certificate fits" action={<ButtonLink to="/certificates" search={{}} variant="default">Show all</ButtonLink>}>Change the search or the filters.</Empty>
  return (
    <Empty title="No certificates yet" action={<>{add}<ButtonLink to="/bots" variant="default">To the bots</ButtonLink></>}>
      A bot finds the certificates on its host as soon as it has joined. You can also add a name by hand.
    </Empty>
  )
}
