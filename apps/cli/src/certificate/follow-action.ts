import type { Action, DeploymentDetail, TimelineEvent } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { exitCodes, failureLines, type FailureText } from '../failure.ts'
import { follow, type Look } from '../follow.ts'
import { cleanText } from '../format/clean.ts'
import { momentInZone, timeOfDay } from '../format/time.ts'

interface Line { key: string; at: string; text: string }

const eventLine = (context: Context, event: TimelineEvent): Line => ({ key: event.id, at: event.at, text: `${timeOfDay(event.at, context.world)}  ${event.message.replaceAll('\n', '\n          ')}` })

/** The end of the action is told once, by what follows. */
const isEnd = ({ kind }: TimelineEvent) => ['action.done', 'action.failed', 'action.cancelled'].includes(kind)

/** What the bot wrote down while it deployed, below the events: what a step that failed or a script put out belongs to it. */
export function logLines(context: Pick<Context, 'world'>, { id, log, plan }: Pick<DeploymentDetail, 'id' | 'log' | 'plan'>): Line[] {
  const isScript = (step: number | null) => step !== null && plan?.steps[step]?.kind === 'run-script'
  return log.map((entry, index) => {
    const took = entry.durationMs === null ? '' : ` (${Math.round(entry.durationMs)} ms)`
    const output = (!entry.ok || isScript(entry.step)) && entry.output ? `\n${entry.output.trimEnd().split('\n').map((line) => `              | ${line}`).join('\n')}` : ''
    return { key: `${id} ${index}`, at: entry.at, text: `${timeOfDay(entry.at, context.world)}    ${entry.ok ? 'ok   ' : 'FAIL '} ${entry.message}${took}${output}` }
  })
}

function waitingLine(context: Context, { id, state, planSteps }: DeploymentDetail): Line[] {
  if (state !== 'planned') return []
  return [{ key: `${id} waits`, at: context.world.now().toISOString(), text: [`          Waits for somebody to approve its plan of ${planSteps.length} steps:`, ...planSteps.map((step, i) => `            ${i + 1}. ${step}`), `          certloop deployment approve ${id}`].join('\n') }]
}

/** Issued, and its time to be deployed has not come: nothing happens until then. */
function restLine(context: Context, { id, state, waitsUntil, nextAction }: Action): Line[] {
  if (state !== 'waiting' || waitsUntil === null) return []
  const text = `          Waits until ${momentInZone(waitsUntil, context.world)}.${nextAction === null ? '' : ` ${nextAction}`} Ctrl-C ends the following, not the work.`
  return [{ key: `${id} until ${waitsUntil}`, at: context.world.now().toISOString(), text }]
}

async function lookAt(context: Context, started: Action): Promise<Look<Action>> {
  const client = await context.client()
  const action = await client.call('getAction', { params: { id: started.id } })
  const { items } = await client.call('getTimeline', { params: { id: action.certificateId }, query: { limit: 100 } })
  const deployments = await Promise.all(action.deploymentIds.map(async (id) => (await client.call('getDeployment', { params: { id } })).deployment))
  const lines = [
    ...items.toReversed().filter((event) => event.at >= started.createdAt && !isEnd(event)).map((event) => eventLine(context, event)),
    ...deployments.flatMap((deployment) => [...logLines(context, deployment), ...waitingLine(context, deployment)]),
    ...restLine(context, action),
  ]
  return { value: action, ended: action.endedAt !== null, lines: lines.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)) }
}

/** Follows a lifecycle action to its end. */
export function followAction(context: Context, started: Action, timeoutSeconds: number | undefined): Promise<Action> {
  return follow(context, {
    look: () => lookAt(context, started),
    concerns: (notice) => notice.certificateId === started.certificateId || notice.id === started.certificateId,
    timeoutSeconds,
    later: `certloop certificate timeline ${started.certificateId}`,
  })
}

/** An error that was stored with an action, order or deployment, in the words of the registry. */
export async function storedFailure(context: Context, what: string, error: { code: string; message: string } | null): Promise<FailureText> {
  const { errorSpecs } = await context.api()
  if (error === null) return { exit: exitCodes.failed, what }
  const spec = error.code in errorSpecs ? errorSpecs[error.code as keyof typeof errorSpecs] : errorSpecs.INTERNAL
  return { exit: exitCodes.failed, what: error.message, code: error.code, why: spec.cause, remedy: spec.remedy, where: spec.where }
}

/** The same below an order or deployment, safe to print; nothing when it did not fail. */
export async function errorLines(context: Context, { error }: { error: { code: string; message: string } | null }): Promise<string[]> {
  return error === null ? [] : ['', ...failureLines(await storedFailure(context, error.message, error)).map(cleanText)]
}
