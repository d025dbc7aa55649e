import { Stack, Tabs, Text } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import type { CertificateDetail } from '@certloop/api-client'
import { ConfigurationForm } from '../provisioning/configuration-form.tsx'
import { usePages, useRead } from '../shared/api.ts'
import { TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Page, Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { StateBadge, stateLabel } from '../shared/state-badge.tsx'
import { EventTimeline } from '../shared/timeline.tsx'
import { When } from '../shared/when.tsx'
import { ActionProgress } from './action-progress.tsx'
import { CertificateActions } from './certificate-actions.tsx'
import { Installations } from './installations.tsx'
import { ManagementSwitch } from './management-switch.tsx'
import { NextRuns } from './next-runs.tsx'
import { UnknownHostKeys } from './unknown-host-keys.tsx'
import { Versions } from './versions.tsx'

const route = getRouteApi('/certificates/$id')

export function CertificatePage() {
  const { id } = route.useParams()
  const result = useRead('getCertificate', { params: { id: id as CertificateDetail['id'] } })
  return <Loaded result={result}>{(certificate) => <CertificateView key={certificate.id} certificate={certificate} />}</Loaded>
}

function CertificateView({ certificate }: { certificate: CertificateDetail }) {
  const { tab = 'overview' } = route.useSearch()
  const navigate = route.useNavigate()
  return (
    <Page
      title={certificate.name} beside={<StateBadge state={certificate.status} size="lg" />}
      above={<TextLink to="/certificates" fz="sm">Certificates</TextLink>}
      summary={<Summary certificate={certificate} />} toolbar={<CertificateActions certificate={certificate} />}
    >
      {certificate.lastAction && <ActionProgress action={certificate.lastAction} />}
      {certificate.problem && certificate.lastAction?.error?.code !== certificate.problem.code && !waitsForHostKey(certificate) && <ProblemAlert error={certificate.problem} />}
      <UnknownHostKeys certificate={certificate} />
      <Tabs value={tab} keepMounted={false} onChange={(next) => void navigate({ search: next === 'overview' ? {} : { tab: next as 'configuration' | 'timeline' }, replace: true })}>
        <Tabs.List mb="md">
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="configuration">Configuration{certificate.configuration === null ? ' (none yet)' : certificate.configuration.complete ? '' : ' (draft)'}</Tabs.Tab>
          <Tabs.Tab value="timeline">Timeline</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="overview"><Overview certificate={certificate} /></Tabs.Panel>
        <Tabs.Panel value="configuration"><ConfigurationForm certificate={certificate} /></Tabs.Panel>
        <Tabs.Panel value="timeline"><CertificateTimeline id={certificate.id} /></Tabs.Panel>
      </Tabs>
    </Page>
  )
}

/** Shown with its question below. */
const waitsForHostKey = ({ problem, configuration }: CertificateDetail) => problem?.code === 'HOST_KEY_UNKNOWN' && configuration?.targets.some(({ seenHostKey }) => seenHostKey !== null) === true

function Summary({ certificate: { statusReason, names, name, notAfter, nextRenewalAt, parent, children } }: { certificate: CertificateDetail }) {
  return (
    <Stack gap={2}>
      <span>{statusReason}</span>
      {parent && <span>Enrolled again from <TextLink to="/certificates/$id" params={{ id: parent.id }} search={{}} inherit>{parent.name}</TextLink>.</span>}
      {children.length > 0 && <span>Enrolled again as {children.map((child, i) => <span key={child.id}>{i > 0 && ', '}<TextLink to="/certificates/$id" params={{ id: child.id }} search={{}} inherit>{child.name} ({stateLabel(child.status).toLowerCase()})</TextLink></span>)}.</span>}
      {names.some((one) => one !== name) && <span>Names: {names.join(', ')}</span>}
      {notAfter !== null && <span>Expires <When at={notAfter} form="both" inline />{nextRenewalAt !== null && <>. Next renewal <When at={nextRenewalAt} form="both" inline /></>}.</span>}
    </Stack>
  )
}

function Overview({ certificate }: { certificate: CertificateDetail }) {
  return (
    <Stack>
      <Section title="Installations" help="Where it was seen, and what is really served there."><Installations certificate={certificate} /></Section>
      <Section title="Versions" help="Each X.509 certificate this identity has had, newest first."><Versions certificate={certificate} /></Section>
      <Section title="Next runs" help="What the scheduler will do, as far as it can be known."><CertificateRuns certificate={certificate} /></Section>
      <Section title="Care"><ManagementSwitch certificate={certificate} /></Section>
    </Stack>
  )
}

function CertificateRuns({ certificate: { nextRuns, management, configuration } }: { certificate: CertificateDetail }) {
  if (nextRuns.length > 0) return <NextRuns runs={nextRuns} />
  const why = management !== 'managed' ? 'It is not managed, so nothing is renewed.'
    : configuration === null || !configuration.complete ? 'Complete the configuration to have it renewed.'
    : configuration.renewal.enabled ? 'The time is known once a version is there.' : 'Renewal is switched off in the configuration.'
  return <Text size="sm" c="dimmed">None. {why}</Text>
}

function CertificateTimeline({ id }: { id: CertificateDetail['id'] }) {
  const list = usePages('getTimeline', { params: { id } })
  return (
    <Section title="What happened, newest first">
      <Loaded result={{ ...list, data: list.items }}>
        {(events) => <EventTimeline events={events} about={id} more={list.more} />}
      </Loaded>
    </Section>
  )
}
