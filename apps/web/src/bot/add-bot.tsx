import { useState, type FormEvent } from 'react'
import { Alert, Button, Group, Loader, Modal, Select, Stack, Text, TextInput } from '@mantine/core'
import type { Bot, ResponseOf } from '@certloop/api-client'
import { useRead, useWrite } from '../shared/api.ts'
import { CopyBlock } from '../shared/copy.tsx'
import { ButtonLink } from '../shared/link.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'
import { When } from '../shared/when.tsx'

/** Announces a bot, shows the command to run on its host and waits until it has joined. */
export function AddBot({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return <Modal opened={opened} onClose={onClose} title="Add bot" size="lg" closeOnClickOutside={false}><BotForm onClose={onClose} /></Modal>
}

function BotForm({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [purpose, setPurpose] = useState<Bot['purpose']>('both')
  const create = useWrite('createBot')
  if (create.data) return <JoinCommand created={create.data} onClose={onClose} />
  const problems = fieldProblems(create.error)
  const submit = (event: FormEvent) => { event.preventDefault(); create.mutate({ body: { name: name.trim(), purpose } }) }
  return (
    <form onSubmit={submit}>
      <Stack>
        {create.error && <ProblemAlert error={create.error} />}
        <TextInput label="Name" description="Usually the name of the host." value={name} onChange={(e) => setName(e.currentTarget.value)} error={problems.name} maxLength={200} required data-autofocus />
        <Select
          label="Purpose" allowDeselect={false} value={purpose} onChange={(value) => setPurpose((value ?? 'both'))} error={problems.purpose}
          data={[{ value: 'both', label: 'Find certificates and deploy new ones' }, { value: 'discovery', label: 'Only find certificates' }, { value: 'provisioning', label: 'Only deploy' }]}
        />
        <Group justify="flex-end"><Button variant="default" onClick={onClose}>Cancel</Button><Button type="submit" loading={create.isPending}>Make join command</Button></Group>
      </Stack>
    </form>
  )
}

function JoinCommand({ created: { bot, joinCommand, expiresAt }, onClose }: { created: ResponseOf<'createBot'>; onClose: () => void }) {
  const now = useRead('getBot', { params: { id: bot.id } }).data
  const joined = now !== undefined && now.joinedAt !== null
  return (
    <Stack>
      <Text size="sm">Run this on the host, as the user that may write the certificates there (usually root). It works once, until <When at={expiresAt} form="both" inline />, and is not shown again.</Text>
      <CopyBlock text={joinCommand} label="Join command" />
      {joined
        ? <Alert color="teal" role="status" title={`${bot.name} has joined`}>{now.lastScanAt === null ? 'It is looking at its host now.' : `It found ${now.serverCount} server${now.serverCount === 1 ? '' : 's'}.`}</Alert>
        : <Group gap="xs" role="status"><Loader size="xs" /><Text size="sm" c="dimmed">Waiting for the bot to join…</Text></Group>}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>Close</Button>
        {joined && <ButtonLink to="/bots/$id" params={{ id: bot.id }}>Show the bot</ButtonLink>}
      </Group>
    </Stack>
  )
}
