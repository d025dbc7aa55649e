import { Alert, Text } from '@mantine/core'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import type { IssuanceProfile } from '@certloop/api-client'
import { useRead, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { Facts } from '../shared/facts.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { tell } from '../shared/notify.ts'
import { Empty, Page, Section } from '../shared/page.tsx'
import { When } from '../shared/when.tsx'
import { useForbidden } from './may.ts'
import { ProfileForm } from './profile-form.tsx'
import { originText, profileSentences } from './profile-words.ts'

const route = getRouteApi('/built-in-ca/profiles/$name')

export function ProfilePage() {
  const { name } = route.useParams()
  const { view } = route.useSearch()
  const result = useRead('listProfiles', {})
  return (
    <Loaded result={result}>
      {({ items }) => {
        const profile = items.find((one) => one.name === name)
        if (profile === undefined) return <Empty title={`There is no profile "${name}"`} action={<ButtonLink to="/built-in-ca/profiles">To the profiles</ButtonLink>}>It may have been deleted. What was issued by it stays as it is.</Empty>
        if (view === 'copy') return <CopyView key="copy" profile={profile} all={items} />
        return view === 'change' && !profile.builtIn ? <ChangeView key="change" profile={profile} /> : <ProfileView profile={profile} />
      }}
    </Loaded>
  )
}

const above = <TextLink to="/built-in-ca/profiles" fz="sm">Profiles</TextLink>

function ProfileView({ profile }: { profile: IssuanceProfile }) {
  const { name, rules, builtIn, internal, revision, updatedAt } = profile
  const navigate = useNavigate()
  const forbidden = useForbidden('ca:write')
  const remove = useWrite('deleteProfile', () => { tell(`The profile "${name}" is deleted.`); void navigate({ to: '/built-in-ca/profiles' }) })
  const mayIssue = useForbidden('ca:issue') === null
  const actions = (
    <>
      {mayIssue && !internal && rules.kind === 'end-entity' && <ButtonLink to="/built-in-ca/issue" search={{ profile: name }} size="xs">Issue by it</ButtonLink>}
      {forbidden === null && !builtIn && <ButtonLink to="/built-in-ca/profiles/$name" params={{ name }} search={{ view: 'change' }} size="xs" variant="default">Change</ButtonLink>}
      {forbidden === null && <ButtonLink to="/built-in-ca/profiles/$name" params={{ name }} search={{ view: 'copy' }} size="xs" variant="default">Copy</ButtonLink>}
      <ConfirmButton label="Delete" size="xs" color="red" variant="light" whyNot={forbidden ?? (builtIn ? 'It is built in and stays.' : null)} question={`Delete the profile "${name}"?`} explanation="Nothing more is issued by it. What was issued stays good." run={() => remove.mutateAsync({ params: { name } })} />
    </>
  )
  return (
    <Page title={rules.title} above={above} summary={<>{name}. {originText(profile)}{updatedAt !== null && <>, revision {revision}, changed <When at={updatedAt} form="both" inline /></>}.</>} toolbar={actions}>
      <Section title="What it does"><Facts of={profileSentences(rules)} /></Section>
    </Page>
  )
}

function CopyView({ profile, all }: { profile: IssuanceProfile; all: readonly IssuanceProfile[] }) {
  const forbidden = useForbidden('ca:write')
  const { name, rules } = profile
  const free = freeName(name, all.map((one) => one.name))
  return (
    <Page title={`Copy of ${rules.title}`} above={above} summary="Everything is as in the profile it comes from until you change it.">
      {forbidden === null ? <ProfileForm rules={{ ...rules, title: `${rules.title}, copy` }} stored={null} name={free} templates={all} /> : <Alert color="gray" title="You can not make profiles">{forbidden}</Alert>}
    </Page>
  )
}

function freeName(name: string, taken: readonly string[]): string {
  const of = (count: number) => `my-${name.replace(/^my-/, '')}${count === 1 ? '' : `-${count}`}`
  let count = 1
  while (taken.includes(of(count))) count += 1
  return of(count)
}

function ChangeView({ profile }: { profile: IssuanceProfile }) {
  const forbidden = useForbidden('ca:write')
  return (
    <Page title={`Change ${profile.rules.title}`} above={<>{above}<TextLink to="/built-in-ca/profiles/$name" params={{ name: profile.name }} search={{}} fz="sm">{profile.rules.title}</TextLink></>} summary="It holds for what is issued from then on.">
      {forbidden === null ? <ProfileForm rules={profile.rules} stored={profile} name={profile.name} templates={[]} /> : <Text size="sm">{forbidden}</Text>}
    </Page>
  )
}
