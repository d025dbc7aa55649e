import type { ReactNode } from 'react'
import { Skeleton, Stack } from '@mantine/core'
import { ProblemAlert } from './problem-alert.tsx'

interface Result<T> { data: T | undefined; error: Error | null; refetch: () => Promise<unknown> }

/** Shows a placeholder, the problem or the content of something read. */
export function Loaded<T>({ result, children }: { result: Result<T>; children: (data: T & {}) => ReactNode }) {
  if (result.data !== undefined && result.data !== null) {
    return <>{result.error && <ProblemAlert error={result.error} onRetry={() => void result.refetch()} />}{children(result.data)}</>
  }
  if (result.error) return <ProblemAlert error={result.error} onRetry={() => void result.refetch()} />
  return <Waiting />
}

export function Waiting() {
  return <Stack aria-busy="true" aria-label="Loading">{[40, 200, 120].map((height) => <Skeleton key={height} height={height} radius="md" />)}</Stack>
}
