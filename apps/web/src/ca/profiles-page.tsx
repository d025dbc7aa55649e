import { Badge, Group, Text } from '@mantine/core'
import type { IssuanceProfile } from '@certloop/api-client'
import { useMay, useRead } from '../shared/api.ts'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Page, Section } from '../shared/page.tsx'
import { CaTabs } from './ca-tabs.tsx'
import { profileKinds, profileStyles, purposeName } from './ca-words.ts'
import { caFreshMs } from './issuers-page.tsx'
import { originText } from './profile-words.ts'

const columns: Column<IssuanceProfile>[] = [
  { id: 'name', header: 'Profile', cell: (profile) => (
    <>
      <Group gap="xs"><TextLink to="/built-in-ca/profiles/$name" params={{ name: profile.name }} search={{}} fw={600}>{profile.rules.title}</TextLink>{!profile.builtIn && <Badge size="sm" variant="light" color="indigo">Your own</Badge>}</Group>
      <Text size="xs" c="dimmed">{profile.name}{profile.internal ? `. ${originText(profile)}` : ''}</Text>
    </>
  ) },
  { id: 'kind', header: 'For', width: 215, cell: ({ rules }) => profileKinds[rules.kind] },
  { id: 'purposes', header: 'Purposes', cell: ({ rules: { extendedKeyUsage } }) => (extendedKeyUsage.length === 0 ? 'Any' : extendedKeyUsage.map(purposeName).join(', ')) },
  { id: 'style', header: 'Style', width: 165, cell: ({ rules }) => profileStyles[rules.style] },
  { id: 'days', header: 'Days (at most)', width: 120, cell: ({ rules }) => `${rules.defaultValidityDays} (${rules.maximumValidityDays})` },
]

export function ProfilesPage() {
  const result = useRead('listProfiles', {}, { everyMs: caFreshMs })
  const mayWrite = useMay('ca:write')
  const copy = mayWrite && <ButtonLink to="/built-in-ca/profiles/$name" params={{ name: 'server' }} search={{ view: 'copy' }}>Make a profile</ButtonLink>
  return (
    <Page title="Profiles" summary="What an issuer may put into a certificate: names, keys, lifetime, purposes." actions={copy} toolbar={<CaTabs />}>
      <Section title="Profiles" help={mayWrite ? 'The built-in ones stay as they are; copy one to change it.' : 'You may look, not change: that takes the right ca:write.'}>
        <Loaded result={result}>{({ items }) => <DataTable label="Profiles" minWidth={860} rows={items} rowId={({ name }) => name} columns={columns} />}</Loaded>
      </Section>
    </Page>
  )
}
