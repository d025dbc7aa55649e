import { useEffect, useMemo, useRef, useState, type FormEvent, type ReactNode } from 'react'
import { Alert, Badge, Button, Group, Stack, Text } from '@mantine/core'
import type { Authority, Bot, CertificateDetail, ConfigurationStep, ServerType } from '@certloop/api-client'
import { useMay, useQuestion, useRead, useWrite } from '../shared/api.ts'
import { Waiting } from '../shared/loaded.tsx'
import { tell } from '../shared/notify.ts'
import { Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { userZone } from '../shared/time.ts'
import { DeploymentPart } from './deployment-part.tsx'
import { draftOf, inputOf, type Draft } from './draft.ts'
import { findingsOfCheck, findingsOfError, noFindings, stepTitles, type Findings } from './findings.ts'
import { AuthorityPart, RequestPart } from './request-parts.tsx'
import { SchedulePart } from './schedule-part.tsx'
import { CheckResult, Refusal, StepNotes } from './step-notes.tsx'
import { ValidationPart } from './validation-part.tsx'

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

const focusFirst = (form: HTMLElement | null, selectors: readonly string[]) => selectors.map((selector) => form?.querySelector<HTMLElement>(selector)).find((element) => element)?.focus()

interface FormProps { certificate: CertificateDetail; authorities: readonly Authority[]; serverTypes: readonly ServerType[]; bots: readonly Pick<Bot, 'id' | 'name'>[] }

function Form({ certificate, authorities, serverTypes, bots }: FormProps) {
  const { draft, change, dirty, changedElsewhere, reload } = useDraft(certificate, authorities)
  const save = useWrite('setConfiguration', ({ configuration }) => {
    reload(configuration)
    tell(configuration?.complete ? 'The configuration is saved and complete.' : 'The draft is saved.')
  })
  const { check, findings, error } = useFindings(save)
  const [checkedDraft, setCheckedDraft] = useState<Draft | null>(null)
  const params = { id: certificate.id }
  const send = (complete: boolean) => save.mutate({ params, body: inputOf(draft, complete) })
  const submit = (event: FormEvent) => { event.preventDefault(); send(true) }
  const look = () => { setCheckedDraft(draft); check.mutate({ params, body: inputOf(draft, true) }) }
  const form = useRef<HTMLFormElement>(null)
  // The first field with a problem may be far above the button that was pressed, or not be shown now.
  useEffect(() => { if (Object.keys(findings.problems).length > 0) focusFirst(form.current, ['[aria-invalid="true"]', '[data-notes]']) }, [findings])
  const part = { draft, change, authorities, problems: findings.problems }
  const notes = (step: ConfigurationStep) => <StepNotes findings={findings} step={step} />
  return (
    <form ref={form} onSubmit={submit} noValidate>
      <Stack>
        {changedElsewhere && <Alert color="orange" title="Changed elsewhere"><Group><Text size="sm">The saved configuration is no longer the one you began with.</Text><Button size="xs" variant="default" onClick={() => reload(certificate.configuration)}>Discard my changes</Button></Group></Alert>}
        <Section title={stepTitles.deployment} help="Where it goes.">{notes('deployment')}<DeploymentPart {...part} certificate={certificate} bots={bots} serverTypes={serverTypes} /></Section>
        <Section title={stepTitles.authority} help="Who issues it.">{notes('authority')}<AuthorityPart {...part} /></Section>
        <Section title={stepTitles.csr} help="What is asked for.">{notes('csr')}<RequestPart {...part} names={certificate.names} /></Section>
        <Section title={stepTitles.validation} help="How control over the names is shown.">{notes('validation')}<ValidationPart {...part} bots={bots} /></Section>
        <Section title={stepTitles.schedule} help="When it is renewed, and what then.">{notes('schedule')}<SchedulePart {...part} /></Section>
        {error && <Refusal error={error} findings={findings} />}
        {findings.checked && <CheckResult findings={findings} {...findings.checked} stale={checkedDraft !== draft} onAgain={look} />}
        <SaveBar certificate={certificate} dirty={dirty} saving={save.isPending} checking={check.isPending} onDraft={() => send(false)} onCheck={look} />
      </Stack>
    </form>
  )
}

/** What the last save or check has found; the later one counts. */
function useFindings(save: Pick<ReturnType<typeof useWrite<'setConfiguration'>>, 'error' | 'submittedAt'>) {
  const check = useQuestion('checkConfiguration')
  const isOfSave = save.submittedAt > check.submittedAt
  const error = isOfSave ? save.error : check.error
  const answer = isOfSave ? undefined : check.data
  const findings = useMemo((): Findings => (error ? findingsOfError(error) : answer ? findingsOfCheck(answer) : noFindings), [error, answer])
  return { check, findings, error }
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

interface BarProps { certificate: CertificateDetail; dirty: boolean; saving: boolean; checking: boolean; onDraft: () => void; onCheck: () => void }

function SaveBar({ certificate: { configuration }, dirty, saving, checking, onDraft, onCheck }: BarProps) {
  const mayWrite = useMay('certificate:write')
  let state: ReactNode = <Badge variant="light" color="gray">Not saved yet</Badge>
  if (configuration) state = <Badge variant="light" color={configuration.complete ? 'teal' : 'orange'}>{configuration.complete ? 'Complete' : 'Draft'}</Badge>
  return (
    <Group justify="space-between">
      <Group gap="xs">{state}{dirty && <Text size="sm" c="dimmed">You have changes that are not saved.</Text>}</Group>
      {mayWrite ? (
        <Group gap="xs">
          <Button variant="default" onClick={onCheck} loading={checking} disabled={saving}>Check</Button>
          <Button variant="default" onClick={onDraft} disabled={saving}>Save as draft</Button>
          <Button type="submit" loading={saving}>Save configuration</Button>
        </Group>
      ) : <Text size="sm" c="dimmed">You may look at it, but not change it.</Text>}
    </Group>
  )
}
