import { useState, type FormEvent } from 'react'
import { Button, Group, NumberInput, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { ApiProblem, type Authority, type AuthorityPreset, type AuthorityType } from '@certloop/api-client'
import { useFirstWrongField } from '../ca/make-issuer-page.tsx'
import { PluginFields, type PluginDraft } from '../plugin/plugin-fields.tsx'
import { PluginRefusal } from '../plugin/plugin-refusal.tsx'
import { sentFields } from '../plugin/sent-fields.ts'
import { useWrite } from '../shared/api.ts'
import { ButtonLink } from '../shared/link.tsx'
import { tell } from '../shared/notify.ts'
import { Section } from '../shared/page.tsx'
import { fieldProblems } from '../shared/problem.ts'

interface Props { types: readonly AuthorityType[]; /** The one that is changed; null: a new one. */ stored: Authority | null }
interface Choice { kind: string; preset: string | null }

const own = 'own'
const keyOf = ({ kind, preset }: Choice) => `${kind}/${preset ?? own}`
const presetOf = (types: readonly AuthorityType[], { kind, preset }: Choice): AuthorityPreset | undefined => types.find((type) => type.kind === kind)?.presets.find(({ id }) => id === preset)

/** A ready-made entry that fills in nothing stands for one that is not listed. */
const isBlank = ({ fields }: AuthorityPreset) => Object.keys(fields).length === 0

/** Ready-made entries by kind; one with an address of one's own comes last. */
const choicesOf = (types: readonly AuthorityType[]) => types.filter(({ single }) => !single).map(({ kind, title, presets }) => ({
  group: title,
  items: [
    ...presets.map(({ id, title: label, ended }) => ({ value: keyOf({ kind, preset: id }), label: ended === null ? label : `${label} (ended)`, disabled: ended !== null })),
    ...(presets.some(isBlank) ? [] : [{ value: keyOf({ kind, preset: null }), label: 'Another one, by its address' }]),
  ],
}))

function useSave(stored: Authority | null) {
  const navigate = useNavigate()
  const done = ({ id, name, health }: Authority) => {
    tell(health.state === 'failing' ? `"${name}" is saved. Its test failed: see what it says.` : `"${name}" is saved.`)
    void navigate({ to: '/authorities/$id', params: { id }, search: {} })
  }
  const create = useWrite('createAuthority', done)
  const update = useWrite('updateAuthority', done)
  return {
    error: create.error ?? update.error, isPending: create.isPending || update.isPending,
    save: (body: Parameters<typeof create.mutate>[0]['body']) => (stored === null ? create.mutate({ body }) : update.mutate({ params: { id: stored.id }, body })),
  }
}

function useAuthorityDraft(stored: Authority | null) {
  const [choice, setChoice] = useState<Choice | null>(stored && { kind: stored.kind, preset: stored.preset })
  const [name, setName] = useState(stored?.name ?? '')
  const [draft, setDraft] = useState<PluginDraft>({ fields: stored?.fields ?? {}, secrets: {} })
  const [concurrency, setConcurrency] = useState<number | string>(stored?.concurrency ?? '')
  return { choice, setChoice, name, setName, draft, setDraft, concurrency, setConcurrency }
}

/** Kind, name and typed fields of an authority. */
export function AuthorityForm({ types, stored }: Props) {
  const { choice, setChoice, name, setName, draft, setDraft, concurrency, setConcurrency } = useAuthorityDraft(stored)
  const { save, error, isPending } = useSave(stored)
  const problems = fieldProblems(error)
  useFirstWrongField(error)
  const type = types.find(({ kind }) => kind === choice?.kind)
  const preset = choice === null ? undefined : presetOf(types, choice)
  const choose = (key: string | null) => {
    const [kind = '', id = own] = key?.split('/') ?? []
    const next = { kind, preset: id === own ? null : id }
    const found = presetOf(types, next)
    setChoice(next)
    setName(found === undefined || isBlank(found) ? '' : found.title)
    setDraft({ fields: found?.fields ?? {}, secrets: {} })
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (choice !== null) save({ name: name.trim(), kind: choice.kind, preset: choice.preset, fields: sentFields(draft.fields), secrets: draft.secrets, ...(typeof concurrency === 'number' ? { concurrency } : {}), ...(stored === null ? {} : { limits: stored.limits }) })
  }
  const isTaken = error instanceof ApiProblem && error.code === 'CONFLICT'
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        <Section title="Which one">
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            {stored === null && <Select label="Authority" placeholder="Choose one" required searchable data={choicesOf(types)} value={choice && keyOf(choice)} onChange={choose} error={problems.kind ?? problems.preset} />}
            <TextInput label="Name" description="As it is to be called here." required maxLength={200} value={name} onChange={(event) => setName(event.currentTarget.value)} error={isTaken ? error.message : problems.name} />
          </SimpleGrid>
          {preset && <Text size="sm" mt="sm">{preset.ended ?? preset.note}</Text>}
        </Section>
        {type && (
          <Section title={type.title} help={type.summary}>
            <Stack>
              <PluginFields schema={type.fields} draft={draft} onChange={setDraft} kept={stored?.secretsSet ?? []} problems={problems} />
              <NumberInput label="Requests at a time" description={stored === null ? 'Empty: 20.' : 'Empty: as it is.'} maw={260} min={1} max={1000} allowDecimal={false} value={concurrency} onChange={setConcurrency} error={problems.concurrency} />
            </Stack>
          </Section>
        )}
        {error && <PluginRefusal error={error} schema={type?.fields} />}
        <Group>
          <Button type="submit" loading={isPending} disabled={choice === null}>Save and test</Button>
          {stored === null ? <ButtonLink to="/authorities" variant="default">Cancel</ButtonLink> : <ButtonLink to="/authorities/$id" params={{ id: stored.id }} search={{}} variant="default">Cancel</ButtonLink>}
        </Group>
      </Stack>
    </form>
  )
}
