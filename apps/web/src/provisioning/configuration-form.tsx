import { useEffect, useRef, useState, type FormEvent, type ReactNode } from 'react'
import { Alert, Badge, Button, Group, Stack, Text } from '@mantine/core'
import type { Authority, Bot, CertificateDetail, ServerType } from '@certloop/api-client'
import { useMay, useRead, useWrite } from '../shared/api.ts'
import { Waiting } from '../shared/loaded.tsx'
import { tell } from '../shared/notify.ts'
import { Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'
import { userZone } from '../shared/time.ts'
import { DeploymentPart } from './deployment-part.tsx'
import { draftOf, inputOf, type Draft } from './draft.ts'
import { AuthorityPart, RequestPart, ValidationPart } from './request-parts.tsx'
import { SchedulePart } from './schedule-part.tsx'

/** The five parts of a provisioning configuration; complete, or as a draft. */
export function ConfigurationForm({ certificate }: { certificate: CertificateDetail }) {
  const authorities = useRead('listAuthorities', {})
  const serverTypes = useRead('listServerTypes', {})
  const bots = useRead('listBots', {}, { enabled: useMay('bot:read') })
  const error = authorities.error ?? serverTypes.error ?? bots.error
  if (error) return <ProblemAlert error={error} />
  if (!authorities.data || !serverTypes.data || bots.isLoading) return <Waiting />
  return <Form certificate={certificate} authorities={authorities.data.items} serverTypes={serverTypes.data.items} bots={botsFor(certificate, bots.data?.items ?? [])} />
}

/** Bots that can deploy, and those already named here even where the reader may not see the others. */
function botsFor(certificate: CertificateDetail, bots: readonly Bot[]): Pick<Bot, 'id' | 'name'>[] {
  const named = [...(certificate.configuration?.targets ?? []), ...certificate.suggestions].map(({ botId, botName }) => [botId, botName] as const)
  const usable = bots.filter(({ status, purpose }) => status !== 'revoked' && purpose !== 'discovery').map(({ id, name }) => [id, name] as const)
  return [...new Map([...usable, ...named])].map(([id, name]) => ({ id, name }))
}

interface FormProps { certificate: CertificateDetail; authorities: readonly Authority[]; serverTypes: readonly ServerType[]; bots: readonly Pick<Bot, 'id' | 'name'>[] }

function Form({ certificate, authorities, serverTypes, bots }: FormProps) {
  const { draft, change, dirty, changedElsewhere, reload } = useDraft(certificate, authorities)
  const save = useWrite('setConfiguration', ({ configuration }) => {
    reload(configuration)
    tell(configuration?.complete ? 'The configuration is saved and complete.' : 'The draft is saved.')
  })
  const problems = fieldProblems(save.error)
  const send = (complete: boolean) => save.mutate({ params: { id: certificate.id }, body: inputOf(draft, complete) })
  const submit = (event: FormEvent) => { event.preventDefault(); send(true) }
  const form = useRef<HTMLFormElement>(null)
  // The first field with a problem may be far above the button that was pressed.
  useEffect(() => { if (save.error) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus() }, [save.error])
  const part = { draft, change, authorities, problems }
  return (
    <form ref={form} onSubmit={submit} noValidate>
      <Stack>
        {changedElsewhere && <Alert color="orange" title="Changed elsewhere"><Group><Text size="sm">The saved configuration is no longer the one you began with.</Text><Button size="xs" variant="default" onClick={() => reload(certificate.configuration)}>Discard my changes</Button></Group></Alert>}
        <Section title="1. Deployment" help="Where it goes."><DeploymentPart {...part} certificate={certificate} bots={bots} serverTypes={serverTypes} /></Section>
        <Section title="2. Authority" help="Who issues it."><AuthorityPart {...part} /></Section>
        <Section title="3. Request" help="What is asked for."><RequestPart {...part} /></Section>
        <Section title="4. Validation" help="How control over the names is shown."><ValidationPart {...part} /></Section>
        <Section title="5. Schedule" help="When it is renewed, and what then."><SchedulePart {...part} /></Section>
        {save.error && <ProblemAlert error={save.error} />}
        <SaveBar certificate={certificate} dirty={dirty} saving={save.isPending} onDraft={() => send(false)} />
      </Stack>
    </form>
  )
}

/** The draft, kept while others change the saved configuration; without own changes it follows them. */
function useDraft(certificate: CertificateDetail, authorities: readonly Authority[]) {
  const saved = certificate.configuration?.updatedAt ?? null
  const [state, setState] = useState(() => ({ draft: draftOf(certificate, authorities, userZone), base: saved, dirty: false }))
  const restart = (configuration: CertificateDetail['configuration']) =>
    setState({ draft: draftOf({ ...certificate, configuration }, authorities, userZone), base: configuration?.updatedAt ?? null, dirty: false })
  if (saved !== state.base && !state.dirty) restart(certificate.configuration)
  const change = (part: Partial<Draft>) => setState((old) => ({ ...old, draft: { ...old.draft, ...part }, dirty: true }))
  return { draft: state.draft, change, dirty: state.dirty, changedElsewhere: state.dirty && saved !== state.base, reload: restart }
}

function SaveBar({ certificate: { configuration }, dirty, saving, onDraft }: { certificate: CertificateDetail; dirty: boolean; saving: boolean; onDraft: () => void }) {
  const mayWrite = useMay('certificate:write')
  let state: ReactNode = <Badge variant="light" color="gray">Not saved yet</Badge>
  if (configuration) state = <Badge variant="light" color={configuration.complete ? 'teal' : 'orange'}>{configuration.complete ? 'Complete' : 'Draft'}</Badge>
  return (
    <Group justify="space-between">
      <Group gap="xs">{state}{dirty && <Text size="sm" c="dimmed">You have changes that are not saved.</Text>}</Group>
      {mayWrite ? (
        <Group gap="xs">
          <Button variant="default" onClick={onDraft} disabled={saving}>Save as draft</Button>
          <Button type="submit" loading={saving}>Save configuration</Button>
        </Group>
      ) : <Text size="sm" c="dimmed">You may look at it, but not change it.</Text>}
    </Group>
  )
}
