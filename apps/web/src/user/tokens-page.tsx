import { useState, type FormEvent } from 'react'
import { Alert, Button, Group, Modal, MultiSelect, Select, Stack, Text, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import type { ApiToken } from '@certloop/api-client'
import { useMay, useRead, useSession, useWrite } from '../shared/api.ts'
import { useClock } from '../shared/clock.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { CopyBlock } from '../shared/copy.tsx'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Empty, Page, Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems, problemAt } from '../shared/problem.ts'
import { When } from '../shared/when.tsx'

const columns: Column<ApiToken>[] = [
  { id: 'name', header: 'Name', cell: ({ name }) => <Text size="sm" fw={600}>{name}</Text> },
  { id: 'permissions', header: 'May', cell: ({ permissions }) => <Text size="sm" lineClamp={2} title={permissions.join('\n')}>{permissions.join(', ')}</Text> },
  { id: 'used', header: 'Last used', width: 180, cell: ({ lastUsedAt }) => (lastUsedAt === null ? 'Never' : <When at={lastUsedAt} form="both" />) },
  { id: 'expires', header: 'Ends', width: 180, cell: ({ expiresAt }) => (expiresAt === null ? 'Never' : <When at={expiresAt} form="both" />) },
  { id: 'delete', header: '', width: 90, cell: (token) => <DeleteToken token={token} /> },
]

function DeleteToken({ token: { id, name } }: { token: ApiToken }) {
  const remove = useWrite('deleteApiToken')
  if (!useMay('token:write')) return null
  return <ConfirmButton label="Delete" size="compact-sm" variant="light" color="red" question={`Delete the token "${name}"?`} explanation="What uses it is refused at once." run={() => remove.mutateAsync({ params: { id } })} />
}

export function TokensPage() {
  const result = useRead('listApiTokens', {})
  const [making, dialogue] = useDisclosure(false)
  const make = useMay('token:write') && <Button onClick={dialogue.open}>Make a token</Button>
  return (
    <Page title="API tokens" summary="For the command line and for programs. They act in your name, with the permissions you give them." actions={make}>
      <Section title="Tokens">
        <Loaded result={result}>
          {({ items }) => (items.length === 0 ? <Empty title="No tokens yet" action={make}>Make one to use the command line: certloop --token …</Empty> : <DataTable label="API tokens" rows={items} rowId={({ id }) => id} columns={columns} />)}
        </Loaded>
      </Section>
      <MakeToken opened={making} onClose={dialogue.close} />
    </Page>
  )
}

function MakeToken({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return <Modal opened={opened} onClose={onClose} title="Make an API token" closeOnClickOutside={false}><TokenForm onClose={onClose} /></Modal>
}

const lives = [{ value: '30', label: '30 days' }, { value: '90', label: '90 days' }, { value: '365', label: 'A year' }, { value: 'never', label: 'Until it is deleted' }]

function TokenForm({ onClose }: { onClose: () => void }) {
  const clock = useClock()
  const session = useSession().data
  const [name, setName] = useState('')
  const [permissions, setPermissions] = useState<string[]>([])
  const [life, setLife] = useState('90')
  const make = useWrite('createApiToken')
  if (make.data) return <MadeToken token={make.data.token} onClose={onClose} />
  const problems = fieldProblems(make.error)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const expiry = life === 'never' ? {} : { expiresAt: new Date(clock().getTime() + Number(life) * 86_400_000).toISOString() }
    make.mutate({ body: { name: name.trim(), ...expiry, ...(permissions.length === 0 ? {} : { permissions: permissions as ApiToken['permissions'] }) } })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        {make.error && <ProblemAlert error={make.error} />}
        <TextInput label="Name" description="What it is for, so that you know later." value={name} onChange={(e) => setName(e.currentTarget.value)} error={problems.name} maxLength={100} required data-autofocus />
        <MultiSelect label="Permissions" description="None chosen: all that you have." data={session?.permissions ?? []} value={permissions} onChange={setPermissions} error={problemAt(problems, 'permissions')} searchable clearable />
        <Select label="Ends after" data={lives} value={life} onChange={(value) => setLife(value ?? '90')} allowDeselect={false} error={problems.expiresAt} />
        <Group justify="flex-end"><Button variant="default" onClick={onClose}>Cancel</Button><Button type="submit" loading={make.isPending}>Make token</Button></Group>
      </Stack>
    </form>
  )
}

function MadeToken({ token, onClose }: { token: string; onClose: () => void }) {
  return (
    <Stack>
      <Alert color="orange" title="Copy it now">It is shown this once. Certloop keeps only its digest.</Alert>
      <CopyBlock text={token} label="Token" />
      <Group justify="flex-end"><Button onClick={onClose}>I have copied it</Button></Group>
    </Stack>
  )
}
