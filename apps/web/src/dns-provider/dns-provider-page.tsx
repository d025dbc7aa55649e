import { useState } from 'react'
import { Alert, Button, Group, List, Text, TextInput } from '@mantine/core'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import type { DnsProvider } from '@certloop/api-client'
import { pluginFacts } from '../plugin/plugin-facts.tsx'
import { HealthBadge, HealthView } from '../plugin/test-report.tsx'
import { useMay, useRead, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { Facts } from '../shared/facts.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { tell } from '../shared/notify.ts'
import { Page, Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { When } from '../shared/when.tsx'
import { DnsProviderForm } from './dns-provider-form.tsx'

const route = getRouteApi('/dns-providers/$id')
const above = <TextLink to="/dns-providers" fz="sm">DNS providers</TextLink>

export function AddDnsProviderPage() {
  const types = useRead('listDnsProviderTypes', {})
  const mayWrite = useMay('dns:write')
  return (
    <Page title="Add a DNS provider" above={above} summary="It is tested as soon as it is saved, and kept whatever the test says.">
      {mayWrite ? <Loaded result={types}>{({ items }) => <DnsProviderForm types={items} stored={null} />}</Loaded> : <Alert color="gray" title="You can not add DNS providers">Ask an administrator for the right dns:write.</Alert>}
    </Page>
  )
}

export function DnsProviderPage() {
  const { id } = route.useParams()
  const { view } = route.useSearch()
  const result = useRead('getDnsProvider', { params: { id: id as DnsProvider['id'] } })
  const types = useRead('listDnsProviderTypes', {})
  const mayWrite = useMay('dns:write')
  return (
    <Loaded result={result}>
      {(provider) => (view === 'change' && mayWrite
        ? <Page title={`Change ${provider.name}`} above={above} summary="It holds for what is written from then on."><Loaded result={types}>{({ items }) => <DnsProviderForm types={items} stored={provider} />}</Loaded></Page>
        : <ProviderView provider={provider} mayWrite={mayWrite} schema={types.data?.items.find(({ kind }) => kind === provider.kind)?.fields} />)}
    </Loaded>
  )
}

function ProviderView({ provider, mayWrite, schema }: { provider: DnsProvider; mayWrite: boolean; schema: unknown }) {
  const { id, name, title, fields, secretsSet, zones, health, createdAt } = provider
  const params = { id }
  const remove = useWrite('deleteDnsProvider')
  const navigate = useNavigate()
  const actions = mayWrite && (
    <>
      <ButtonLink to="/dns-providers/$id" params={params} search={{ view: 'change' }} size="xs" variant="default">Change</ButtonLink>
      <ConfirmButton label="Delete" size="xs" color="red" variant="light" question={`Delete the DNS provider "${name}"?`} explanation="Its credentials are deleted here. Nothing changes in its zones." run={async () => { await remove.mutateAsync({ params }); tell(`"${name}" is deleted.`); void navigate({ to: '/dns-providers' }) }} />
    </>
  )
  return (
    <Page title={name} above={above} beside={<HealthBadge health={health} size="lg" />} summary={title} toolbar={actions}>
      <Section title="Connection">{mayWrite && <TestBar id={id} />}<HealthView health={health} /></Section>
      <Section title="What it is">
        <Facts of={{
          ...pluginFacts({ schema, fields, secretsSet }),
          'Added': <When at={createdAt} form="both" inline />,
        }} />
      </Section>
      <Section title="Zones">{zones.length === 0 ? <Text size="sm" c="dimmed">None known yet. They are found when it is tested, or when a record is written.</Text> : <List size="sm">{zones.map((zone) => <List.Item key={zone}>{zone}</List.Item>)}</List>}</Section>
    </Page>
  )
}

function TestBar({ id }: { id: DnsProvider['id'] }) {
  const [name, setName] = useState('')
  const test = useWrite('testDnsProvider')
  return (
    <>
      <Group align="end" mb="sm">
        <TextInput label="Name to try" description="Empty: credentials alone. Otherwise a record below it is written, looked for and removed." placeholder="www.example.com" w={360} maxLength={255} value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <Button loading={test.isPending} onClick={() => test.mutate({ params: { id }, body: name.trim() === '' ? {} : { name: name.trim() } })}>Test now</Button>
      </Group>
      {test.error && <ProblemAlert error={test.error} />}
    </>
  )
}
