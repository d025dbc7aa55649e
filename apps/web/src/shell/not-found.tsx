import { Container } from '@mantine/core'
import type { ErrorComponentProps } from '@tanstack/react-router'
import { ButtonLink } from '../shared/link.tsx'
import { Empty } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'

export function NotFound() {
  return <Empty title="There is no such page" action={<ButtonLink to="/certificates">To the certificates</ButtonLink>}>Check the address; what it showed may have been deleted.</Empty>
}

/** A mistake in the pages, or a part of them that could not be loaded. */
export function Failed({ error }: ErrorComponentProps) {
  return <Container size="sm" py="xl"><ProblemAlert error={error instanceof Error ? error : new Error(String(error))} title="This page can not be shown" onRetry={() => window.location.reload()} /></Container>
}
