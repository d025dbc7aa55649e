import { useState, type FormEvent } from 'react'
import { Alert, Button, Group, NumberInput, Select, SimpleGrid, Stack, Switch, Text, Tooltip } from '@mantine/core'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import type { IssuanceProfile, Issuer } from '@certloop/api-client'
import { useMay, useRead, useWrite } from '../shared/api.ts'
import { Facts } from '../shared/facts.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { tell } from '../shared/notify.ts'
import { Page, Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems, problemAt } from '../shared/problem.ts'
import { CsrReading, useCsrReport } from './csr-report.tsx'
import { FileText } from './file-text.tsx'
import { useFirstWrongField } from './make-issuer-page.tsx'
import { useForbidden } from './may.ts'
import { profileSentences } from './profile-words.ts'
import { requestAlone } from './request-alone.ts'

const route = getRouteApi('/built-in-ca/issue')

export function IssuePage() {
  const forbidden = useForbidden('ca:issue')
  const profiles = useRead('listProfiles', {})
  const issuers = useRead('listIssuers', {})
  const mayMakeCas = useMay('ca:write')
  const usable = ({ internal, rules }: IssuanceProfile) => !internal && (rules.kind === 'end-entity' || mayMakeCas)
  return (
    <Page title="Issue from a CSR" above={<TextLink to="/built-in-ca/certificates" search={{}} fz="sm">Issued certificates</TextLink>} summary="Signs a request that somebody made elsewhere. Names and key are taken from it as they are; the profile says the rest.">
      {forbidden !== null ? <Alert color="gray" title="You can not issue">{forbidden}</Alert> : (
        <Loaded result={profiles}>{(found) => <Loaded result={issuers}>{({ items }) => <IssueForm profiles={found.items.filter(usable)} issuers={items} />}</Loaded>}</Loaded>
      )}
    </Page>
  )
}

/** What is chosen beside the request. */
interface Wish { profile: string; /** null: the intermediate in use. */ issuerId: string | null; /** '': as usual for the profile. */ days: number | ''; mustStaple: boolean }

const inputOf = ({ profile, issuerId, days, mustStaple }: Wish) => ({ profile, ...(issuerId === null ? {} : { issuerId: issuerId as Issuer['id'] }), ...(days === '' ? {} : { validityDays: days }), ...(mustStaple ? { mustStaple } : {}) })

function IssueForm({ profiles, issuers }: { profiles: readonly IssuanceProfile[]; issuers: readonly Issuer[] }) {
  const asked = route.useSearch()
  const navigate = useNavigate()
  const [csrPem, setCsr] = useState('')
  const [wish, setWish] = useState<Wish>({ profile: asked.profile ?? 'server', issuerId: asked.issuerId ?? null, days: '', mustStaple: false })
  const reading = useCsrReport(csrPem)
  const issue = useWrite('issueCertificate', ({ id }) => { tell('The certificate is issued.'); void navigate({ to: '/built-in-ca/certificates/$id', params: { id } }) })
  const problems = fieldProblems(issue.error)
  useFirstWrongField(issue.error)
  const chosen = profiles.find(({ name }) => name === wish.profile)
  const style = chosen?.rules.style ?? 'private'
  const signers = issuers.filter((one) => one.status === 'active' && one.keySource !== 'outside' && one.style === style)
  const needsIssuer = style === 'public' && !signers.some(({ id }) => id === wish.issuerId)
  const whyNot = whyNotYet(csrPem, reading) ?? (needsIssuer ? 'Choose an issuer of public style; the one in use is not.' : null)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (whyNot !== null) return
    issue.mutate({ body: { csrPem, ...inputOf(wish) } })
  }
  const csrProblem = problemAt(problems, 'csrPem') ?? Object.entries(problems).find(([field]) => field.startsWith('csrPem '))?.[1]
  return (
    <form onSubmit={submit}>
      <Stack>
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <Section title="Request"><FileText label="CSR" description="PKCS#10, for example from openssl req, keytool or a device." placeholder={'-----BEGIN CERTIFICATE REQUEST-----\n…'} pemLabel="CERTIFICATE REQUEST" value={csrPem} onChange={(text) => { setCsr(requestAlone(text)); issue.reset() }} error={csrProblem} required minRows={10} /></Section>
          <Section title="What it asks for"><CsrReading {...reading} /></Section>
        </SimpleGrid>
        <Section title="What is issued">
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            <IssueFields wish={wish} change={(part) => { setWish((old) => ({ ...old, ...part })); issue.reset() }} problems={problems} profiles={profiles} signers={signers} chosen={chosen} asksStaple={reading.report?.mustStaple === true} />
            {chosen && <Stack gap="xs" component="section" aria-label="What the profile allows"><Text size="sm" fw={600}>What the profile allows</Text><Facts of={profileSentences(chosen.rules)} /></Stack>}
          </SimpleGrid>
        </Section>
        {issue.error && <ProblemAlert error={issue.error} />}
        <Group>
          <Tooltip label={whyNot} disabled={whyNot === null} events={{ hover: true, focus: true, touch: true }}><Button type="submit" loading={issue.isPending} {...(whyNot === null ? {} : { 'data-disabled': true, 'aria-disabled': true })}>Issue</Button></Tooltip>
          <ButtonLink to="/built-in-ca/certificates" search={{}} variant="default">Cancel</ButtonLink>
        </Group>
      </Stack>
    </form>
  )
}

