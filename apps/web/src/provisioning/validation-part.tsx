import { Select, SimpleGrid, Stack, Switch, TagsInput, Text, TextInput } from '@mantine/core'
import { validationDefaults, type Bot, type ValidationMethod, type ValidationSettings } from '@certloop/api-client'
import { useMay, useRead } from '../shared/api.ts'
import { TextLink } from '../shared/link.tsx'
import { problemAt } from '../shared/problem.ts'
import type { PartProps } from './request-parts.tsx'

const methods: Record<ValidationMethod, string> = {
  'none': 'None needed', 'file': 'A file that the bot places on the web server', 'http': 'The web server passes the question on to Certloop', 'dns': 'A DNS record that Certloop writes and removes', 'dns-persist': 'A DNS record that stays',
  'tls-alpn': 'A TLS handshake that the bot answers', 'manual': 'By a person, as the authority asks',
}
const notes: Partial<Record<ValidationMethod, string>> = {
  'http': 'Let the web server of each name pass http://name/.well-known/acme-challenge/ on to the address of this control plane.',
  'dns-persist': 'Only some authorities take it. The order shows the record to place once; later renewals need nothing more.',
  'manual': 'The order waits, shows what to place, and goes on by itself once it can be seen.',
}

type Props = PartProps & { bots: readonly Pick<Bot, 'id' | 'name'>[] }
type Parts = Pick<Props, 'bots' | 'problems'> & { validation: ValidationSettings; set: (part: Partial<ValidationSettings>) => void }

/** How control over the names is shown. */
export function ValidationPart({ draft, change, authorities, problems, bots }: Props) {
  const { validation } = draft
  const chosen = [draft.authorityId, ...draft.fallbackAuthorityIds].flatMap((id) => authorities.filter((one) => one.id === id))
  const set = (part: Partial<ValidationSettings>) => change({ validation: { ...validation, ...part } })
  if (chosen.length === 0) return <Text size="sm">Choose an authority first.</Text>
  const asking = chosen.filter(({ validationMethods }) => validationMethods.some((method) => method !== 'none'))
  if (asking.length === 0 && validation.method === 'none') return <Text size="sm">None needed: {chosen.map(({ name }) => name).join(' and ')} {chosen.length === 1 ? 'issues' : 'issue'} for any name that your permissions let you ask for.</Text>
  const taken = new Set(chosen.flatMap(({ validationMethods }) => validationMethods)).add(validation.method)
  const parts = { validation, set, bots, problems }
  return (
    <Stack gap="sm">
      <Select
        label="Validation" maw={520} allowDeselect={false} data={(Object.keys(methods) as ValidationMethod[]).filter((method) => taken.has(method)).map((value) => ({ value, label: methods[value] }))} value={validation.method}
        onChange={(value) => value !== null && set({ ...validationDefaults, method: value, leaveOut: validation.leaveOut, ...(value === 'file' ? { path: validation.path ?? '' } : {}) })} error={problemAt(problems, 'validation.method')}
      />
      {asking.length > 0 && asking.length < chosen.length && <Text size="sm">Asked for by {asking.map(({ name }) => name).join(' and ')} alone.</Text>}
      {notes[validation.method] && <Text size="sm" c="dimmed">{notes[validation.method]}</Text>}
      <HostFields {...parts} />
      <DnsFields {...parts} />
      {validation.method === 'manual' && <ManualFields {...parts} />}
      {validation.method !== 'none' && <Switch label="Renew without names that fail" description="A renewal goes on with the other names and says so at once. Off: one name that can not be proven stops the whole renewal." checked={validation.leaveOut} onChange={(event) => set({ leaveOut: event.currentTarget.checked })} error={problemAt(problems, 'validation.leaveOut')} />}
    </Stack>
  )
}

function HostFields({ validation, set, bots, problems }: Parts) {
  const { method, path, botId, listenOn } = validation
  if (method !== 'file' && method !== 'tls-alpn') return null
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      {method === 'file'
        ? <TextInput label="Folder" description="On the host: the root of the site that answers on port 80. The file goes to .well-known/acme-challenge below it." value={path ?? ''} onChange={(event) => set({ path: event.currentTarget.value })} error={problemAt(problems, 'validation.path')} required spellCheck={false} />
        : <TextInput label="Listen on" description="Address and port on the host. Empty: 0.0.0.0:443. Where a server has port 443, let it pass handshakes for acme-tls/1 on." placeholder="0.0.0.0:443" value={listenOn ?? ''} onChange={(event) => set({ listenOn: event.currentTarget.value === '' ? null : event.currentTarget.value })} error={problemAt(problems, 'validation.listenOn')} spellCheck={false} />}
      <Select label="Bot" description="That does it. Empty: the bot of the first target." clearable data={bots.map(({ id, name }) => ({ value: id, label: name }))} value={botId} onChange={(value) => set({ botId: value })} error={problemAt(problems, 'validation.botId')} />
    </SimpleGrid>
  )
}

function DnsFields({ validation: { method, dnsProviderId }, set, problems }: Parts) {
  const isShown = method === 'dns' || method === 'dns-persist'
  const mayRead = useMay('dns:read')
  const providers = useRead('listDnsProviders', {}, { enabled: isShown && mayRead }).data?.items ?? []
  if (!isShown) return null
  return (
    <Stack gap={4}>
      <Select label="DNS provider" description="Empty: the one that holds the zone of each name, or of the name to which its _acme-challenge record leads." maw={520} clearable data={providers.map(({ id, name }) => ({ value: id, label: name }))} value={dnsProviderId} onChange={(value) => set({ dnsProviderId: value })} error={problemAt(problems, 'validation.dnsProviderId')} />
      {mayRead && providers.length === 0 && <Text size="sm">There is no DNS provider yet. <TextLink to="/dns-providers/add">Add one</TextLink></Text>}
    </Stack>
  )
}

function ManualFields({ validation: { place, notify }, set, problems }: Parts) {
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      <Select label="What the person places" allowDeselect={false} data={[{ value: 'dns', label: 'A DNS record' }, { value: 'file', label: 'A file on the web server' }]} value={place} onChange={(value) => value !== null && set({ place: value })} error={problemAt(problems, 'validation.place')} />
      <TagsInput label="E-mail addresses" description="They get the instructions. Enter after each." value={notify} onChange={(addresses) => set({ notify: addresses })} maxTags={20} error={problemAt(problems, 'validation.notify')} />
    </SimpleGrid>
  )
}
