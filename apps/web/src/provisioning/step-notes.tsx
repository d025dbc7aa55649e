import { Alert, Button, Group, List, Stack, Text } from '@mantine/core'
import type { ConfigurationStep, ScheduledRun } from '@certloop/api-client'
import { NextRuns } from '../certificate/next-runs.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldWords, ofStep, stepsWithProblems, type Findings } from './findings.ts'

/** All that is wrong or odd in one step, also where the field is not to be seen at the moment. */
export function StepNotes({ findings: { problems, warnings }, step }: { findings: Findings; step: ConfigurationStep }) {
  return (
    <>
      <Notes title="To be put right" color="red" notes={ofStep(problems, step)} />
      <Notes title="Worth a second look" color="orange" notes={ofStep(warnings, step)} />
    </>
  )
}

function Notes({ title, color, notes }: { title: string; color: string; notes: [string, string][] }) {
  if (notes.length === 0) return null
  return (
    <Alert variant="light" color={color} role="group" tabIndex={-1} data-notes title={title} mb="sm" p="xs">
      <List size="sm">{notes.map(([path, note]) => <List.Item key={path} style={{ overflowWrap: 'anywhere' }}><b>{fieldWords(path)}:</b> {note}</List.Item>)}</List>
    </Alert>
  )
}

/** Why it was not saved: where the fields are, or what else is in the way. */
export function Refusal({ error, findings: { problems } }: { error: Error; findings: Findings }) {
  const where = stepsWithProblems(problems)
  if (where === '') return <ProblemAlert error={error} />
  return <Alert color="red" role="alert" title="Something does not fit" data-code="INPUT_INVALID"><Text size="sm">To be put right: {where}. Nothing was changed.</Text></Alert>
}

/** What a check has found: whether it is whole, and when it would run. */
export function CheckResult({ findings: { problems, warnings }, complete, nextRuns, stale, onAgain }: { findings: Findings; complete: boolean; nextRuns: readonly ScheduledRun[]; stale: boolean; onAgain: () => void }) {
  const count = Object.keys(warnings).length
  return (
    <Alert color={complete ? 'teal' : 'red'} role="status" title={complete ? 'Nothing is missing' : 'Not complete yet'}>
      <Stack gap="xs">
        <Text size="sm">
          {complete ? 'It can be saved as it is.' : `To be put right: ${stepsWithProblems(problems)}.`}{count > 0 && ` ${count === 1 ? 'One thing is' : `${count} things are`} worth a second look: ${stepsWithProblems(warnings)}.`}
        </Text>
        {nextRuns.length > 0 && <><Text size="sm" fw={600}>What the scheduler would do</Text><NextRuns runs={nextRuns} /></>}
        {complete && nextRuns.length === 0 && <Text size="sm">Nothing would happen by itself.</Text>}
        {stale && <Group gap="sm"><Text size="sm" c="dimmed">You have changed something since.</Text><Button size="compact-xs" variant="default" onClick={onAgain}>Check again</Button></Group>}
      </Stack>
    </Alert>
  )
}
