import { readFile } from 'node:fs/promises'
import type { Action, ActionKind, CertificateDetail, RevocationReasonToGive, StartActionInput } from '@certloop/api-client'
import { revocationReasons } from '../choices.ts'
import { defineCommand, type Command, type OptionSpecs } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { exitCodes, Failure, failureOf, isApiProblem, usage } from '../failure.ts'
import { findCertificate } from '../find.ts'
import { readTimeout, waitOptions } from '../follow.ts'
import { clean } from '../format/clean.ts'
import { paintState } from '../format/paint.ts'
import { facts, plural, table } from '../format/table.ts'
import { dateAndDistance, momentInZone } from '../format/time.ts'
import { pickTarget } from '../target/target-input.ts'
import { followAction, storedFailure } from './follow-action.ts'

const csrOption = { csr: { type: 'string', value: 'FILE', help: 'order with this certificate request (PEM) instead of one made on the host; "-" reads standard input' } } as const satisfies OptionSpecs
const versionOption = (what: string) => ({ version: { type: 'string', value: 'ID', help: `${what} this version; default the present one` } }) as const satisfies OptionSpecs
const targetOption = { target: { type: 'string', value: 'NUMBER', multiple: true, help: 'only this target, as "certificate show" counts them; repeat for more. Default all' } } as const satisfies OptionSpecs
const reasonOption = { reason: { type: 'string', value: 'REASON', choices: revocationReasons, help: 'why (RFC 5280), unspecified unless given' } } as const satisfies OptionSpecs

interface ActionText { kind: ActionKind; summary: string; options?: OptionSpecs; examples?: readonly string[]; notes?: readonly string[]; /** Asked before it begins. */ question?: string }
const actions: readonly ActionText[] = [
  { kind: 'initiate', summary: 'Take under management: check that every target can be reached; nothing is replaced' },
  { kind: 'order', summary: 'Order a new version and stop there', options: csrOption, examples: ['certificate order www.example.com --csr request.pem --wait'] },
  { kind: 'deploy', summary: 'Put a version onto its targets', options: { ...versionOption('deploy'), ...targetOption }, examples: ['certificate deploy www.example.com --target 2 --wait', 'certificate deploy www.example.com --version ver_01j…'] },
  { kind: 'rotate', summary: 'Order a new version and deploy it at once, with proof and rollback' },
  { kind: 'rekey', summary: 'Rotate with a new key, also where keys are kept' },
  { kind: 'renew', summary: 'Order the same identity again and deploy it when the configuration says', notes: ['The key stays or is new as the configuration says. To deploy at once instead: certificate rotate.'] },
  { kind: 'regenerate', summary: 'Renew with a new key, also where keys are kept', notes: ['It is deployed when the configuration says. To deploy at once instead: certificate rekey.'] },
  { kind: 're-enrol', summary: 'Order from the configuration as a new certificate, which follows this one', notes: ['The new certificate begins as a draft without renewal; it takes over a target when you complete its configuration.'] },
  { kind: 'revoke', summary: 'Revoke a version at its authority, for ever', options: { ...versionOption('revoke'), ...reasonOption, ...yesOption }, question: 'Clients will refuse it, and this can not be taken back.', examples: ['certificate revoke www.example.com --reason keyCompromise --yes --wait'], notes: ['The servers are left alone: rotate first where the certificate is still in use.'] },
  { kind: 'suspend', summary: 'Suspend a version at its authority', options: { ...versionOption('suspend'), ...yesOption }, question: 'Clients will refuse it until it is resumed.' },
  { kind: 'resume', summary: 'Take a suspension back', options: { ...versionOption('resume'), yes: { type: 'boolean', help: 'accepted for the sake of scripts: nothing is asked' } } },
  { kind: 'recheck-pinning', summary: 'Look what is served everywhere, and whether it is what should be', options: targetOption, examples: ['certificate recheck-pinning www.example.com --target 1 --target 3 --wait'] },
]

async function readCsr(context: Context, file: unknown): Promise<Pick<StartActionInput, 'csrPem'>> {
  if (typeof file !== 'string') return {}
  const csrPem = file === '-' ? await context.world.readInput() : await readFile(file, 'utf8').catch((error: Error) => { throw usage(`The certificate request can not be read: ${error.message}.`) })
  return { csrPem }
}

