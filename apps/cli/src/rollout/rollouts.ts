import type { Rollout } from '@certloop/api-client'
import { errorLines } from '../certificate/follow-action.ts'
import { rolloutStates } from '../choices.ts'
import { defineCommand, type Command } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../failure.ts'
import { findCertificate, findRollout } from '../find.ts'
import { follow, readTimeout, waitOptions } from '../follow.ts'
import { paintState } from '../format/paint.ts'
import { facts, fittedTable, headed, plural, table } from '../format/table.ts'
import { moment, momentInZone, timeOfDay } from '../format/time.ts'
import { pageOptions, readPages, showPage } from '../page.ts'

const argument = (which: string) => ({ rollout: { help: `id; a certificate's name for ${which}; or "newest" for the one started last` } }) as const
const progress = ({ state, wave, waveCount }: Rollout) => (['done', 'undone'].includes(state) || waveCount < 2 ? '' : `, wave ${Math.min(wave + 1, waveCount)} of ${waveCount}`)
const count = ({ targets }: Rollout, state: Rollout['targets'][number]['state']) => targets.filter((target) => target.state === state).length

const rolloutList = defineCommand({
  noun: 'rollout', verb: 'list', summary: 'Rollouts of one version to several targets, newest first',
  args: {},
  options: {
    state: { type: 'string', value: 'STATE', choices: rolloutStates, help: 'only in this state' },
    certificate: { type: 'string', value: 'NAME', help: 'only of this certificate' },
    ...pageOptions,
  },
  examples: ['rollout list', 'rollout list --state approval', 'rollout list --certificate www.example.com --json'],
  async run(context, { options: { state, certificate, ...paging } }) {
    const client = await context.client()
    const certificateId = certificate === undefined ? undefined : await findCertificate(context, certificate)
    const page = await readPages(paging, (query) => client.call('listRollouts', { query: { ...query, state, certificateId } }))
    showPage(context, page, 'There are no such rollouts.', (items) => table(
      ['CERTIFICATE', 'STATE', 'DEPLOYED', 'FAILED', 'WHEN', 'BY', 'ID'],
      items.map((r) => [r.certificateName, `${paintState(context.paint, r.state)}${progress(r)}`, `${count(r, 'deployed')} of ${r.targets.length}`, r.failures, moment(r.createdAt, context.world), r.requester, r.id]),
    ))
  },
})

function waveLines({ paint, world }: Context, r: Rollout): string[] {
  const undone = r.targets.some(({ undoId }) => undoId !== null)
  const waves = [...Map.groupBy(r.targets, ({ wave }) => wave)].toSorted(([a], [b]) => a - b)
  return waves.flatMap(([wave, targets]) => headed(`Wave ${wave + 1} of ${Math.max(r.waveCount, wave + 1)}`, fittedTable(
    ['TARGET', 'BOT', 'STATE', 'LABELS', 'WHAT', 'DEPLOYMENT', ...(undone ? ['UNDONE BY'] : [])],
    targets.map((t) => [t.title, t.botName, paintState(paint, t.state), t.labels.join(', '), t.error ? `${t.error.message} (${t.error.code})` : t.reason, t.deploymentId, ...(undone ? [t.undoId] : [])]), 4, world.columns,
  )))
}

function rolloutLines(context: Context, r: Rollout): string[] {
  const { paint, world } = context
  return [
    ...facts([
      ['Rollout', r.id], ['Certificate', r.certificateName], ['State', `${paintState(paint, r.state)}${progress(r)}`], ['Why', r.reason], ['Next', r.nextAction], ['Deadline', momentInZone(r.deadline, world)],
      ['Failed', r.failures > 0 ? plural(r.failures, 'target') : null], ['Possible', r.can.join(', ')], ['By', r.requester], ['Action', r.actionId], ['Began', moment(r.createdAt, world)], ['Ended', moment(r.endedAt, world)],
    ]),
    ...waveLines(context, r),
  ]
}

/** Each target as it changes, and each word on the whole. */
function newsOf({ world }: Context, r: Rollout): { key: string; text: string }[] {
  const at = timeOfDay(world.now().toISOString(), world)
  const moved = r.targets.filter(({ state }) => state !== 'waiting')
  return [
    ...moved.map(({ targetId, title, botName, state, wave, error }) => ({ key: `${targetId} ${state}`, text: `${at}    wave ${wave + 1}: ${title} on ${botName}: ${state}${error ? `, ${error.message} (${error.code})` : ''}` })),
    { key: `${r.state} ${r.wave} ${r.reason}`, text: `${at}  ${r.reason}` },
  ]
}

