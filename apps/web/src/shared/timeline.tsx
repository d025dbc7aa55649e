import { Box, Button, Group, Stack, Text, Timeline, VisuallyHidden } from '@mantine/core'
import type { TimelineEvent } from '@certloop/api-client'
import { TextLink } from './link.tsx'
import { ProblemNote } from './problem-alert.tsx'
import { When } from './when.tsx'

/** "user:admin" as "admin", "schedule" as "the schedule". */
export function requesterText(requester: string): string {
  const [kind, name] = requester.split(':', 2)
  if (name === undefined) return `the ${kind}`
  return kind === 'user' ? name : `${kind} ${name}`
}

interface Props {
  events: readonly TimelineEvent[]
  /** What this page is about: no link to itself. */
  about: string
  more?: { hasMore: boolean; loading: boolean; load: () => void }
}

/** What happened, newest first, with links to what it happened to. */
export function EventTimeline({ events, about, more }: Props) {
  if (events.length === 0) return <Text size="sm" c="dimmed">Nothing has happened yet.</Text>
  return (
    <Box>
      <Timeline bulletSize={12} lineWidth={2} active={events.length} color="gray">
        {events.map((event) => (
          <Timeline.Item key={event.id} color={event.error ? 'red' : 'indigo'}>
            <Stack gap={2} mt={-5}>
              <Text size="sm" style={{ overflowWrap: 'anywhere' }}>{event.error && <VisuallyHidden>Error: </VisuallyHidden>}{event.message}</Text>
              <Group gap="xs" fz="xs" c="dimmed">
                <When at={event.at} form="both" inline />
                {event.requester !== null && <span>by {requesterText(event.requester)}</span>}
                <EventLinks event={event} about={about} />
              </Group>
              {event.error && <ProblemNote error={event.error} said={event.message} />}
            </Stack>
          </Timeline.Item>
        ))}
      </Timeline>
      {more?.hasMore && <Button mt="md" variant="default" size="xs" loading={more.loading} onClick={more.load}>Show older</Button>}
    </Box>
  )
}

function EventLinks({ event: { certificateId, orderId, deploymentId, botId }, about }: { event: TimelineEvent; about: string }) {
  return (
    <>
      {orderId !== null && orderId !== about && <TextLink to="/orders/$id" params={{ id: orderId }} fz="xs">Order</TextLink>}
      {deploymentId !== null && deploymentId !== about && <TextLink to="/deployments/$id" params={{ id: deploymentId }} fz="xs">Deployment</TextLink>}
      {certificateId !== null && certificateId !== about && <TextLink to="/certificates/$id" params={{ id: certificateId }} search={{}} fz="xs">Certificate</TextLink>}
      {botId !== null && botId !== about && <TextLink to="/bots/$id" params={{ id: botId }} fz="xs">Bot</TextLink>}
    </>
  )
}
