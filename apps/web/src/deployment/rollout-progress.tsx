import { Group, Stack, Text } from '@mantine/core'
import type { Rollout } from '@certloop/api-client'
import { useMay, useRead, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { When } from '../shared/when.tsx'

/** The waves of a rollout, and what can be done with it now. */
export function RolloutProgress({ id }: { id: Rollout['id'] }) {
  const rollout = useRead('getRollout', { params: { id } }, { enabled: useMay('deployment:read') }).data
  const may = useMay('deployment:approve')
  if (!rollout) return null
  const { state, wave, waveCount, targets, reason, nextAction, deadline, endedAt } = rollout
  const done = targets.filter((target) => target.state === 'deployed').length
  return (
    <Stack gap={4} role="group" aria-label="Rollout">
      <Group gap="sm" justify="space-between">
        <Group gap="sm"><StateBadge state={state} /><Text size="sm">Rollout, wave {Math.min(wave + 1, waveCount)} of {waveCount}: {done} of {targets.length} targets deployed.</Text></Group>
        {may && <Group gap="xs"><RolloutActions rollout={rollout} /></Group>}
      </Group>
      <Text size="sm">{reason} {nextAction}{endedAt === null && deadline !== null && <> By <When at={deadline} />.</>}</Text>
      <details>
        <summary><Text component="span" size="sm">Targets, wave by wave</Text></summary>
        <Stack gap={4} pt={6} component="ul" m={0} pl={0} aria-label="Targets of the rollout" style={{ listStyle: 'none' }}>{targets.map((target) => <TargetLine key={target.targetId} target={target} />)}</Stack>
      </details>
    </Stack>
  )
}

function TargetLine({ target: { wave, title, botName, state, reason, error } }: { target: Rollout['targets'][number] }) {
  const why = error?.message ?? reason
  return (
    <Group component="li" gap="sm" wrap="nowrap" align="flex-start">
      <StateBadge state={state} />
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>{wave < 0 ? 'No wave' : `Wave ${wave + 1}`}: {title} on {botName}{why === null ? '' : `. ${why}`}</Text>
    </Group>
  )
}

function RolloutActions({ rollout: { id, can } }: { rollout: Rollout }) {
  const pause = useWrite('pauseRollout')
  const resume = useWrite('resumeRollout')
  const stop = useWrite('stopRollout')
  const undo = useWrite('undoRollout')
  const params = { id }
  return (
    <>
      {can.includes('resume') && <ConfirmButton label="Resume" size="xs" hint="Goes on with the next wave." run={() => resume.mutateAsync({ params })} />}
      {can.includes('pause') && <ConfirmButton label="Pause" size="xs" variant="default" hint="Begins no further wave; what is under way ends." run={() => pause.mutateAsync({ params })} />}
      {can.includes('stop') && <ConfirmButton label="Stop" size="xs" variant="default" question="Stop this rollout?" explanation="No further target gets the new version. What was deployed stays." run={() => stop.mutateAsync({ params })} />}
      {can.includes('undo') && <ConfirmButton label="Take back" size="xs" color="red" variant="light" question="Take back everything that this rollout deployed?" explanation="On each of its targets the certificate from before is put back and proven to be served, the last one first." run={() => undo.mutateAsync({ params })} />}
    </>
  )
}
