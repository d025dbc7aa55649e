import { useState, type FormEvent } from 'react'
import { Anchor, Button, Group, Select, SimpleGrid, Stack, TextInput } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { ApiProblem, type DnsProvider, type DnsProviderType } from '@certloop/api-client'
import { useFirstWrongField } from '../ca/make-issuer-page.tsx'
import { PluginFields, type PluginDraft } from '../plugin/plugin-fields.tsx'
import { PluginRefusal } from '../plugin/plugin-refusal.tsx'
import { sentFields } from '../plugin/sent-fields.ts'
import { useWrite } from '../shared/api.ts'
import { ButtonLink } from '../shared/link.tsx'
import { tell } from '../shared/notify.ts'
import { Section } from '../shared/page.tsx'
import { fieldProblems } from '../shared/problem.ts'

interface Props { types: readonly DnsProviderType[]; /** The one that is changed; null: a new one. */ stored: DnsProvider | null }

/** Kind, name and typed fields of a DNS provider. */
export function DnsProviderForm({ types, stored }: Props) {
  const [kind, setKind] = useState(stored?.kind ?? null)
  const [name, setName] = useState(stored?.name ?? '')
  const [draft, setDraft] = useState<PluginDraft>({ fields: stored?.fields ?? {}, secrets: {} })
  const navigate = useNavigate()
  const done = ({ id, name: saved, health }: DnsProvider) => {
    tell(health.state === 'failing' ? `"${saved}" is saved. Its test failed: see what it says.` : `"${saved}" is saved.`)
    void navigate({ to: '/dns-providers/$id', params: { id }, search: {} })
  }
  const create = useWrite('createDnsProvider', done)
  const update = useWrite('updateDnsProvider', done)
  const error = create.error ?? update.error
  const problems = fieldProblems(error)
  useFirstWrongField(error)
  const type = types.find((one) => one.kind === kind)
  const choose = (next: string | null) => {
    setKind(next)
    setName(types.find((one) => one.kind === next)?.title ?? '')
    setDraft({ fields: {}, secrets: {} })
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (kind === null) return
    const body = { name: name.trim(), kind, fields: sentFields(draft.fields), secrets: draft.secrets }
    if (stored === null) create.mutate({ body })
    else update.mutate({ params: { id: stored.id }, body })
  }
  const isTaken = error instanceof ApiProblem && error.code === 'CONFLICT'
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <Section title="Which one">
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            {stored === null && <Select label="DNS provider" placeholder="Choose one" required searchable data={types.map((one) => ({ value: one.kind, label: one.title }))} value={kind} onChange={choose} error={problems.kind} />}
            <TextInput label="Name" description="As it is to be called here." required maxLength={200} value={name} onChange={(event) => setName(event.currentTarget.value)} error={isTaken ? error.message : problems.name} />
          </SimpleGrid>
        </Section>
        {type && (
          <Section title={type.title} help={<>{type.summary}{type.docsUrl && <> <Anchor inherit href={type.docsUrl} target="_blank" rel="noreferrer">Its documentation</Anchor></>}</>}>
            <PluginFields schema={type.fields} draft={draft} onChange={setDraft} kept={stored?.secretsSet ?? []} problems={problems} />
          </Section>
        )}
        {error && <PluginRefusal error={error} schema={type?.fields} />}
        <Group>
          <Button type="submit" loading={create.isPending || update.isPending} disabled={kind === null}>Save and test</Button>
          {stored === null ? <ButtonLink to="/dns-providers" variant="default">Cancel</ButtonLink> : <ButtonLink to="/dns-providers/$id" params={{ id: stored.id }} search={{}} variant="default">Cancel</ButtonLink>}
        </Group>
      </Stack>
    </form>
  )
}
