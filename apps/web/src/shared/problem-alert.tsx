import { Alert, Button, Code, Group, List, Stack, Text } from '@mantine/core'
import type { ErrorCode } from '@certloop/api-client'
import { shownProblem } from './problem.ts'

interface Props {
  error: Error | { code: ErrorCode; message: string }
  /** Offered as a button where trying again makes sense. */
  onRetry?: () => void
  title?: string
}

/** The same within a list: what happened and what to do, without a box. */
export function ProblemNote({ error, said = '' }: Pick<Props, 'error'> & { /** What the list says already. */ said?: string }) {
  const { message, remedy, where, code } = shownProblem(error)
  return (
    <Text size="xs" data-code={code} style={{ overflowWrap: 'anywhere' }}>
      {!said.includes(message) && <>{message} </>}<b>What to do:</b> {remedy} <b>Where:</b> {where}
    </Text>
  )
}

/** An error in full: what happened here, why in general, what to do and where. */
export function ProblemAlert({ error, onRetry, title }: Props) {
  const problem = shownProblem(error)
  const fields = problem.fields.filter(({ problem: text }) => !problem.message.includes(text))
  return (
    <Alert color="red" role="alert" title={title ?? problem.cause} data-code={problem.code}>
      <Stack gap={6}>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>{problem.message}</Text>
        {title !== undefined && problem.cause !== problem.message && <Text size="sm"><b>Cause:</b> {problem.cause}</Text>}
        {fields.length > 0 && (
          <List size="sm">{fields.map(({ field, problem: text }) => <List.Item key={field + text}><Code>{field}</Code> {text}</List.Item>)}</List>
        )}
        <Text size="sm"><b>What to do:</b> {problem.remedy}</Text>
        <Text size="sm"><b>Where:</b> {problem.where}</Text>
        <Group gap="sm">
          <Text size="xs" c="dimmed">{problem.code}{problem.requestId === undefined ? '' : ` · request ${problem.requestId}`}</Text>
          {onRetry && <Button size="compact-xs" variant="default" onClick={onRetry}>Try again</Button>}
        </Group>
      </Stack>
    </Alert>
  )
}
