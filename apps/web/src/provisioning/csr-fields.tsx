import { Autocomplete, Fieldset, Radio, Select, SimpleGrid, Stack, TextInput } from '@mantine/core'
import type { SubjectAttributes } from '@certloop/api-client'
import { useMay, useRead } from '../shared/api.ts'
import { problemAt } from '../shared/problem.ts'
import type { Change, Draft } from './draft.ts'

interface Props { draft: Draft; change: Change; problems: Record<string, string> }

/** Where the parts of the request come from. */
export function ModeFields({ draft, change, problems }: Props) {
  return (
    <Stack gap="xs">
      <Radio.Group label="The request" value={draft.mode} onChange={(value) => change({ mode: value })} error={problems['csr.mode']}>
        <Stack gap={6} mt={4}>
          <Radio value="existing" label="Existing: as the present certificate" description="Names, key type and subject are taken from it; names that you give below take their place." />
          <Radio value="partial" label="Partial: as the present one, except for what is said here" />
          <Radio value="full" label="Full: only what is said here" description="Nothing is taken from the present certificate. A CSR template can give the rules." />
        </Stack>
      </Radio.Group>
      {draft.mode === 'full' && <TemplateFields {...{ draft, change, problems }} />}
    </Stack>
  )
}

function TemplateFields({ draft, change, problems }: Props) {
  const templates = useRead('listCsrTemplates', {}, { enabled: useMay('template:read') }).data?.items ?? []
  const chosen = templates.find(({ id }) => id === draft.templateId)
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
      <Select label="CSR template" description="Rules that the request has to follow." placeholder={templates.length === 0 ? 'There is none yet' : 'None'} clearable data={templates.map(({ id, name, description }) => ({ value: id, label: description === '' ? name : `${name} (${description})` }))} value={draft.templateId} onChange={(value) => change({ templateId: value, templateVersion: null })} error={problemAt(problems, 'csr.templateId')} />
      {chosen && <Select label="Version of the template" description="What was ordered keeps the version it was ordered by." allowDeselect={false} data={[{ value: '', label: `The newest, now ${chosen.version}` }, ...Array.from({ length: chosen.version }, (_, i) => ({ value: String(chosen.version - i), label: `Always ${chosen.version - i}` }))]} value={draft.templateVersion === null ? '' : String(draft.templateVersion)} onChange={(value) => change({ templateVersion: value === null || value === '' ? null : Number(value) })} error={problems['csr.templateVersion']} />}
    </SimpleGrid>
  )
}

const parts: Record<keyof SubjectAttributes, string> = {
  organization: 'Organisation (O)', organizationalUnit: 'Unit (OU)', country: 'Country (C)', stateOrProvince: 'State or province (ST)', locality: 'Town (L)', street: 'Street', postalCode: 'Postal code', serialNumber: 'Serial number', emailAddress: 'E-mail address',
}
const types = { existing: 'As the present one', dv: 'DV: the domain is validated', ov: 'OV: the organisation too', ev: 'EV: extended validation', other: 'Other' } as const

/** The built-in CA has profiles; the names of those of others are known to whoever uses them. */
function ProfileField({ draft, change, problems }: Props) {
  const profiles = useRead('listProfiles', {}, { enabled: useMay('ca:read') }).data?.items ?? []
  return <Autocomplete label="Profile" description="By which the authority issues. Empty: the one it uses otherwise." maxLength={100} data={profiles.map(({ name }) => name)} value={draft.profile ?? ''} onChange={(value) => change({ profile: value === '' ? null : value })} error={problems['csr.profile']} />
}

/** What few requests need: profile, type, digest, subject beside the common name. */
export function FurtherCsrFields({ draft, change, problems }: Props) {
  const setPart = (name: keyof SubjectAttributes, value: string) => {
    const { [name]: _, ...others } = draft.subject
    change({ subject: value === '' ? others : { ...others, [name]: value } })
  }
  const unused = draft.mode === 'existing'
  const isOpen = Object.keys(draft.subject).length > 0 || draft.signatureAlgorithm !== null || draft.certificateType !== 'existing' || draft.profile !== null || Object.keys(problems).some((at) => /^csr\.(subject|certificateType|signatureAlgorithm|profile)/.test(at))
  return (
    <details {...(isOpen ? { open: true } : {})}>
      <summary>Profile, type, digest and subject</summary>
      <Stack gap="sm" pt="sm">
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
          <ProfileField {...{ draft, change, problems }} />
          <Select label="Type of certificate" allowDeselect={false} data={Object.entries(types).map(([value, label]) => ({ value, label }))} value={draft.certificateType} onChange={(value) => value !== null && change({ certificateType: value as Draft['certificateType'] })} error={problems['csr.certificateType']} />
          <Select label="Digest of the request" data={['sha256', 'sha384', 'sha512'].map((value) => ({ value, label: value.replace('sha', 'SHA-') }))} placeholder="What suits the key" clearable disabled={unused} value={draft.signatureAlgorithm} onChange={(value) => change({ signatureAlgorithm: value as Draft['signatureAlgorithm'] })} error={problems['csr.signatureAlgorithm']} />
        </SimpleGrid>
        <Fieldset legend={unused ? 'Subject beside the common name: as the present one' : 'Subject beside the common name'}>
          <SimpleGrid cols={{ base: 1, md: 3 }} spacing="sm">
            {(Object.keys(parts) as (keyof SubjectAttributes)[]).map((name) => <TextInput key={name} label={parts[name]} maxLength={128} disabled={unused} value={draft.subject[name] ?? ''} onChange={(e) => setPart(name, name === 'country' ? e.currentTarget.value.toUpperCase() : e.currentTarget.value)} error={problemAt(problems, `csr.subject.${name}`)} />)}
          </SimpleGrid>
        </Fieldset>
      </Stack>
    </details>
  )
}
