import { type DeploymentDetail, describeEndpoint } from '@certloop/api-client'
import { errorLines, logLines, storedFailure } from '../certificate/follow-action.ts'
import { deploymentStates } from '../choices.ts'
import { defineCommand } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { exitCodes, usage } from '../failure.ts'
import { findCertificate, findDeployment } from '../find.ts'
import { follow, readTimeout, waitOptions } from '../follow.ts'
import { paintState } from '../format/paint.ts'
import { facts, headed, plural, table } from '../format/table.ts'
import { moment, timeOfDay } from '../format/time.ts'
import { pageOptions, readPages, showPage } from '../page.ts'
import { timelineLines } from '../timeline.ts'

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
      items.map((d) => [d.certificateName, paintState(context.paint, d.state), d.targetTitle, d.botName, moment(d.createdAt, context.world), d.requester, d.id]),
    ))
  },
})

function deploymentLines(context: Context, d: DeploymentDetail): string[] {
  const { paint, world } = context
  return [
    ...facts([
      ['Deployment', d.id], ['Certificate', d.certificateName], ['Fingerprint', d.fingerprint], ['Target', `${d.targetTitle} on ${d.botName}`], ['State', paintState(paint, d.state)], ['Reason', d.reason],
      ['Next', d.nextAction], ['Deadline', moment(d.deadline, world)], ['By', d.requester], ['Rollback', d.rollback ? 'on' : 'off'], ['Plan', d.plan && `${plural(d.plan.steps.length, 'step')}, digest ${d.plan.digest}`],
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

async function followDeployment(context: Context, id: DeploymentDetail['id'], timeoutSeconds: number | undefined): Promise<DeploymentDetail> {
  const client = await context.client()
  return follow(context, {
    look: async () => {
      const { deployment, timeline } = await client.call('getDeployment', { params: { id } })
      const events = timeline.map((e) => ({ key: e.id, at: e.at, text: `${timeOfDay(e.at, context.world)}  ${e.message}` }))
      const lines = [...events.toReversed(), ...logLines(context, deployment)].toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
      return { value: deployment, lines, ended: ['deployed', 'failed', 'rolled-back', 'cancelled'].includes(deployment.state) }
    },
    concerns: (notice) => notice.id === id,
    timeoutSeconds,
    later: `certloop deployment show ${id}`,
  })
}

export const deploymentApprove = defineCommand({
  noun: 'deployment', verb: 'approve', summary: 'Approve its plan',
  args: { deployment: { help: 'id; or a certificate\'s name when one of its deployments waits' } },
  options: { digest: { type: 'string', value: 'HEX', help: 'approve only the plan with this digest; default the present plan' }, ...yesOption, ...waitOptions },
  examples: ['deployment approve www.example.com --wait', 'deployment approve dep_01j… --digest 5f0c… --json'],
  notes: ['The plan is shown and, at a terminal, asked about. A plan that changes in between is refused.'],
  async run(context, { args, options }) {
    const timeout = readTimeout(options.timeout)
    if (options.digest !== undefined && !/^[0-9a-f]{64}$/.test(options.digest)) throw usage('--digest takes the 64 hex digits that "deployment show" prints.')
    const id = await findDeployment(context, args.deployment, ['planned'])
    const client = await context.client()
    const { deployment } = await client.call('getDeployment', { params: { id } })
    const { planSteps, botName, state } = deployment
    const steps = planSteps.map((step, i) => `${i + 1}. ${step}`).join('\n')
    const digest = options.digest ?? deployment.plan?.digest
    context.note(steps)
    const question = `${context.json ? `${steps}\n` : ''}Approve these ${plural(planSteps.length, 'step')} on ${botName}?`
    if (state === 'planned' && options.digest === undefined) await confirm(context, question, options.yes)
    // Without a plan the API says what is in the way.
    const approved = await client.call('approveDeployment', { params: { id }, body: { digest: digest ?? '0'.repeat(64) } })
    const ended = options.wait ? await followDeployment(context, id, timeout) : approved
    context.show(ended, (safe) => deploymentLines(context, safe))
    if (!options.wait || ended.state === 'deployed') return exitCodes.done
    context.fail(await storedFailure(context, `The deployment is ${ended.state}.`, ended.error))
    return exitCodes.failed
  },
})

export const deploymentCancel = defineCommand({
  noun: 'deployment', verb: 'cancel', summary: 'Cancel a deployment that has not begun',
  args: { deployment: { help: 'id; or a certificate\'s name when one of its deployments is open' } }, options: {},
  examples: ['deployment cancel www.example.com'],
  async run(context, { args }) {
    const id = await findDeployment(context, args.deployment, ['planning', 'planned', 'pending', 'deploying'])
    const deployment = await (await context.client()).call('cancelDeployment', { params: { id } })
    context.show(deployment, (safe) => deploymentLines(context, safe))
  },
})
