import { Alert, Group, List, Loader, Stack, Text } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import type { CsrReport } from '@certloop/api-client'
import { client } from '../shared/api.ts'
import { Facts } from '../shared/facts.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { attributeName, keyName, purposeName } from './ca-words.ts'

const typingMs = 300

/** Has a CSR read back into fields as soon as it is there. */
export function useCsrReport(csrPem: string) {
  const [settled] = useDebouncedValue(csrPem.trim(), typingMs)
  const report = useQuery({
    queryKey: ['inspectCsr', settled] as const,
    queryFn: ({ signal }) => client.call('inspectCsr', { body: { csrPem: settled }, signal }),
    enabled: settled !== '', staleTime: Number.POSITIVE_INFINITY,
  })
  const isCurrent = settled === csrPem.trim() && settled !== ''
  return { report: isCurrent ? report.data : undefined, error: isCurrent ? report.error : null, isReading: csrPem.trim() !== '' && (!isCurrent || report.isFetching) }
}

const looks = { error: { color: 'red', title: 'No certificate can be issued for it' }, warning: { color: 'orange', title: 'Look at this' }, notice: { color: 'blue', title: 'Good to know' } } as const

/** What the CSR asks for, and what is wrong with it. */
export function CsrReading({ report, error, isReading }: ReturnType<typeof useCsrReport>) {
  if (error) return <ProblemAlert error={error} />
  if (report === undefined) return isReading ? <Group gap="xs" role="status"><Loader size="xs" /><Text size="sm" c="dimmed">Reading the request…</Text></Group> : <Text size="sm" c="dimmed">What it asks for will show here.</Text>
  return (
    <Stack gap="sm">
      {(['error', 'warning', 'notice'] as const).map((severity) => <Findings key={severity} severity={severity} findings={report.findings.filter((finding) => finding.severity === severity)} />)}
      <CsrFacts report={report} />
    </Stack>
  )
}

function Findings({ severity, findings }: { severity: keyof typeof looks; findings: CsrReport['findings'] }) {
  if (findings.length === 0) return null
  const { color, title } = looks[severity]
  return <Alert color={color} title={title} role={severity === 'error' ? 'alert' : 'status'}><List size="sm">{findings.map(({ code, message }) => <List.Item key={code + message} data-finding={code}>{message}</List.Item>)}</List></Alert>
}

const otherKinds: Record<string, string> = { email: 'E-mail', uri: 'URI', upn: 'User principal name' }

function CsrFacts({ report }: { report: CsrReport }) {
  const { commonName, subjectAttributes, names, otherNames, keyAlgorithm, signatureAlgorithm, keyUsage, extendedKeyUsage, mustStaple, hasChallengePassword, isCaRequest } = report
  const attributes = subjectAttributes.filter(({ type }) => type !== 'CN')
  const lines = (texts: readonly string[]) => <Stack gap={0}>{texts.map((text) => <Text key={text} size="sm" style={{ overflowWrap: 'anywhere' }}>{text}</Text>)}</Stack>
  return (
    <Facts of={{
      'Names': names.length === 0 ? 'None' : lines(names),
      'Other names': otherNames.length === 0 ? null : lines(otherNames.map(({ type, value }) => `${otherKinds[type] ?? type}: ${value}`)),
      'Common name': commonName ?? 'None',
      'Subject': attributes.length === 0 ? null : lines(attributes.map(({ type, value }) => `${attributeName(type)}: ${value}`)),
      'Key': keyName(keyAlgorithm),
      'Signed with': signatureAlgorithm,
      'Key usage': keyUsage.length === 0 ? null : keyUsage.join(', '),
      'Purposes': extendedKeyUsage.length === 0 ? null : extendedKeyUsage.map(purposeName).join(', '),
      'Must-staple': mustStaple ? 'Asked for' : null,
      'Challenge password': hasChallengePassword ? 'It has one, which is not used here' : null,
      'CA': isCaRequest ? 'It asks for the certificate of a CA' : null,
    }} />
  )
}
