import { MultiSelect, NumberInput, Select, SimpleGrid, Stack, Switch, Text, Textarea, TextInput } from '@mantine/core'
import { keyAlgorithms, type Authority } from '@certloop/api-client'
import { keyName } from '../ca/ca-words.ts'
import { problemAt } from '../shared/problem.ts'
import { When } from '../shared/when.tsx'
import { FurtherCsrFields, ModeFields } from './csr-fields.tsx'
import type { Change, Draft } from './draft.ts'

export interface PartProps { draft: Draft; change: Change; authorities: readonly Authority[]; problems: Record<string, string> }

/** Who issues. */
export function AuthorityPart({ draft, change, authorities, problems }: PartProps) {
  const authority = authorities.find(({ id }) => id === draft.authorityId)
  return (
    <Stack gap="xs">
      <Select
        label="Authority" maw={420} placeholder="Choose one" data={authorities.map(({ id, name, title }) => ({ value: id, label: name === title ? name : `${name} (${title})` }))} value={draft.authorityId} required
        onChange={(value) => change({ authorityId: value, fallbackAuthorityIds: draft.fallbackAuthorityIds.filter((id) => id !== value) })} error={problems.authorityId}
      />
      <MultiSelect
        label="Further authorities" description="Asked in this order when those before can not issue for a reason of their own, such as an outage or a rate limit. None is asked twice." maw={420} placeholder={draft.fallbackAuthorityIds.length === 0 ? 'None' : ''} clearable
        data={authorities.filter(({ id }) => id !== draft.authorityId).map(({ id, name }) => ({ value: id, label: name }))} value={draft.fallbackAuthorityIds} onChange={(ids) => change({ fallbackAuthorityIds: ids })} error={problemAt(problems, 'fallbackAuthorityIds')}
      />
      {authority?.issuerSubject && authority.issuerNotAfter && <Text size="sm" c="dimmed">Issues as {authority.issuerSubject}, valid until <When at={authority.issuerNotAfter} form="both" inline />.</Text>}
    </Stack>
  )
}

const commonNameNotes = { existing: 'As the present one.', partial: 'Empty: as the present one, if it is among the names.', full: 'Empty: none is sent. Only old clients need one.' } as const

/** What is asked for: names, key, validity. */
export function RequestPart({ draft, change, authorities, problems, names }: PartProps & { names: readonly string[] }) {
  const offered = authorities.find(({ id }) => id === draft.authorityId)?.keyAlgorithms ?? keyAlgorithms
  return (
    <Stack gap="md">
      <ModeFields {...{ draft, change, problems }} />
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <Textarea label="Names" description="One to a line: host names, wildcards, IP addresses. Empty: those of the present certificate." placeholder={names.join('\n')} autosize minRows={4} maxRows={14} spellCheck={false} value={draft.names} onChange={(e) => change({ names: e.currentTarget.value })} error={problemAt(problems, 'csr.names')} />
        <Stack gap="sm">
          <Select label="Key" description={draft.mode === 'existing' ? 'As the present one; made anew on the host, which it never leaves.' : 'Made anew on the host; it never leaves it.'} disabled={draft.mode === 'existing'} allowDeselect={false} data={[...new Set([...offered, draft.keyAlgorithm])].map((value) => ({ value, label: keyName(value) }))} value={draft.keyAlgorithm} onChange={(value) => value !== null && change({ keyAlgorithm: value })} error={problemAt(problems, 'csr.keyAlgorithm')} />
          <Switch label="Keep the key at renewal" error={problems['csr.keyReuse']} description="Only for clients that pin the key." checked={draft.keyReuse} onChange={(e) => change({ keyReuse: e.currentTarget.checked })} />
          <NumberInput label="Validity in days" description="Empty: what the authority gives." min={1} max={3650} allowDecimal={false} value={draft.validityDays} onChange={(value) => change({ validityDays: typeof value === 'number' ? value : '' })} error={problemAt(problems, 'csr.validityDays')} />
          <TextInput label="Common name" description={commonNameNotes[draft.mode]} disabled={draft.mode === 'existing'} maxLength={255} value={draft.commonName} onChange={(e) => change({ commonName: e.currentTarget.value })} error={problemAt(problems, 'csr.commonName')} />
        </Stack>
      </SimpleGrid>
      <FurtherCsrFields {...{ draft, change, problems }} />
    </Stack>
  )
}
