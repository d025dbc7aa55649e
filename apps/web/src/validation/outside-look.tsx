import { Badge, Group, Stack, Text } from '@mantine/core'
import type { Validation } from '@certloop/api-client'
import { ProblemNote } from '../shared/problem-alert.tsx'
import { When } from '../shared/when.tsx'
import { verdictOf, wasBeforehand } from './look-words.ts'

/** What was seen from outside, finding by finding; readable in a narrow window. */
export function LastLook({ validation }: { validation: Validation }) {
  if (validation.lastLook === null) return null
  const { at, findings } = validation.lastLook
  const title = wasBeforehand(validation) ? 'Looked at before the proof is placed' : 'Seen from outside'
  return (
    <Stack gap={4}>
      <Text size="xs" c="dimmed">{title}, <When at={at} form="both" inline />:</Text>
      <Stack component="ul" gap={6} m={0} p={0} style={{ listStyle: 'none' }} aria-label={`${title}: ${validation.name}`}>
        {findings.map((finding) => {
          const { color, label } = verdictOf(finding, validation.state)
          return (
            <Group component="li" key={`${finding.title} ${finding.seen}`} gap="xs" wrap="nowrap" align="flex-start">
              <Badge size="xs" variant="dot" color={color} mt={3} w={76} style={{ flexShrink: 0 }}>{label}</Badge>
              <div style={{ minWidth: 0 }}>
                <Text size="sm" style={{ overflowWrap: 'anywhere' }}><b>{finding.title}:</b> {finding.seen}</Text>
                {finding.error && <ProblemNote error={finding.error} said={finding.seen} />}
              </div>
            </Group>
          )
        })}
      </Stack>
    </Stack>
  )
}
