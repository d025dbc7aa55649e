import { type DeploymentDetail, type DeploymentSummary, describeEndpoint } from '@certloop/api-client'
import { errorLines, logLines } from '../certificate/follow-action.ts'
import { deploymentStates } from '../choices.ts'
import { defineCommand } from '../command.ts'
import { durationText } from '../configuration/words.ts'
import type { Context } from '../context.ts'
import { findCertificate, findDeployment } from '../find.ts'
import { paintState } from '../format/paint.ts'
import { facts, headed, plural, table } from '../format/table.ts'
import { moment, timeOfDay } from '../format/time.ts'
import { pageOptions, readPages, showPage } from '../page.ts'
import { timelineLines } from '../timeline.ts'

export const isOpen = ({ state }: Pick<DeploymentSummary, 'state'>): boolean => !['deployed', 'failed', 'rolled-back', 'cancelled'].includes(state)

/** The state, and what is special about it: "deploying, slow", "deployed, undoes dep_…". */
function stateText({ paint }: Pick<Context, 'paint'>, d: DeploymentSummary): string {
  const now = isOpen(d) ? [...(d.slow ? [paint('red', 'slow')] : []), ...(d.cancelRequestedAt ? ['being cancelled'] : [])] : []
  return [paintState(paint, d.state), ...now, ...(d.undoes ? [`undoes ${d.undoes}`] : [])].join(', ')
}

/** That it takes, or took, longer than its like, and what a person can do about it. */
function slowText({ world }: Pick<Context, 'world'>, { slow, id, state }: DeploymentSummary): string | null {
  if (slow === null) return null
  const usual = slow.usualSeconds < 1 ? 'less than a second' : durationText(Math.round(slow.usualSeconds))
  return `since ${timeOfDay(slow.since, world)}; its like usually take ${usual}.${isOpen({ state }) ? ` To stop it: certloop deployment cancel ${id}` : ''}`
}

export const deploymentList = defineCommand({
  noun: 'deployment', verb: 'list', summary: 'Deployments, newest first',
  args: {},
  options: {
    search: { type: 'string', value: 'TEXT', help: 'part of a certificate\'s name' },
    state: { type: 'string', value: 'STATE', choices: deploymentStates, help: 'only in this state' },
    certificate: { type: 'string', value: 'NAME', help: 'only of this certificate' },
    ...pageOptions,
  },
  examples: ['deployment list --state planned', 'deployment list --certificate www.example.com'],
  async run(context, { options: { search, state, certificate, ...paging } }) {
    const client = await context.client()
    const certificateId = certificate === undefined ? undefined : await findCertificate(context, certificate)
    const page = await readPages(paging, (query) => client.call('listDeployments', { query: { ...query, search, state, certificateId } }))
    showPage(context, page, 'There are no such deployments.', (items) => table(
      ['CERTIFICATE', 'STATE', 'TARGET', 'BOT', 'WHEN', 'BY', 'ID'],
      items.map((d) => [d.certificateName, stateText(context, d), d.targetTitle, d.botName, moment(d.createdAt, context.world), d.requester, d.id]),
    ))
  },
})

export function deploymentLines(context: Pick<Context, 'paint' | 'world'>, d: DeploymentDetail): string[] {
  const { world } = context
  return [
    ...facts([
      ['Deployment', d.id], ['Certificate', d.certificateName], ['Fingerprint', d.fingerprint], ['Target', `${d.targetTitle} on ${d.botName}`], ['State', stateText(context, d)], ['Slow', slowText(context, d)], ['Reason', d.reason],
      ['Next', d.nextAction], ['Possible', d.can.join(', ')], ['Deadline', moment(d.deadline, world)], ['By', d.requester], ['Rollback', d.rollback ? 'on' : 'off'], ['Plan', d.plan && `${plural(d.plan.steps.length, 'step')}, digest ${d.plan.digest}`],
    ]),
    ...headed('Steps', d.planSteps.map((step, i) => `${i + 1}. ${step}`)),
    ...headed('Differences to the approved plan', d.differences),
    ...headed('Log', logLines(context, d).map(({ text }) => text)),
    ...headed('Served', d.served.map(({ endpoint: e, fingerprint, error, at }) => `${timeOfDay(at, world)}  ${describeEndpoint(e)}  ${fingerprint ?? error ?? 'no answer'}`)),
  ]
}

export const deploymentShow = defineCommand({
  noun: 'deployment', verb: 'show', summary: 'One deployment with plan, steps, log and proof',
  args: { deployment: { help: 'id; or a certificate\'s name for its newest' } }, options: {},
  examples: ['deployment show dep_01j…', 'deployment show www.example.com'],
  async run(context, { args }) {
    const id = await findDeployment(context, args.deployment)
    const answer = await (await context.client()).call('getDeployment', { params: { id } })
    const failure = await errorLines(context, answer.deployment)
    context.show(answer, ({ deployment, timeline }) => [...deploymentLines(context, deployment), ...failure, '', ...timelineLines(context, timeline)])
  },
})
