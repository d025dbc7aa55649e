import { Badge, Group, List, Text } from '@mantine/core'
import type { DeploymentDetail, DeployLogEntry } from '@certloop/api-client'
import { formatDuration } from '../shared/time.ts'

/** The steps of the plan in order, each with what came of it so far. */
export function PlanSteps({ deployment: { plan, planSteps, log, state, undoes } }: { deployment: DeploymentDetail }) {
  if (planSteps.length === 0) return <Text size="sm" c="dimmed">{withoutSteps({ plan, state, undoes })}</Text>
  return (
    <List type="ordered" size="sm" spacing={6} listStyleType="decimal">
      {planSteps.map((step, index) => (
        <List.Item key={step} styles={{ itemWrapper: { display: 'inline' } }}>
          <Group gap="xs" display="inline-flex" align="baseline">
            <Text size="sm" component="span" style={{ overflowWrap: 'anywhere' }}>{step}</Text>
            <StepOutcome entries={log.filter((entry) => entry.step === index)} />
          </Group>
        </List.Item>
      ))}
    </List>
  )
}

function withoutSteps({ plan, state, undoes }: Pick<DeploymentDetail, 'plan' | 'state' | 'undoes'>): string {
  if (undoes !== null) return 'None is needed: the bot kept what the earlier deployment replaced, and puts it back.'
  if (plan !== null) return 'It has no steps: nothing has to be changed.'
  return state === 'planning' ? 'The bot is making the plan.' : 'No plan was made.'
}

function StepOutcome({ entries }: { entries: DeployLogEntry[] }) {
  const undone = entries.findLast(({ phase }) => phase === 'undo')
  const done = entries.findLast(({ phase }) => phase === 'do' || phase === 'prove')
  const last = undone ?? done
  if (last === undefined) return null
  // A proof that failed is followed by the one after the undo: what failed once stays failed.
  const failed = entries.some(({ phase, ok }) => !ok && (phase === 'do' || phase === 'prove'))
  const label = undone ? (undone.ok ? 'Undone' : 'Not undone') : failed ? 'Failed' : 'Done'
  return <Badge size="xs" variant="light" color={!last.ok || (failed && !undone) ? 'red' : undone ? 'orange' : 'teal'}>{label}{last.durationMs === null ? '' : ` in ${formatDuration(last.durationMs)}`}</Badge>
}
