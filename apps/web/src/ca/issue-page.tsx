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

function IssueForm({ profiles, issuers }: { profiles: readonly IssuanceProfile[]; issuers: readonly Issuer[] }) {
  const asked = route.useSearch()
  const navigate = useNavigate()
  const [csrPem, setCsr] = useState('')
  const [profile, setProfile] = useState(asked.profile ?? 'server')
  const [issuerId, setIssuer] = useState<string | null>(asked.issuerId ?? null)
  const [days, setDays] = useState<number | ''>('')
  const [mustStaple, setMustStaple] = useState(false)
  const reading = useCsrReport(csrPem)
  const issue = useWrite('issueCertificate', ({ id }) => { tell('The certificate is issued.'); void navigate({ to: '/built-in-ca/certificates/$id', params: { id } }) })
  const problems = fieldProblems(issue.error)
  useFirstWrongField(issue.error)
  const chosen = profiles.find(({ name }) => name === profile)
  const whyNot = whyNotYet(csrPem, reading)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (whyNot !== null) return
    issue.mutate({ body: { csrPem, profile, ...(issuerId === null ? {} : { issuerId: issuerId as Issuer['id'] }), ...(days === '' ? {} : { validityDays: days }), ...(mustStaple ? { mustStaple } : {}) } })
  }
  const csrProblem = problemAt(problems, 'csrPem') ?? Object.entries(problems).find(([field]) => field.startsWith('csrPem '))?.[1]
  return (
    <form onSubmit={submit}>
      <Stack>
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <Section title="Request"><FileText label="CSR" description="PKCS#10, for example from openssl req, keytool or a device." placeholder={'-----BEGIN CERTIFICATE REQUEST-----\n…'} pemLabel="CERTIFICATE REQUEST" value={csrPem} onChange={(text) => { setCsr(text); issue.reset() }} error={csrProblem} required minRows={10} /></Section>
          <Section title="What it asks for"><CsrReading {...reading} /></Section>
        </SimpleGrid>
        <Section title="What is issued">
          <SimpleGrid cols={{ base: 1, md: 2 }}>
            <Stack>
              <Select label="Profile" description="What it is for, and what else stands in it." allowDeselect={false} data={profiles.map(({ name, rules }) => ({ value: name, label: rules.title }))} value={profile} onChange={(value) => { setProfile(value ?? 'server'); issue.reset() }} error={problems.profile} />
              <NumberInput label="Lifetime in days" description={chosen && `At most ${chosen.rules.maximumValidityDays}.`} placeholder={chosen && `${chosen.rules.defaultValidityDays}, as usual for this profile`} min={1} max={chosen?.rules.maximumValidityDays ?? 9132} allowDecimal={false} value={days} onChange={(value) => setDays(typeof value === 'number' ? value : '')} error={problems.validityDays} />
              <Select label="Signed by" clearable placeholder="The intermediate in use" data={issuers.filter(({ status, keySource }) => status === 'active' && keySource !== 'outside').map(({ id, name, slot }) => ({ value: id, label: slot === 'intermediate' ? `${name} (in use)` : name }))} value={issuerId} onChange={setIssuer} error={problems.issuerId} />
              {chosen?.rules.mustStaple === 'asked' && reading.report?.mustStaple !== true && <Switch label="Must-staple" description="The server has to send an OCSP answer along, or clients refuse it." checked={mustStaple} onChange={(event) => setMustStaple(event.currentTarget.checked)} error={problems.mustStaple} />}
            </Stack>
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

function whyNotYet(csrPem: string, { report, error, isReading }: ReturnType<typeof useCsrReport>): string | null {
  if (csrPem.trim() === '') return 'Give a request first.'
  if (isReading) return 'The request is being read.'
  if (error || report === undefined) return 'The request can not be read.'
  return report.findings.some(({ severity }) => severity === 'error') ? 'The request has errors; no certificate can be issued for it.' : null
}
