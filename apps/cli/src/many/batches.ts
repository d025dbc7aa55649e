import type { Batch, BatchInput } from '@certloop/api-client'
import { batchActions, batchItemStates, batchStates, revocationReasons } from '../choices.ts'
import { defineCommand, type Command, type OptionSpecs } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import { present } from '../configuration/words.ts'
import type { Context } from '../context.ts'
import { exitCodes, Failure, usage } from '../failure.ts'
import { isIdOf } from '../find.ts'
import { followOptions, readTimeout } from '../follow.ts'
import { paintState } from '../format/paint.ts'
import { plural, table } from '../format/table.ts'
import { moment } from '../format/time.ts'
import { nearest } from '../nearest.ts'
import { pageOptions, readPages, showPage } from '../page.ts'
import { wholeNumber } from '../parse.ts'
import { batchLines, followBatch, itemTable, readItems, showEndedBatch } from './batch-lines.ts'
import { countsText, readSelection, selectionArgument, selectionOptions } from './selection.ts'

const batchArgument = { batch: { help: 'id; "newest" for the one started last' } } as const

const limitOptions = {
  'at-a-time': { type: 'string', value: 'COUNT', help: 'so many certificates at the same time; default 50' },
  'per-authority': { type: 'string', value: 'COUNT', help: 'of these, so many at one authority; default 20' },
  'per-bot': { type: 'string', value: 'COUNT', help: 'so many on one bot; default 10' },
  'per-host': { type: 'string', value: 'COUNT', help: 'so many on one host, also one that a bot reaches over SSH; default 4' },
  'stop-after-failures': { type: 'string', value: 'COUNT', help: 'pause after so many failures; never: go on to the end' },
} as const satisfies OptionSpecs

/** @throws Failure */
export async function findBatch(context: Context, text: string): Promise<Batch['id']> {
  if (isIdOf('bat', text)) return text as Batch['id']
  if (text.toLowerCase() !== 'newest') throw usage(`A batch is named by its id or "newest", not "${text}".`, 'See what there is: certloop batch list')
  const { items: [newest] } = await (await context.client()).call('listBatches', { query: { limit: 1 } })
  if (!newest) throw new Failure({ exit: exitCodes.failed, what: 'There is no batch yet.', code: 'NOT_FOUND', remedy: 'Start one: certloop batch start --help' })
  context.note(`The newest batch: ${newest.id}, ${newest.action} of ${plural(newest.total, 'certificate')}`)
  return newest.id
}

function readAction(text: string): BatchInput['action'] {
  const action = batchActions.find((one) => one === text)
  const near = nearest(text, batchActions)
  if (action === undefined) throw usage(`A batch does one of ${batchActions.join(', ')}; not "${text}".${near ? ` Did you mean "${near}"?` : ''}`)
  return action
}

const questions: Partial<Record<BatchInput['action'], string>> = {
  revoke: 'Revoke all of them for ever? Clients will refuse them.', suspend: 'Suspend all of them? Clients will refuse them until they are resumed.', delete: 'Stop tracking all of them and forget their history? The servers are left alone.',
}

async function startBatch(context: Context, body: BatchInput, yes: boolean | undefined): Promise<Batch> {
  const question = questions[body.action]
  if (question !== undefined) await confirm(context, `${body.selection.certificateIds ? `${plural(body.selection.certificateIds.length, 'certificate')}. ` : ''}${question}`, yes)
  return (await context.client()).call('createBatch', { body })
}

const batchStart = defineCommand({
  noun: 'batch', verb: 'start', summary: 'Do one thing with many certificates',
  args: { action: { help: batchActions.join(', ') }, ...selectionArgument },
  options: { ...selectionOptions, ...limitOptions, reason: { type: 'string', value: 'REASON', choices: revocationReasons, help: 'with revoke: why (RFC 5280)' }, ...yesOption, ...followOptions },
  examples: [
    'batch start rotate --search example.com --follow', 'batch start renew --status expiring --at-a-time 20 --per-host 1 --stop-after-failures 5 --follow',
    'certificate list --search shop --json | jq -r ".items[].id" | certloop batch start rekey --list - --follow', 'batch start revoke old1.example.com old2.example.com --reason superseded --yes',
  ],
  notes: [
    'Which certificates a search means is settled when it starts. One that fails never holds up the others; one with which the action is not possible is refused, and why is said with it.',
    'With --follow: exit code 0 when every certificate is done; 1 when one failed, was refused or cancelled, or the batch paused.',
  ],
  async run(context, { args, options: o }) {
    const timeout = readTimeout(o.timeout)
    const action = readAction(args.action)
    if (o.reason !== undefined && action !== 'revoke') throw usage('--reason goes with revoke.')
    const most = (option: keyof typeof limitOptions) => wholeNumber(option, o[option], 1, 1000)
    const limits = present({ total: most('at-a-time'), perAuthority: most('per-authority'), perBot: most('per-bot'), perHost: most('per-host') })
    const stopAfterFailures = o['stop-after-failures'] === 'never' ? null : wholeNumber('stop-after-failures', o['stop-after-failures'], 1, 10_000)
    const selection = await readSelection(context, args.certificate, o)
    const begun = await startBatch(context, { action, selection, ...(Object.keys(limits).length > 0 ? { limits } : {}), ...present({ stopAfterFailures, reason: o.reason }) }, o.yes)
    return showOrFollow(context, begun, o.follow, timeout)
  },
})