async function followRollout(context: Context, id: Rollout['id'], timeoutSeconds: number | undefined): Promise<Rollout> {
  const client = await context.client()
  return follow(context, {
    look: async () => {
      const value = await client.call('getRollout', { params: { id } })
      return { value, lines: newsOf(context, value), ended: value.endedAt !== null }
    },
    concerns: (notice) => notice.id === id, timeoutSeconds, later: `certloop rollout show ${id}`,
  })
}

/** 0 when it ended as was wanted. Where it stopped, the first error says why. */
async function showEnded(context: Context, ended: Rollout, good: Rollout['state']): Promise<number> {
  const error = ended.targets.find((target) => target.error !== null)?.error ?? null
  const failure = ended.state === good ? [] : await errorLines(context, { error })
  context.show(ended, (safe) => [...rolloutLines(context, safe), ...failure])
  if (ended.state === good) return exitCodes.done
  context.fail({ exit: exitCodes.failed, what: `The rollout is ${ended.state}. ${ended.reason}`, ...(ended.nextAction ? { remedy: ended.nextAction } : {}), where: `certloop rollout show ${ended.id}` })
  return exitCodes.failed
}

const rolloutShow = defineCommand({
  noun: 'rollout', verb: 'show', summary: 'One rollout, its targets by wave',
  args: argument('its newest'), options: waitOptions,
  examples: ['rollout show www.example.com', 'rollout show rol_01j… --wait'],
  async run(context, { args, options }) {
    const timeout = readTimeout(options.timeout)
    const id = await findRollout(context, args.rollout)
    if (options.wait) return showEnded(context, await followRollout(context, id, timeout), 'done')
    context.show(await (await context.client()).call('getRollout', { params: { id } }), (safe) => rolloutLines(context, safe))
    return exitCodes.done
  },
})

interface Change { verb: Rollout['can'][number]; summary: string; which: string; notes: readonly string[]; /** Asked before. */ question?: string; /** What --wait waits for; without it there is nothing to wait for. */ good?: Rollout['state'] }
const changes: readonly Change[] = [
  { verb: 'pause', summary: 'Begin no further wave', which: 'the one under way', notes: ['What a bot works on ends; the targets of later waves keep their present certificate.'] },
  { verb: 'resume', summary: 'Go on with a paused rollout, or past the approval after its first wave', which: 'the one that is paused or waits for approval', good: 'done', notes: ['Exit code 0: it goes on; with --wait 1 when it did not reach every target.'] },
  { verb: 'stop', summary: 'End it where it is', which: 'the one under way', question: 'End it here? What was deployed stays; the other targets keep their present certificate.', notes: ['What was deployed stays. To take it back: certloop rollout undo.'] },
  { verb: 'undo', summary: 'Take back everything that it has deployed', which: 'the one that can be undone', question: 'Take back all that it has deployed?', good: 'undone', notes: ['Each target gets back what it had before, with proof. Exit code 0: it has begun; with --wait 1 when a target could not be taken back.'] },
]

function changeCommand({ verb, summary, which, notes, question, good }: Change): Command {
  const options = { ...(question === undefined ? {} : yesOption), ...(good === undefined ? {} : waitOptions) }
  return defineCommand({
    noun: 'rollout', verb, summary, notes, args: argument(which), options,
    examples: [`rollout ${verb} www.example.com`, ...(good === undefined ? [] : [`rollout ${verb} rol_01j… --wait`])],
    async run(context, { args, options: given }) {
      const { yes, wait, timeout } = given as { yes?: boolean; wait?: boolean; timeout?: string }
      const seconds = readTimeout(timeout)
      const id = await findRollout(context, args.rollout, verb)
      if (question !== undefined) await confirm(context, question, yes)
      const after = await (await context.client()).call(`${verb}Rollout`, { params: { id } })
      if (wait && good !== undefined) return showEnded(context, await followRollout(context, id, seconds), good)
      context.show(after, (safe) => rolloutLines(context, safe))
      return exitCodes.done
    },
  })
}

export const rolloutCommands: readonly Command[] = [rolloutList, rolloutShow, ...changes.map(changeCommand)]
