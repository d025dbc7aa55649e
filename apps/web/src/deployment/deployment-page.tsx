import { Alert, Code, List } from '@mantine/core'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import type { DeploymentDetail, TimelineEvent } from '@certloop/api-client'
import { useMay, useRead, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { Fingerprint } from '../shared/copy.tsx'
import { Facts } from '../shared/facts.tsx'
import { TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Page, Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { EventTimeline, requesterText } from '../shared/timeline.tsx'
import { When } from '../shared/when.tsx'
import { DeploymentLog } from './deployment-log.tsx'
import { PlanSteps } from './plan-steps.tsx'
import { ProofTable } from './proof-table.tsx'

const route = getRouteApi('/deployments/$id')

export function DeploymentPage() {
  const { id } = route.useParams()
  const result = useRead('getDeployment', { params: { id: id as DeploymentDetail['id'] } })
  return <Loaded result={result}>{({ deployment, timeline }) => <DeploymentView deployment={deployment} timeline={timeline} />}</Loaded>
}

function DeploymentView({ deployment, timeline }: { deployment: DeploymentDetail; timeline: TimelineEvent[] }) {
  return (
    <Page
      title={`Deployment of ${deployment.certificateName}`} beside={<StateBadge state={deployment.state} size="lg" />} summary={deployment.reason}
      above={<TextLink to="/deployments" fz="sm">Deployments</TextLink>} actions={<DeploymentActions deployment={deployment} />}
    >
      {deployment.slow && <Alert color="orange" title="Slower than its like">Since <When at={deployment.slow.since} form="both" inline /> it takes longer than usual{deployment.slow.usualSeconds > 0 ? `: its like take about ${Math.round(deployment.slow.usualSeconds)} s` : ''}. Look at the host, or cancel it.</Alert>}
      {deployment.error && <ProblemAlert error={deployment.error} />}
      {deployment.differences.length > 0 && (
        <Section title="Differences" help="The host is not as it was when the plan was approved. Nothing was touched.">
          <List size="sm">{deployment.differences.map((line) => <List.Item key={line}><Code style={{ whiteSpace: 'pre-wrap' }}>{line}</Code></List.Item>)}</List>
        </Section>
      )}
      <Section title="What goes where"><DeploymentFacts deployment={deployment} /></Section>
      <Section title="Plan" help={deployment.plan && <>Digest <Fingerprint value={deployment.plan.digest} /></>}><PlanSteps deployment={deployment} /></Section>
      <Section title="Proof" help="What is really served, against what was to be served."><ProofTable deployment={deployment} /></Section>
      <Section title="Log"><DeploymentLog entries={deployment.log} begun={!['planning', 'planned', 'pending', 'cancelled'].includes(deployment.state)} /></Section>
      <Section title="Timeline"><EventTimeline events={timeline} about={deployment.id} /></Section>
    </Page>
  )
}

function DeploymentFacts({ deployment }: { deployment: DeploymentDetail }) {
  return (
    <Facts of={{
      'Certificate': <TextLink to="/certificates/$id" params={{ id: deployment.certificateId }} search={{}}>{deployment.certificateName}</TextLink>,
      [deployment.undoes === null ? 'Version' : 'Version taken away']: <Fingerprint value={deployment.fingerprint} />,
      'Target': `${deployment.targetTitle} (${deployment.serverType})`,
      'Bot': <TextLink to="/bots/$id" params={{ id: deployment.botId }}>{deployment.botName}</TextLink>,
      'Takes back': deployment.undoes === null ? null : <TextLink to="/deployments/$id" params={{ id: deployment.undoes }}>an earlier deployment</TextLink>,
      'If it fails': deployment.rollback ? 'The certificate from before is put back.' : 'It is left as it is for you to look at.',
      'Asked for by': requesterText(deployment.requester),
      'Next': deployment.nextAction,
      'Deadline': deployment.deadline === null ? null : <When at={deployment.deadline} form="both" inline />,
      'Begun': <When at={deployment.createdAt} form="both" inline />,
      'Last change': <When at={deployment.updatedAt} form="both" inline />,
    }} />
  )
}

function DeploymentActions({ deployment: { id, state, plan, can, cancelRequestedAt } }: { deployment: DeploymentDetail }) {
  const navigate = useNavigate()
  const approve = useWrite('approveDeployment')
  const cancel = useWrite('cancelDeployment')
  const undo = useWrite('undoDeployment', (made) => void navigate({ to: '/deployments/$id', params: { id: made.id } }))
  const retry = useWrite('retryDeployment', (action) => void navigate({ to: '/certificates/$id', params: { id: action.certificateId }, search: {} }))
  const [mayApprove, mayDeploy] = [useMay('deployment:approve'), useMay('certificate:deploy')]
  return (
    <>
      {mayDeploy && can.includes('retry') && <ConfirmButton label="Deploy again" variant="default" question="Deploy this version to this target again?" explanation="A new plan is made and carried out; other targets are left alone." run={() => retry.mutateAsync({ params: { id } })} />}
      {mayDeploy && can.includes('undo') && <ConfirmButton label="Take back" variant="default" color="red" question="Put back what was there before?" explanation="The bot kept it. It is put back, activated and proven to be served, as long as nobody has changed the place since." run={() => undo.mutateAsync({ params: { id } })} />}
      {mayApprove && can.includes('cancel') && (
        <ConfirmButton
          label={cancelRequestedAt === null ? 'Cancel deployment' : 'Give up waiting'} variant="default" color="red" question={cancelRequestedAt === null ? 'Cancel this deployment?' : 'Give up waiting for the bot?'} run={() => cancel.mutateAsync({ params: { id } })}
          explanation={cancelRequestedAt !== null ? 'It ends as failed here. What is on the host is unknown until the bot is back.' : state === 'deploying' ? 'The bot ends what runs, puts back what was there before and proves it.' : 'Nothing on the host has been touched; it stays so.'}
        />
      )}
      {mayApprove && state === 'planned' && plan && (
        <ConfirmButton
          label="Approve plan" question="Carry out this plan?" run={() => approve.mutateAsync({ params: { id }, body: { digest: plan.digest } })}
          explanation={<>You approve the plan with the digest <Code>{plan.digest.slice(0, 16)}…</Code>. If the host is no longer as it was when the plan was made, the bot refuses and shows the differences.</>}
        />
      )}
    </>
  )
}
