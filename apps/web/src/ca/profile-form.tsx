import { useState, type FormEvent } from 'react'
import { Alert, Button, Group, Select, SimpleGrid, Stack, TextInput } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { ApiProblem, type IssuanceProfile, type ProfileRules } from '@certloop/api-client'
import { useRead, useWrite } from '../shared/api.ts'
import { ButtonLink } from '../shared/link.tsx'
import { tell } from '../shared/notify.ts'
import { Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'
import { useFirstWrongField } from './make-issuer-page.tsx'
import { GeneralRules, KeyRules, NameRules, OtherRules, SubjectRules } from './profile-fields.tsx'

interface Props {
  rules: ProfileRules
  /** The profile that is changed; null: a new one is made. */
  stored: IssuanceProfile | null
  name: string
  /** Profiles whose rules a new one can begin with. */
  templates: readonly IssuanceProfile[]
}

/** All rules of a profile. What is changed is compared with the revision that was read, so that nobody's change is lost. */
export function ProfileForm({ rules: given, stored, name: suggested, templates }: Props) {
  const navigate = useNavigate()
  const [name, setName] = useState(suggested)
  const [{ rules, revision }, setDraft] = useState({ rules: given, revision: stored?.revision ?? 0 })
  const done = (profile: IssuanceProfile) => { tell(`The profile "${profile.name}" is saved.`); void navigate({ to: '/built-in-ca/profiles/$name', params: { name: profile.name }, search: {} }) }
  const create = useWrite('createProfile', done)
  const update = useWrite('updateProfile', done)
  const error = create.error ?? update.error
  const problems = fieldProblems(error)
  useFirstWrongField(error)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (stored === null) create.mutate({ body: { name: name.trim(), rules } })
    else update.mutate({ params: { name: stored.name }, body: { rules, revision } })
  }
  const begin = (template: string | null) => {
    const found = templates.find((one) => one.name === template)
    if (found) setDraft({ rules: { ...found.rules, title: `${found.rules.title}, copy` }, revision: 0 })
  }
  const isTaken = stored === null && error instanceof ApiProblem && error.code === 'CONFLICT'
  const parts = { rules, change: (change: Partial<ProfileRules>) => setDraft((old) => ({ ...old, rules: { ...old.rules, ...change } })), problems }
  return (
    <form onSubmit={submit}>
      <Stack>
        {stored === null && (
          <Section title="Name">
            <SimpleGrid cols={{ base: 1, sm: 2 }}>
              <TextInput label="Name" description="Small letters, digits and hyphens. It can not be changed later." required maxLength={60} value={name} onChange={(event) => setName(event.currentTarget.value)} error={isTaken ? error.message : problems.name && 'Small letters, digits and hyphens only, beginning with a letter or digit.'} />
              <Select label="Begin again with the rules of" description="Replaces everything below." placeholder="Keep what stands below" data={templates.map((one) => ({ value: one.name, label: one.rules.title }))} value={null} onChange={begin} />
            </SimpleGrid>
          </Section>
        )}
        <Section title="What it is"><GeneralRules {...parts} /></Section>
        <Section title="Names"><NameRules {...parts} /></Section>
        <Section title="Subject"><SubjectRules {...parts} /></Section>
        <Section title="Keys and purposes"><KeyRules {...parts} /></Section>
        <Section title="More"><OtherRules {...parts} /></Section>
        {error && !isTaken && (stored !== null && error instanceof ApiProblem && error.code === 'CONFLICT'
          ? <Conflict name={stored.name} onTake={(theirs) => { update.reset(); setDraft({ rules: theirs.rules, revision: theirs.revision }) }} onKeep={(theirs) => { update.reset(); setDraft({ rules, revision: theirs.revision }) }} />
          : <ProblemAlert error={error} />)}
        <Group>
          <Button type="submit" loading={create.isPending || update.isPending}>Save profile</Button>
          <ButtonLink to="/built-in-ca/profiles/$name" params={{ name: stored?.name ?? templates[0]?.name ?? suggested }} search={{}} variant="default">Cancel</ButtonLink>
        </Group>
      </Stack>
    </form>
  )
}

/** Somebody else saved in the meantime: theirs or ours, never silently either. */
function Conflict({ name, onTake, onKeep }: { name: string; onTake: (theirs: IssuanceProfile) => void; onKeep: (theirs: IssuanceProfile) => void }) {
  const latest = useRead('listProfiles', {})
  const theirs = latest.data?.items.find((one) => one.name === name)
  const again = async (goOn: (profile: IssuanceProfile) => void) => {
    const found = (await latest.refetch()).data?.items.find((one) => one.name === name)
    if (found) goOn(found)
  }
  return (
    <Alert color="orange" role="alert" title="Somebody else changed this profile while you did" data-code="CONFLICT">
      <Stack gap="sm">
        <span>Nothing of yours was saved{theirs === undefined ? '; it was deleted.' : '. Begin again from what they saved, or keep yours: then "Save profile" replaces theirs.'}</span>
        {theirs !== undefined && <Group gap="xs"><Button size="xs" variant="default" onClick={() => void again(onTake)}>Show what they saved</Button><Button size="xs" variant="default" onClick={() => void again(onKeep)}>Keep mine</Button></Group>}
      </Stack>
    </Alert>
  )
}
