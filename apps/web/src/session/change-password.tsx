import { useState, type FormEvent } from 'react'
import { Button, Modal, PasswordInput, Stack } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useMutation } from '@tanstack/react-query'
import { client, queryClient, sessionKey } from '../shared/api.ts'
import { tell } from '../shared/notify.ts'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'
import { SessionCard } from './card.tsx'

/** Shown until the one-time password is replaced. */
export function ChangePassword({ name }: { name: string }) {
  useDocumentTitle('Choose a password · Certloop')
  return (
    <SessionCard title="Choose a password of your own" help={`You signed in as ${name} with a one-time password. It ends here.`}>
      <PasswordForm currentLabel="One-time password" />
    </SessionCard>
  )
}

export function PasswordDialogue({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return <Modal opened={opened} onClose={onClose} title="Change password"><PasswordForm currentLabel="Present password" onDone={onClose} /></Modal>
}

function PasswordForm({ currentLabel, onDone }: { currentLabel: string; onDone?: () => void }) {
  const [current, setCurrent] = useState('')
  const [chosen, setChosen] = useState('')
  const [again, setAgain] = useState('')
  const change = useMutation({
    mutationFn: () => client.call('changePassword', { body: { currentPassword: current, newPassword: chosen } }),
    onSuccess: (session) => {
      queryClient.setQueryData(sessionKey, session)
      tell('The password was changed.')
      onDone?.()
    },
  })
  const problems = fieldProblems(change.error)
  const differs = again !== '' && again !== chosen
  const submit = (event: FormEvent) => { event.preventDefault(); if (again === chosen) change.mutate() }
  return (
    <form onSubmit={submit}>
      <Stack>
        {change.error && <ProblemAlert error={change.error} />}
        <PasswordInput label={currentLabel} value={current} onChange={(e) => setCurrent(e.currentTarget.value)} autoComplete="current-password" error={problems.currentPassword} required />
        <PasswordInput label="New password" description="At least 12 characters." value={chosen} onChange={(e) => setChosen(e.currentTarget.value)} autoComplete="new-password" error={problems.newPassword} required />
        <PasswordInput label="New password again" value={again} onChange={(e) => setAgain(e.currentTarget.value)} autoComplete="new-password" error={differs ? 'The two do not match.' : undefined} required />
        <Button type="submit" loading={change.isPending} disabled={differs}>Change password</Button>
      </Stack>
    </form>
  )
}
