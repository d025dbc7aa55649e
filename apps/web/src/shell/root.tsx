import { Center, Container, Loader } from '@mantine/core'
import { Outlet } from '@tanstack/react-router'
import { ChangePassword } from '../session/change-password.tsx'
import { SignIn } from '../session/sign-in.tsx'
import { useSession } from '../shared/api.ts'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { Shell } from './shell.tsx'

/** Sign-in first, at whatever address; then the page asked for. */
export function Root() {
  const session = useSession()
  if (session.data === undefined) {
    return session.error
      ? <Container size="sm" py="xl"><ProblemAlert error={session.error} onRetry={() => void session.refetch()} /></Container>
      : <Center h="100vh"><Loader aria-label="Loading" /></Center>
  }
  if (session.data === null) return <SignIn />
  if (session.data.mustChangePassword) return <ChangePassword name={session.data.name} />
  return <Shell session={session.data}><Outlet /></Shell>
}