interface FieldProps { wish: Wish; change: (part: Partial<Wish>) => void; problems: Record<string, string>; profiles: readonly IssuanceProfile[]; signers: readonly Issuer[]; chosen: IssuanceProfile | undefined; asksStaple: boolean }

function IssueFields({ wish, change, problems, profiles, signers, chosen, asksStaple }: FieldProps) {
  const signerHint = chosen?.rules.style !== 'public' ? 'The intermediate in use' : signers.length > 0 ? 'Choose an issuer of public style' : 'There is no issuer of public style; make one first'
  return (
    <Stack>
      <Select label="Profile" description="What it is for, and what else stands in it." allowDeselect={false} data={profiles.map(({ name, rules }) => ({ value: name, label: rules.title }))} value={wish.profile} onChange={(value) => change({ profile: value ?? 'server', issuerId: null, mustStaple: false })} error={problems.profile} />
      <NumberInput label="Lifetime in days" description={chosen && `At most ${chosen.rules.maximumValidityDays}.`} placeholder={chosen && `${chosen.rules.defaultValidityDays}, as usual for this profile`} min={1} max={chosen?.rules.maximumValidityDays ?? 9132} allowDecimal={false} value={wish.days} onChange={(value) => change({ days: typeof value === 'number' ? value : '' })} error={problems.validityDays} />
      <Select label="Signed by" clearable placeholder={signerHint} data={signers.map(({ id, name, slot }) => ({ value: id, label: slot === 'intermediate' ? `${name} (in use)` : name }))} value={wish.issuerId} onChange={(issuerId) => change({ issuerId })} error={problems.issuerId} />
      {chosen?.rules.mustStaple === 'asked' && !asksStaple && <Switch label="Must-staple" description="The server has to send an OCSP answer along, or clients refuse it." checked={wish.mustStaple} onChange={(event) => change({ mustStaple: event.currentTarget.checked })} error={problems.mustStaple} />}
    </Stack>
  )
}

function whyNotYet(csrPem: string, { report, error, isReading }: ReturnType<typeof useCsrReport>): string | null {
  if (csrPem.trim() === '') return 'Give a request first.'
  if (isReading) return 'The request is being read.'
  if (error || report === undefined) return 'The request can not be read.'
  return report.findings.some(({ severity }) => severity === 'error') ? 'The request has errors; no certificate can be issued for it.' : null
}
