import type { DeploymentDetail } from '@certloop/api-client'
import { followAction, logLines, storedFailure } from '../certificate/follow-action.ts'
import { defineCommand } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { exitCodes, usage } from '../failure.ts'
import { findDeployment } from '../find.ts'
import { follow, readTimeout, waitOptions } from '../follow.ts'
import { paintState } from '../format/paint.ts'
import { facts, plural } from '../format/table.ts'
import { timeOfDay } from '../format/time.ts'
import { deploymentLines, isOpen } from './deployments.ts'

async function followDeployment(context: Context, id: DeploymentDetail['id'], timeoutSeconds: number | undefined): Promise<DeploymentDetail> {
  const client = await context.client()
  return follow(context, {
    look: async () => {
      const { deployment, timeline } = await client.call('getDeployment', { params: { id } })
      const events = timeline.map((e) => ({ key: e.id, at: e.at, text: `${timeOfDay(e.at, context.world)}  ${e.message}` }))
      const lines = [...events.toReversed(), ...logLines(context, deployment)].toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
      return { value: deployment, lines, ended: !isOpen(deployment) }
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
  notes: ['The plan is shown and asked about, unless --yes or --digest is given. A plan that changes in between is refused.'],
  async run(context, { args, options }) {
    const timeout = readTimeout(options.timeout)
    if (options.digest !== undefined && !/^[0-9a-f]{64}$/.test(options.digest)) throw usage('--digest takes the 64 hex digits that "deployment show" prints.')
    const id = await findDeployment(context, args.deployment, 'approve')
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
    if (options.wait) return showEnded(context, await followDeployment(context, id, timeout), 'deployed')
    context.show(approved, (safe) => deploymentLines(context, safe))
    return exitCodes.done
  },
})

/** Shows how it ended. @param good the state that was wanted */
async function showEnded(context: Context, ended: DeploymentDetail, good: DeploymentDetail['state']): Promise<number> {
  context.show(ended, (safe) => deploymentLines(context, safe))
  if (ended.state === good) return exitCodes.done
  context.fail(await storedFailure(context, `The deployment is ${ended.state}.`, ended.error))
  return exitCodes.failed
}

export const deploymentCancel = defineCommand({
  noun: 'deployment', verb: 'cancel', summary: 'Cancel it; one that a bot works on is stopped and taken back',
  args: { deployment: { help: 'id; or a certificate\'s name when one of its deployments is open' } }, options: waitOptions,
  examples: ['deployment cancel www.example.com --wait'],
  notes: ['Before the bot began, nothing was touched. While it works it is stopped, every step is undone, and what was there before is proven again; --wait tells how that ends. Exit code 1: it ended otherwise, for example because it was done already.'],
  async run(context, { args, options }) {
    const timeout = readTimeout(options.timeout)
    const id = await findDeployment(context, args.deployment, 'cancel')
    const deployment = await (await context.client()).call('cancelDeployment', { params: { id } })
    if (options.wait) {
      const ended = await followDeployment(context, id, timeout)
      return showEnded(context, ended, ended.state === 'rolled-back' ? 'rolled-back' : 'cancelled')
    }
    context.show(deployment, (safe) => deploymentLines(context, safe))
    if (isOpen(deployment)) context.note(`The bot is told to stop. See how it ends: certloop deployment show ${id}`)
    return exitCodes.done
  },
})

export const deploymentUndo = defineCommand({
  noun: 'deployment', verb: 'undo', summary: 'Put back what was there before it',
  args: { deployment: { help: 'id; or a certificate\'s name when one of its deployments can be undone' } }, options: { ...yesOption, ...waitOptions },
  examples: ['deployment undo dep_01j… --wait', 'deployment undo www.example.com --yes --wait'],
  notes: ['It is a deployment of its own, with plan, log and proof. It is refused when the place was changed since.'],
  async run(context, { args, options }) {
    const timeout = readTimeout(options.timeout)
    const id = await findDeployment(context, args.deployment, 'undo')
    const client = await context.client()
    await confirm(context, 'Put back what was there before this deployment?', options.yes)
    const begun = await client.call('undoDeployment', { params: { id } })
    if (options.wait) return showEnded(context, await followDeployment(context, begun.id, timeout), 'deployed')
    context.show(begun, (safe) => deploymentLines(context, safe))
    return exitCodes.done
  },
})

export const deploymentRetry = defineCommand({
  noun: 'deployment', verb: 'retry', summary: 'Deploy the same version to the same target again',
  args: { deployment: { help: 'id; or a certificate\'s name when one of its deployments can be tried again' } }, options: waitOptions,
  examples: ['deployment retry dep_01j… --wait', 'deployment retry www.example.com --wait'],
  async run(context, { args, options }) {
    const timeout = readTimeout(options.timeout)
    const id = await findDeployment(context, args.deployment, 'retry')
    const started = await (await context.client()).call('retryDeployment', { params: { id } })
    const ended = options.wait ? await followAction(context, started, timeout) : started
    context.show(ended, ({ id: action, state, reason, deploymentIds }) => facts([['Action', action], ['State', paintState(context.paint, state)], ['Result', state === 'failed' ? null : reason], ['Deployments', deploymentIds.join(', ')]]))
    if (!options.wait || ended.state === 'done') return exitCodes.done
    context.fail(await storedFailure(context, ended.reason ?? 'The deployment failed again.', ended.error))
    return exitCodes.failed
  },
})