/** Targets by number, as they are counted for people. */
async function readTargets(context: Context, id: CertificateDetail['id'], numbers: unknown): Promise<Pick<StartActionInput, 'targetIds'>> {
  if (!Array.isArray(numbers)) return {}
  const certificate = await (await context.client()).call('getCertificate', { params: { id } })
  return { targetIds: [...new Set(numbers.map((number) => pickTarget(certificate, String(number)).id))] }
}

/** "version" is an id; anything else the API will name as a wrong field. */
async function readBody(context: Context, id: CertificateDetail['id'], { csr, version, target, reason }: Record<string, unknown>): Promise<StartActionInput> {
  return {
    ...await readCsr(context, csr), ...await readTargets(context, id, target),
    ...(typeof version === 'string' ? { versionId: version as `ver_${string}` } : {}), ...(typeof reason === 'string' ? { reason: reason as RevocationReasonToGive } : {}),
  }
}

const actionFacts = ({ paint, world }: Context, name: string, { id, kind, state, reason, nextAction, waitsUntil, orderIds, deploymentIds, rolloutId, childId }: Action) => [
  ['Action', `${kind} of ${name}`], ['Id', id], ['State', paintState(paint, state)], ['Result', state === 'failed' ? null : reason], ['Waits until', momentInZone(waitsUntil, world)], ['Next', nextAction],
  ['Orders', orderIds.join(', ')], ['Deployments', deploymentIds.join(', ')], ['Rollout', rolloutId], ['Followed by', childId],
] as const

/** After a failure the reason follows in full, so it is not told here as well. */
const certificateFacts = ({ paint, world }: Context, { state }: Action, { status, statusReason, fingerprint, notAfter }: CertificateDetail) => [
  ['Certificate', `${paintState(paint, status)}${state === 'failed' ? '' : `. ${statusReason}`}`], ['Fingerprint', fingerprint], ['Ends', dateAndDistance(notAfter, world)],
] as const

/** Done, and not everywhere: each target that was left out, with the reason. */
async function showLeftOut(context: Context, { id, rolloutId, certificateId, createdAt, endedAt }: Action): Promise<number> {
  const client = await context.client()
  const rollout = rolloutId === null ? undefined : await client.call('getRollout', { params: { id: rolloutId } })
  const { items } = await client.call('getTimeline', { params: { id: certificateId }, query: { limit: 100 } })
  const during = items.filter(({ kind, at }) => kind === 'action.target-left-out' && at >= createdAt && (endedAt === null || at <= endedAt))
  const left = [...(rollout?.targets ?? []).filter(({ state }) => state === 'left-out').map(({ title, botName, reason }) => `${title} on ${botName}: ${reason ?? 'no reason is known'}`), ...during.map(({ message }) => message)]
  if (left.length === 0) return exitCodes.done
  context.fail({ exit: exitCodes.failed, what: `${plural(left.length, 'target')} left out:\n${left.map((line) => `  - ${line}`).join('\n')}`, remedy: 'Mend what is named, then start it again. The other targets are done.', where: `certloop certificate timeline ${certificateId}; the action is ${id}` })
  return exitCodes.failed
}

async function showEnded(context: Context, ended: Action): Promise<number> {
  const certificate = await (await context.client()).call('getCertificate', { params: { id: ended.certificateId } })
  context.show(ended, (safe) => facts([...actionFacts(context, certificate.name, safe), ...certificateFacts(context, safe, clean(certificate))]))
  if (ended.state === 'done') return showLeftOut(context, ended)
  context.fail(await storedFailure(context, ended.reason ?? `"${ended.kind}" ${ended.state === 'cancelled' ? 'was cancelled' : 'failed'}.`, ended.error))
  return exitCodes.failed
}

