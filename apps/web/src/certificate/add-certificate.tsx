import { useState, type FormEvent } from 'react'
import { Button, Group, Modal, Stack, Textarea, TextInput } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useWrite } from '../shared/api.ts'
import { linesOf } from '../shared/lines.ts'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems, problemAt } from '../shared/problem.ts'

/** Takes a new identity under care and goes on to its configuration. */
export function AddCertificate({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return <Modal opened={opened} onClose={onClose} title="Add certificate"><AddForm onClose={onClose} /></Modal>
}

function AddForm({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate()
  const [names, setNames] = useState('')
  const [name, setName] = useState('')
  const create = useWrite('createCertificate', ({ id }) => {
    onClose()
    void navigate({ to: '/certificates/$id', params: { id }, search: { tab: 'configuration' } })
  })
  const problems = fieldProblems(create.error)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    create.mutate({ body: { names: linesOf(names), ...(name.trim() === '' ? {} : { name: name.trim() }) } })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        {create.error && <ProblemAlert error={create.error} />}
        <Textarea label="Names" description="One to a line: host names, wildcards such as *.example.com, IP addresses." placeholder={'www.example.com\nexample.com'} autosize minRows={3} maxRows={10} value={names} onChange={(e) => setNames(e.currentTarget.value)} error={problemAt(problems, 'names')} required data-autofocus />
        <TextInput label="Title" description="How it is called here. Empty: its first name." maxLength={200} value={name} onChange={(e) => setName(e.currentTarget.value)} error={problems.name} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>Cancel</Button>
          <Button type="submit" loading={create.isPending}>Add certificate</Button>
        </Group>
      </Stack>
    </form>
  )
}
