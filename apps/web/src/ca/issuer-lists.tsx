import { Anchor, Text } from '@mantine/core'
import type { Issuer } from '@certloop/api-client'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { Section } from '../shared/page.tsx'
import { useMinute, When } from '../shared/when.tsx'

type Crl = Issuer['crls'][number]

const scopeWords = (scope: Crl['scope']): string => (scope === 'full' ? 'Full list' : scope === 'delta' ? 'Delta: changes since the full list' : `Part ${Number(scope.slice('shard:'.length)) + 1}`)


const size = (bytes: number): string => (bytes < 10_000 ? `${bytes} bytes` : bytes < 10_000_000 ? `${Math.round(bytes / 1000)} kB` : `${Math.round(bytes / 1_000_000)} MB`)

const columns: Column<Crl>[] = [
  { id: 'scope', header: 'List', cell: ({ scope }) => scopeWords(scope) },
  { id: 'number', header: 'Number', width: 90, cell: ({ number }) => number },
  { id: 'entries', header: 'Entries', width: 90, cell: ({ entries }) => entries },
  { id: 'this', header: 'Made', width: 180, cell: ({ thisUpdate }) => <When at={thisUpdate} form="both" /> },
  { id: 'next', header: 'Next by', width: 180, cell: ({ nextUpdate }) => <Next at={nextUpdate} /> },
  { id: 'link', header: 'File', width: 130, cell: ({ path, bytes }) => <><Anchor href={path} download size="sm" aria-label={`Download ${path.split('/').at(-1) ?? path}`}>Download</Anchor><Text size="xs" c="dimmed">{size(bytes)}</Text></> },
]

function Next({ at }: { at: string }) {
  const late = Date.parse(at) < useMinute().getTime()
  return <><When at={at} form="both" />{late && <Text size="xs" c="red" fw={600}>Late: clients refuse the old one</Text>}</>
}

/** Its revocation lists as they are published. */
export function IssuerLists({ issuer: { crls, status, keySource, crlHours } }: { issuer: Issuer }) {
  const none = status === 'pending' ? 'They begin with its certificate.' : keySource === 'outside' ? 'Whoever has its key publishes them.' : 'The first one is being made.'
  return (
    <Section title="Revocation lists" help={crls.length > 0 && `Valid for ${crlHours} hours each; a new one comes at half of that, and soon after each revocation.`}>
      {crls.length === 0 ? <Text size="sm" c="dimmed">None. {none}</Text> : <DataTable label="Revocation lists" minWidth={800} rows={crls} rowId={({ scope }) => scope} columns={columns} />}
    </Section>
  )
}