/** Starts it. Refused for want of a configuration, it says with which command to give one. */
async function startAction(context: Context, name: string, params: { id: CertificateDetail['id']; action: ActionKind }, body: StartActionInput): Promise<Action> {
  const client = await context.client()
  try {
    return await client.call('startAction', { params, body })
  } catch (error) {
    if (context.json || !isApiProblem(error) || !['ACTION_NOT_POSSIBLE', 'CONFIGURATION_INCOMPLETE'].includes(error.code)) throw error
    const { configuration } = await client.call('getCertificate', { params: { id: params.id } })
    if (configuration?.complete) throw error
    const remedy = configuration ? `Finish it: certloop certificate configure ${name}` : `Give it one: certloop certificate configure ${name} --target-from-scan`
    throw new Failure({ ...failureOf(error), remedy })
  }
}

function actionCommand({ kind, summary, options = {}, examples = [], notes = [], question }: ActionText): Command {
  const all: OptionSpecs & typeof waitOptions = { ...options, ...waitOptions }
  return defineCommand({
    noun: 'certificate', verb: kind, summary,
    args: { certificate: { help: 'id or name' } },
    options: all,
    examples: [`certificate ${kind} www.example.com --wait`, `certificate ${kind} www.example.com --json`, ...examples],
    notes: [...notes, 'With --wait each step is shown on standard error as it happens. Exit code 0: done everywhere; 1: a target was left out, or it failed, with code, cause, remedy and where.'],
    async run(context, { args, options: given }) {
      const timeout = readTimeout(given.timeout)
      const id = await findCertificate(context, args.certificate)
      const body = await readBody(context, id, given)
      if (question !== undefined) await confirm(context, `${kind === 'revoke' ? 'Revoke' : 'Suspend'} "${args.certificate}"? ${question}`, Boolean(given['yes']))
      const started = await startAction(context, args.certificate, { id, action: kind }, body)
      if (given.wait) return showEnded(context, await followAction(context, started, timeout))
      context.show(started, (safe) => [...facts(actionFacts(context, args.certificate, safe)), `Follow it: certloop certificate timeline ${args.certificate}`])
      return exitCodes.done
    },
  })
}

/** One command for each lifecycle action. */
export const actionCommands: readonly Command[] = actions.map(actionCommand)

const certificateArgument = { certificate: { help: 'id or name' } } as const

export const certificateCancel = defineCommand({
  noun: 'certificate', verb: 'cancel', summary: 'End the action that is running: what has not begun is dropped, what a bot works on is stopped and taken back',
  args: certificateArgument, options: waitOptions,
  examples: ['certificate cancel www.example.com --wait'],
  notes: ['What was issued stays issued. Exit code 0: the action ended or is ending; with --wait 1 when it ended otherwise than cancelled.'],
  async run(context, { args, options }) {
    const timeout = readTimeout(options.timeout)
    const id = await findCertificate(context, args.certificate)
    const client = await context.client()
    const { name, lastAction } = await client.call('getCertificate', { params: { id } })
    if (lastAction === null || lastAction.endedAt !== null) {
      throw new Failure({ exit: exitCodes.failed, what: `Nothing is running on "${name}".`, ...(lastAction ? { why: `The last action, "${lastAction.kind}", is ${lastAction.state}.` } : {}), code: 'ACTION_NOT_POSSIBLE', remedy: `See what happened: certloop certificate timeline ${args.certificate}` })
    }
    const answer = await client.call('cancelAction', { params: { id: lastAction.id } })
    const ended = options.wait ? await followAction(context, answer, timeout) : answer
    context.show(ended, (safe) => facts(actionFacts(context, name, safe)))
    return options.wait && ended.state !== 'cancelled' ? exitCodes.failed : exitCodes.done
  },
})

export const certificateActions = defineCommand({
  noun: 'certificate', verb: 'actions', summary: 'What can be done with it now, and why the rest can not',
  args: certificateArgument, options: {},
  examples: ['certificate actions www.example.com', 'certificate actions www.example.com --json | jq -r ".[] | select(.possible).action"'],
  async run(context, { args }) {
    const id = await findCertificate(context, args.certificate)
    const { actions: all } = await (await context.client()).call('getCertificate', { params: { id } })
    context.show(all, (safe) => table(['ACTION', 'POSSIBLE', 'WHY NOT'], safe.map(({ action, possible, why }) => [action, possible ? 'yes' : 'no', why])))
  },
})