async function showOrFollow(context: Context, batch: Batch, follow: boolean | undefined, timeout: number | undefined, asked?: Batch['state']): Promise<number> {
  if (follow) return showEndedBatch(context, await followBatch(context, batch.id, timeout), asked)
  context.show(batch, (safe) => [...batchLines(context, safe), ...(batch.endedAt === null ? [`Follow it: certloop batch show ${batch.id} --follow`] : [])])
  return exitCodes.done
}

const batchList = defineCommand({
  noun: 'batch', verb: 'list', summary: 'Batches, newest first',
  args: {}, options: { state: { type: 'string', value: 'STATE', choices: batchStates, help: 'only in this state' }, ...pageOptions },
  examples: ['batch list', 'batch list --state paused'],
  async run(context, { options: { state, ...paging } }) {
    const client = await context.client()
    const page = await readPages(paging, (query) => client.call('listBatches', { query: { ...query, state } }))
    showPage(context, page, 'There are no such batches.', (items) => table(
      ['ACTION', 'STATE', 'CERTIFICATES', 'WHEN', 'BY', 'ID'],
      items.map((b) => [b.action, paintState(context.paint, b.state), `${b.total}: ${countsText(b.counts)}`, moment(b.createdAt, context.world), b.requester, b.id]),
    ))
  },
})

const batchShow = defineCommand({
  noun: 'batch', verb: 'show', summary: 'One batch with the outcome for each certificate',
  args: batchArgument, options: { state: { type: 'string', value: 'STATE', choices: batchItemStates, help: 'only certificates in this state' }, ...pageOptions, ...followOptions },
  examples: ['batch show newest --follow', 'batch show bat_01j… --state failed --all', 'batch show bat_01j… --all --json'],
  notes: ['With --json: the batch, and its certificates as "items". With --follow: exit code 1 when not every certificate is done.'],
  async run(context, { args, options: { state, follow, timeout, ...paging } }) {
    const seconds = readTimeout(timeout)
    const id = await findBatch(context, args.batch)
    if (follow) return showEndedBatch(context, await followBatch(context, id, seconds))
    const batch = await (await context.client()).call('getBatch', { params: { id } })
    const { items, nextCursor } = await readItems(context, id, paging, state)
    context.show({ batch, items, nextCursor }, (safe) => [...batchLines(context, safe.batch), '', ...(safe.items.length === 0 ? ['No certificate is in this state.'] : itemTable(context, safe.items))])
    if (nextCursor !== null) context.note(`There are more: add --all, or go on with --cursor ${nextCursor}`)
    return exitCodes.done
  },
})

interface Change { verb: 'pause' | 'resume' | 'cancel' | 'retry'; summary: string; notes: readonly string[]; question?: string; /** The state it is to get into. */ asked?: Batch['state'] }
const changes: readonly Change[] = [
  { verb: 'pause', summary: 'Start nothing further; what is under way ends', asked: 'paused', notes: ['With --follow it waits until nothing is under way.'] },
  { verb: 'resume', summary: 'Go on with a paused batch', notes: [] },
  { verb: 'cancel', summary: 'End it: what was not begun is left alone, what is under way ends', asked: 'cancelled', notes: [], question: 'End the batch? What was not begun is left alone, what is under way ends.' },
  { verb: 'retry', summary: 'Start again what failed or was refused', notes: ['With --follow: exit code 0 when every certificate of the batch is done in the end.'] },
]

function changeCommand({ verb, summary, notes, question, asked }: Change): Command {
  const options = { ...(question === undefined ? {} : yesOption), ...followOptions }
  return defineCommand({
    noun: 'batch', verb, summary, notes, args: batchArgument, options,
    examples: [`batch ${verb} newest`, `batch ${verb} bat_01j… --follow`],
    async run(context, { args, options: given }) {
      const { yes, follow, timeout } = given as { yes?: boolean; follow?: boolean; timeout?: string }
      const seconds = readTimeout(timeout)
      const id = await findBatch(context, args.batch)
      if (question !== undefined) await confirm(context, question, yes)
      return showOrFollow(context, await (await context.client()).call(`${verb}Batch`, { params: { id } }), follow, seconds, asked)
    },
  })
}

export const batchCommands: readonly Command[] = [batchStart, batchList, batchShow, ...changes.map(changeCommand)]
