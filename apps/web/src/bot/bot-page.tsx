import { useState } from 'react'
import { Alert, Stack } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import type { BotDetail } from '@certloop/api-client'
import { DeploymentTable } from '../deployment/deployment-table.tsx'
import { useMay, useRead, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { Facts } from '../shared/facts.tsx'
import { TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { tell } from '../shared/notify.ts'
import { Empty, Page, Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { EventTimeline } from '../shared/timeline.tsx'
import { When } from '../shared/when.tsx'
import { purposes } from './bots-page.tsx'
import { DetectedServers } from './detected-servers.tsx'

const route = getRouteApi('/bots/$id')

export function BotPage() {
  const { id } = route.useParams()
  const result = useRead('getBot', { params: { id: id as BotDetail['id'] } })
  return <Loaded result={result}>{(bot) => <BotView bot={bot} />}</Loaded>
}

function BotView({ bot }: { bot: BotDetail }) {
  return (
    <Page title={bot.name} beside={<StateBadge state={bot.status} size="lg" />} summary={`Bot. ${purposes[bot.purpose]}.`} above={<TextLink to="/bots" fz="sm">Bots</TextLink>} actions={<BotActions bot={bot} />}>
      {bot.status === 'never-joined' && (
        <Alert color="blue" title="It has not joined yet">
          Run its join command on the host{bot.tokenExpiresAt !== null && <>, before <When at={bot.tokenExpiresAt} form="both" inline /></>}. The command was shown once; if it is lost, revoke this bot and add another.
        </Alert>
      )}
      <Section title="Host"><HostFactsList bot={bot} /></Section>
      <Section title="Detected servers" help={bot.lastScanAt !== null && <>Scanned <When at={bot.lastScanAt} form="both" inline />. Only servers that run now are listed.</>}>
        <Stack>
          {bot.scanProblems.map((problem) => <ProblemAlert key={problem.code + problem.message} error={problem} />)}
          <DetectedServers bot={bot} />
        </Stack>
      </Section>
      <Section title="Deployments">
        {bot.deployments.length === 0 ? <Empty title="No deployments yet">They begin at a certificate: take one under care, complete its configuration and rotate it.</Empty> : <DeploymentTable deployments={bot.deployments} />}
      </Section>
      <Section title="Events"><Events bot={bot} /></Section>
    </Page>
  )
}

const fewEvents = 15

function Events({ bot: { id, events } }: { bot: BotDetail }) {
  const [all, setAll] = useState(false)
  return <EventTimeline events={all ? events : events.slice(0, fewEvents)} about={id} more={{ hasMore: !all && events.length > fewEvents, loading: false, load: () => setAll(true) }} />
}

function HostFactsList({ bot }: { bot: BotDetail }) {
  return (
    <Facts of={{
      'Host name': bot.host?.hostName,
      'System': bot.host && `${bot.host.os} ${bot.host.osVersion} (${bot.host.arch})`,
      'Addresses': bot.host?.addresses.join(', '),
      'Version of the bot': bot.version,
      'Last contact': bot.lastContactAt === null ? 'Never' : <When at={bot.lastContactAt} form="both" inline />,
      'Joined': bot.joinedAt === null ? 'Not yet' : <When at={bot.joinedAt} form="both" inline />,
      'Added': <When at={bot.createdAt} form="both" inline />,
    }} />
  )
}

function BotActions({ bot: { id, name, status } }: { bot: BotDetail }) {
  const scan = useWrite('scanBot', () => tell('The bot was told to scan. What it finds shows here.'))
  const revoke = useWrite('revokeBot')
  if (!useMay('bot:write') || status === 'revoked') return null
  return (
    <>
      <ConfirmButton label="Scan again" variant="default" size="xs" whyNot={status === 'never-joined' ? 'The bot has not joined yet.' : null} hint="Looks for running servers and their certificates." run={() => scan.mutateAsync({ params: { id } })} />
      <ConfirmButton label="Revoke" variant="light" color="red" size="xs" question={`Revoke ${name}?`} explanation="From now on nothing it sends is accepted and it gets no work. Certificates on its host stay as they are and are no longer renewed." run={() => revoke.mutateAsync({ params: { id } })} />
    </>
  )
}
