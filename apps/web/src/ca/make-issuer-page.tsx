import { useEffect, useState, type FormEvent } from 'react'
import { Accordion, Alert, Button, Group, Radio, Stack } from '@mantine/core'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import type { IssuanceProfile, Issuer } from '@certloop/api-client'
import { useRead, useWrite } from '../shared/api.ts'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { tell } from '../shared/notify.ts'
import { Page, Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'
import { canSign } from './ca-words.ts'
import { ConstraintFields } from './constraint-fields.tsx'
import { asKind, inputOf, newDraft, type IssuerDraft, type Making } from './issuer-draft.ts'
import { IdentityFields, KeyFields, LimitFields, SignerFields } from './make-issuer-fields.tsx'
import { useForbidden } from './may.ts'
import { PublishingFields } from './publishing-fields.tsx'
import { SubjectFields } from './subject-fields.tsx'

const route = getRouteApi('/built-in-ca/make')

const kinds: Record<Making, { label: string; means: string; button: string }> = {
  root: { label: 'A root', means: 'Signs itself. Clients trust what it signs once you have installed its certificate on them. Nothing here uses it until you make or cross-sign an issuer with it.', button: 'Make the root' },
  intermediate: { label: 'An intermediate, signed here', means: 'Signs certificates below one of your issuers. It can be used at once, by naming it; "Activate" makes it the one in use.', button: 'Make the intermediate' },
  outside: { label: 'An intermediate, signed outside', means: 'Another authority, such as your company\'s, signs it. You get a request to take there and install its answer; until then it waits.', button: 'Make the key and the request' },
}

export function MakeIssuerPage() {
  const issuers = useRead('listIssuers', {})
  const profiles = useRead('listProfiles', {})
  const forbidden = useForbidden('ca:write')
  return (
    <Page title="Make an issuer" above={<TextLink to="/built-in-ca" fz="sm">Built-in CA</TextLink>} summary="What its certificate says can not be changed later; how it publishes can.">
      {forbidden !== null ? <Alert color="gray" title="You can not make one">{forbidden}</Alert> : (
        <Loaded result={issuers}>{({ items }) => <Loaded result={profiles}>{(found) => <MakeForm issuers={items} profiles={found.items.filter(({ rules }) => rules.kind === 'ca')} />}</Loaded>}</Loaded>
      )}
    </Page>
  )
}

function MakeForm({ issuers, profiles }: { issuers: readonly Issuer[]; profiles: readonly IssuanceProfile[] }) {
  const { what = 'intermediate', under } = route.useSearch()
  const navigate = useNavigate()
  const able = issuers.filter(canSign)
  const [written, setDraft] = useState<IssuerDraft>(() => newDraft(what, (able.find(({ id }) => id === under) ?? able.find(({ slot }) => slot === 'root') ?? able[0])?.id ?? null))
  const change = (part: Partial<IssuerDraft>) => setDraft((old) => ({ ...old, ...part }))
  const make = useWrite('createIssuer', (made) => { tell(`${made.name} is made.`); void navigate({ to: '/built-in-ca/issuers/$id', params: { id: made.id } }) })
  const problems = fieldProblems(make.error)
  useFirstWrongField(make.error)
  const style = profiles.find(({ name }) => name === written.profile)?.rules.style ?? 'private'
  const signers = able.filter((one) => one.style === style)
  const signer = signers.find(({ id }) => id === written.signedBy) ?? signers.find(({ slot }) => slot === 'root') ?? signers[0]
  const draft = { ...written, signedBy: signer?.id ?? null }
  const isSigned = draft.what !== 'intermediate' || signer !== undefined
  const submit = (event: FormEvent) => { event.preventDefault(); if (isSigned) make.mutate({ body: inputOf(draft) }) }
  const parts = { draft, change, problems }
  return (
    <form onSubmit={submit}>
      <Stack>
        <Section title="What is made">
          <Radio.Group aria-label="What is made" value={draft.what} onChange={(next) => setDraft(asKind(draft, next))}>
            <Stack gap="sm">{Object.entries(kinds).map(([value, { label, means }]) => <Radio key={value} value={value} label={label} description={means} />)}</Stack>
          </Radio.Group>
        </Section>
        <Section title="Name"><Stack><IdentityFields {...parts} /><SubjectFields value={draft.subject} onChange={(subject) => change({ subject })} problems={problems} /></Stack></Section>
        <Section title="Key"><KeyFields {...parts} /></Section>
        <Section title={draft.what === 'intermediate' ? 'Profile and signer' : 'Profile'}><SignerFields {...parts} signers={signers} profiles={profiles} /></Section>
        <Section title="Limits"><Stack>
          <LimitFields {...parts} signer={signer} />
          <ConstraintFields value={draft.constraints} onChange={(constraints) => change({ constraints })} problems={problems} />
          {draft.what !== 'intermediate' && draft.constraints.length > 0 && <Alert color="blue" title="Where these hold">{draft.what === 'root' ? 'A root\'s certificate does not carry them: clients do not look for them there. They are enforced here at each signing.' : 'The request can not carry them. They are enforced here at each signing; ask the other authority to put them into the certificate.'}</Alert>}
        </Stack></Section>
        <Accordion variant="contained" order={2}>
          <Accordion.Item value="publishing">
            <Accordion.Control>How it publishes what is revoked (can be changed later)</Accordion.Control>
            <Accordion.Panel><PublishingFields value={draft.publishing} onChange={(publishing) => change({ publishing })} problems={problems} isPublic={style === 'public'} /></Accordion.Panel>
          </Accordion.Item>
        </Accordion>
        {make.error && <ProblemAlert error={make.error} />}
        <Group><Button type="submit" loading={make.isPending} disabled={!isSigned}>{kinds[draft.what].button}</Button><ButtonLink to="/built-in-ca" variant="default">Cancel</ButtonLink></Group>
      </Stack>
    </form>
  )
}

/** After a refusal the first field that is wrong is shown and focused. */
export function useFirstWrongField(error: Error | null): void {
  useEffect(() => {
    if (error) document.querySelector<HTMLElement>('main [aria-invalid="true"]')?.focus()
  }, [error])
}
