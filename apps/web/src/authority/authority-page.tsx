import { Alert, Button, List, Progress, Stack, Table, Text } from '@mantine/core'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import type { Authority, AuthorityType, AuthorityUse } from '@certloop/api-client'
import { keyName } from '../ca/ca-words.ts'
import { pluginFacts } from '../plugin/plugin-facts.tsx'
import { HealthBadge, HealthView } from '../plugin/test-report.tsx'
import { useMay, useRead, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { CopyBlock } from '../shared/copy.tsx'
import { Facts } from '../shared/facts.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { tell } from '../shared/notify.ts'
import { Page, Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { When } from '../shared/when.tsx'
import { validationsText } from '../validation/validation-words.ts'
import { AuthorityForm } from './authority-form.tsx'
import { limitText } from './limit-words.ts'

const route = getRouteApi('/authorities/$id')
const above = <TextLink to="/authorities" fz="sm">Authorities</TextLink>

export function AuthorityPage() {
  const { id } = route.useParams()
  const { view } = route.useSearch()
  const result = useRead('getAuthority', { params: { id: id as Authority['id'] } })
  const types = useRead('listAuthorityTypes', {})
  const mayWrite = useMay('authority:write')
  return (
    <Loaded result={result}>
      {(authority) => (view === 'change' && mayWrite
        ? <Page title={`Change ${authority.name}`} above={above} summary="It holds for what is asked of it from then on."><Loaded result={types}>{({ items }) => <AuthorityForm types={items} stored={authority} />}</Loaded></Page>
        : <AuthorityView authority={authority} type={types.data?.items.find(({ kind }) => kind === authority.kind)} />)}
    </Loaded>
  )
}

function AuthorityView({ authority, type }: { authority: Authority; type: AuthorityType | undefined }) {
  const isBuiltIn = type?.single ?? false
  const ended = type?.presets.find((preset) => preset.id === authority.preset)?.ended ?? null
  const { id, name, title, health } = authority
  const params = { id }
  const mayWrite = useMay('authority:write')
  // A test can make the account there.
  const mayTest = useMay('certificate:order')
  const test = useWrite('testAuthority')
  const remove = useWrite('deleteAuthority')
  const roll = useWrite('rollAuthorityKey')
  const navigate = useNavigate()
  const actions = (
    <>
      {mayTest && <Button size="xs" loading={test.isPending} onClick={() => test.mutate({ params })}>Test now</Button>}
      {mayWrite && <ButtonLink to="/authorities/$id" params={params} search={{ view: 'change' }} size="xs" variant="default">Change</ButtonLink>}
      {mayWrite && authority.abilities.includes('account-key-rollover') && (
        <ConfirmButton label="Replace account key" size="xs" variant="default" question={`Replace the key of the account at "${name}"?`} explanation="The account stays; the old key is of no use from then on." run={async () => { await roll.mutateAsync({ params }); tell('The account has a new key.') }} />
      )}
      {mayWrite && !isBuiltIn && (
        <ConfirmButton label="Delete" size="xs" color="red" variant="light" question={`Delete the authority "${name}"?`} explanation="Its credentials are deleted here. The account there, and what was issued, stay." run={async () => { await remove.mutateAsync({ params }); tell(`"${name}" is deleted.`); void navigate({ to: '/authorities' }) }} />
      )}
    </>
  )
  return (
    <Page title={name} above={above} beside={<HealthBadge health={health} size="lg" />} summary={title === name ? undefined : title} toolbar={actions}>
      {test.error && <ProblemAlert error={test.error} />}
      {ended !== null && <Alert color="orange" title="It has ended">{ended}</Alert>}
      <Section title="Connection"><HealthView health={health} /></Section>
      <Section title="What it is"><AuthorityFacts authority={authority} schema={type?.fields} />{isBuiltIn && <Alert color="gray" mt="sm" p="xs">Issuers, profiles and revocation lists are on the page of the <TextLink to="/built-in-ca">built-in CA</TextLink>.</Alert>}</Section>
      {authority.limits.length > 0 && <Section title="Rate limits" help="What is asked of it stays below these; what does not fit waits, or goes to a further authority."><Use id={id} limits={authority.limits} /></Section>}
      {authority.chainPem.length > 0 && <Section title="Chain"><CopyBlock label="Issuing certificate first, root last" text={authority.chainPem.join('\n')} /></Section>}
    </Page>
  )
}

function AuthorityFacts({ authority, schema }: { authority: Authority; schema: unknown }) {
  const { facts, fields, isPublic, validationMethods, keyAlgorithms, secretsSet, issuerSubject, issuerNotAfter, concurrency, createdAt } = authority
  return (
    <Facts of={{
      ...facts,
      ...pluginFacts({ schema, fields, secretsSet }),
      'Known to': isPublic ? 'All browsers' : 'Who trusts its root',
      'Issues as': issuerSubject,
      'Issuing certificate until': issuerNotAfter === null ? null : <When at={issuerNotAfter} form="both" inline />,
      'Keys': keyAlgorithms.map(keyName).join(', '),
      'Validation': validationsText(validationMethods),
      'Requests at a time': String(concurrency),
      'Added': <When at={createdAt} form="both" inline />,
    }} />
  )
}

function Use({ id, limits }: { id: Authority['id']; limits: Authority['limits'] }) {
  const result = useRead('getAuthorityUse', { params: { id } }, { everyMs: 60_000 })
  return (
    <Stack gap="sm">
      <List size="sm">{limits.map((limit) => <List.Item key={limit.kind}>{limitText(limit)}</List.Item>)}</List>
      <Loaded result={result}>{({ items }) => (items.length === 0 ? <Text size="sm" c="dimmed">Nothing counts at present.</Text> : <UseTable items={items} />)}</Loaded>
    </Stack>
  )
}

function UseTable({ items }: { items: AuthorityUse['items'] }) {
  return (
    <Table.ScrollContainer minWidth={560}>
      <Table aria-label="Use of the rate limits">
        <Table.Thead><Table.Tr><Table.Th>Limit</Table.Th><Table.Th>Of</Table.Th><Table.Th w={220}>Used</Table.Th><Table.Th w={180}>Fits again</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {items.map(({ limit, subject, used, fitsAgainAt }) => (
            <Table.Tr key={`${limit.kind} ${limit.seconds} ${subject}`}>
              <Table.Td>{limitText(limit)}</Table.Td>
              <Table.Td style={{ overflowWrap: 'anywhere' }}>{subject ?? 'The account'}</Table.Td>
              <Table.Td><Text size="sm">{used} of {limit.count}</Text><Progress value={Math.min(100, (used / limit.count) * 100)} color={used >= limit.count ? 'red' : 'indigo'} size="sm" aria-label={`${used} of ${limit.count} used`} /></Table.Td>
              <Table.Td>{fitsAgainAt === null ? 'Now' : <When at={fitsAgainAt} form="both" />}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
