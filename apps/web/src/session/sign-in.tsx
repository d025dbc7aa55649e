import { useState, type FormEvent } from 'react'
import { Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useMutation } from '@tanstack/react-query'
import { beginSession, client } from '../shared/api.ts'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { SessionCard } from './card.tsx'

export function SignIn() {
  useDocumentTitle('Sign in · Certloop')
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const signIn = useMutation({
    mutationFn: () => client.call('signIn', { body: { name: name.trim(), password } }),
    onSuccess: beginSession,
  })
  const submit = (event: FormEvent) => { event.preventDefault(); signIn.mutate() }
  return (
    <SessionCard title="Sign in" help="The first administrator's one-time password was printed when the control plane started.">
      <form onSubmit={submit}>
        <Stack>
          {signIn.error && <ProblemAlert error={signIn.error} />}
          <TextInput label="User name" value={name} onChange={(e) => setName(e.currentTarget.value)} autoComplete="username" autoFocus required />
          <PasswordInput label="Password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} autoComplete="current-password" required />
          <Button type="submit" loading={signIn.isPending} fullWidth>Sign in</Button>
        </Stack>
      </form>
    </SessionCard>
  )
}
