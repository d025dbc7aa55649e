import { Alert, Group, Loader, Stack, Text } from '@mantine/core'
import { useQueries } from '@tanstack/react-query'
import type { Action, DeploymentDetail, Order } from '@certloop/api-client'
import { RolloutProgress } from '../deployment/rollout-progress.tsx'
import { readOptions, useMay, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { TextLink } from '../shared/link.tsx'
import { ProblemNote } from '../shared/problem-alert.tsx'
import { StateBadge, stateLabel } from '../shared/state-badge.tsx'
import { requesterText } from '../shared/timeline.tsx'
import { useMinute, When } from '../shared/when.tsx'
import { actionWords } from './action-words.ts'

/** A finished action is news for this long, in milliseconds; a failed one stays until the next action. */
const newsMs = 15 * 60_000

const colors: Partial<Record<Action['state'], string>> = { failed: 'red', done: 'teal', waiting: 'violet', cancelled: 'gray' }

/** The running action with its orders and deployments, live; afterwards how it ended. */
export function ActionProgress({ action }: { action: Action }) {
  const now = useMinute()
  const running = action.endedAt === null
  if (action.state === 'done' && action.endedAt !== null && now.getTime() - Date.parse(action.endedAt) > newsMs) return null
  const { label } = actionWords[action.kind]
  const color = colors[action.state] ?? 'blue'
  return (
    <Alert color={color} role="status" variant="light" aria-label="Action" data-action={action.state} title={<Group gap="xs">{running && action.state !== 'waiting' && <Loader size={14} />}{label}: {stateLabel(action.state).toLowerCase()}</Group>}>
      <Stack gap="xs">
        <Text size="sm">Asked for by {requesterText(action.requester)}, <When at={action.createdAt} form="both" inline />.{action.reason === null || action.error ? '' : ` ${action.reason}`}</Text>
        {running && <Going action={action} />}
        {action.childId !== null && <Text size="sm">It makes <TextLink to="/certificates/$id" params={{ id: action.childId }} search={{}} inherit>a certificate of its own</TextLink>.</Text>}
        <Orders ids={action.orderIds} />
        {action.rolloutId !== null && <RolloutProgress id={action.rolloutId} />}
        <Deployments ids={action.deploymentIds} said={action.error?.message} />
        {action.error && <ProblemNote error={action.error} />}
      </Stack>
    </Alert>
  )
}

/** What comes next, by when, and how to end it. */
function Going({ action: { id, nextAction, waitsUntil, deadline, state } }: { action: Action }) {
  const cancel = useWrite('cancelAction')
  const may = useMay('certificate:order')
  return (
    <Group gap="sm" justify="space-between">
      <Text size="sm">
        {nextAction}{waitsUntil !== null && <> It goes on <When at={waitsUntil} form="both" inline />.</>}{waitsUntil === null && deadline !== null && <> To be over by <When at={deadline} />.</>}
      </Text>
      {may && <ConfirmButton label="Cancel this action" size="xs" variant="default" question="Cancel this action?" explanation={state === 'waiting' ? 'What was issued is kept and not deployed.' : 'What was not begun is left alone; what a bot works on is stopped and taken back.'} run={() => cancel.mutateAsync({ params: { id } })} />}
    </Group>
  )
}

const isOpen = ({ state }: Order) => state === 'pending' || state === 'processing' || state === 'uncertain'

function Orders({ ids }: { ids: Action['orderIds'] }) {
  const enabled = useMay('order:read')
  const orders = useQueries({ queries: ids.map((id) => ({ ...readOptions('getOrder', { params: { id } }), enabled })) })
  return orders.map(({ data }) => data && (
    <Group key={data.order.id} gap="sm" wrap="nowrap">
      <StateBadge state={data.order.state} />
      <Text size="sm"><TextLink to="/orders/$id" params={{ id: data.order.id }} inherit>Order</TextLink> at {data.order.authorityName}: {data.order.reason}{isOpen(data.order) && data.order.nextAction !== null && <> <b>Next:</b> {data.order.nextAction}</>}</Text>
    </Group>
  ))
}

function Deployments({ ids, said }: { ids: Action['deploymentIds']; said: string | undefined }) {
  const enabled = useMay('deployment:read')
  const deployments = useQueries({ queries: ids.map((id) => ({ ...readOptions('getDeployment', { params: { id } }), enabled })) })
  return deployments.map(({ data }) => data && (
    <Group key={data.deployment.id} gap="sm" wrap="nowrap">
      <StateBadge state={data.deployment.state} />
      <Text size="sm">
        <TextLink to="/deployments/$id" params={{ id: data.deployment.id }} inherit>Deployment</TextLink> onto {data.deployment.targetTitle} on {data.deployment.botName}: {wordsOf(data.deployment, said)}
      </Text>
    </Group>
  ))
}

/** The step under way, or the reason; not what the action's own error says already. */
function wordsOf({ state, log, reason, error }: DeploymentDetail, said: string | undefined): string {
  if (state === 'deploying') return log.at(-1)?.message ?? reason
  return error !== null && error.message === said ? stateLabel(state).toLowerCase() : reason
}
