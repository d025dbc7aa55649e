import { Button, Stack, Text } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import type { Order, TimelineEvent } from '@certloop/api-client'
import { keyName } from '../ca/ca-words.ts'
import { useMay, useRead, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { Facts } from '../shared/facts.tsx'
import { TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Page, Section } from '../shared/page.tsx'
import { ProblemAlert, ProblemNote } from '../shared/problem-alert.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { EventTimeline, requesterText } from '../shared/timeline.tsx'
import { When } from '../shared/when.tsx'
import { ValidationList } from '../validation/validation-list.tsx'
import { OrderAttempts } from './order-attempts.tsx'

const route = getRouteApi('/orders/$id')
const custodies = { endpoint: 'Made on the host by the bot; it never leaves it', platform: 'Made and kept by Certloop', external: 'Elsewhere; only the request was given' } as const

export function OrderPage() {
  const { id } = route.useParams()
  const result = useRead('getOrder', { params: { id: id as Order['id'] } })
  return <Loaded result={result}>{({ order, timeline }) => <OrderView order={order} timeline={timeline} />}</Loaded>
}

function OrderView({ order, timeline }: { order: Order; timeline: TimelineEvent[] }) {
  const cancel = useWrite('cancelOrder')
  const lookAgain = useWrite('lookAgainOrder')
  const mayWrite = useMay('order:write')
  const isOpen = order.state === 'pending' || order.state === 'processing' || order.state === 'uncertain'
  const actions = mayWrite && isOpen && (
    <>
      {order.state === 'uncertain' && <Button loading={lookAgain.isPending} onClick={() => lookAgain.mutate({ params: { id: order.id } })}>Have the authority asked again</Button>}
      <ConfirmButton label="Cancel order" variant="default" color="red" question="Cancel this order?" explanation="Nothing more will be asked of the authority. What is served now stays." run={() => cancel.mutateAsync({ params: { id: order.id } })} />
    </>
  )
  return (
    <Page
      title={`Order for ${order.certificateName}`} beside={<StateBadge state={order.state} size="lg" />} summary={order.reason}
      above={<TextLink to="/orders" fz="sm">Orders</TextLink>}
      actions={actions}
    >
      {lookAgain.error && <ProblemAlert error={lookAgain.error} />}
      {order.error && <ProblemAlert error={order.error} />}
      {/* What somebody has to do comes first, while there is something to do. */}
      {isOpen && <ValidationList orderId={order.id} />}
      <Section title="What was asked for">
        <Facts of={{
          'Certificate': <TextLink to="/certificates/$id" params={{ id: order.certificateId }} search={{}}>{order.certificateName}</TextLink>,
          'Names': <Stack gap={0}>{order.names.map((name) => <span key={name}>{name}</span>)}</Stack>,
          'Left out': order.leftOut.length === 0 ? null : <Stack gap={4}>{order.leftOut.map(({ name, error }) => <div key={name}><Text size="sm">{name}: {error.message}</Text><ProblemNote error={error} said={error.message} /></div>)}</Stack>,
          'Authority': order.authorityName,
          'Key': `${keyName(order.keyAlgorithm)}. ${custodies[order.custody]}.`,
          'Bot': order.botId === null ? null : <TextLink to="/bots/$id" params={{ id: order.botId }}>The bot that holds the key</TextLink>,
          'Asked for by': requesterText(order.requester),
          'Next': order.nextAction,
          'Deadline': order.deadline === null ? null : <When at={order.deadline} form="both" inline />,
          'Begun': <When at={order.createdAt} form="both" inline />,
          'Last change': <When at={order.updatedAt} form="both" inline />,
        }} />
      </Section>
      <OrderAttempts id={order.id} />
      {!isOpen && <ValidationList orderId={order.id} />}
      <Section title="Timeline"><EventTimeline events={timeline} about={order.id} /></Section>
    </Page>
  )
}
