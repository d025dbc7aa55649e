import type { BulkChange, BulkItem, DeploymentTiming, RolloutSettings, ValidationSettings } from '@certloop/api-client'
import { bulkItemStates } from '../choices.ts'
import { defineCommand, type Command } from '../command.ts'
import { rolloutText, timingText, validationText } from '../configuration/lines.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { exitCodes, Failure, usage } from '../failure.ts'
import { isIdOf } from '../find.ts'
import { follow, followOptions, readTimeout } from '../follow.ts'
import { paintState } from '../format/paint.ts'
import { facts, headed, plural, table } from '../format/table.ts'
import { moment, timeOfDay } from '../format/time.ts'
import { pageOptions, readPages, showPage } from '../page.ts'
import { partOptions, readParts } from './bulk-parts.ts'
import { countsText, readSelection, selectionArgument, selectionOptions } from './selection.ts'

const bulkArgument = { change: { help: 'id; "newest" for the one made last' } } as const

async function findBulk(context: Context, text: string): Promise<BulkChange['id']> {
  if (isIdOf('blk', text)) return text as BulkChange['id']
  if (text.toLowerCase() !== 'newest') throw usage(`A bulk change is named by its id or "newest", not "${text}".`, 'See what there is: certloop bulk list')
  const { items: [newest] } = await (await context.client()).call('listBulkChanges', { query: { limit: 1 } })
  if (!newest) throw new Failure({ exit: exitCodes.failed, what: 'There is no bulk change yet.', code: 'NOT_FOUND', remedy: 'Begin with a preview: certloop bulk preview --help' })
  context.note(`The newest bulk change: ${newest.id}, ${plural(newest.total, 'certificate')}`)
  return newest.id
}

/** "renewal.daysBefore 20, rollback false": what is to be the same everywhere. */
function partsText(parts: BulkChange['parts']): string {
  const { csr = {}, renewal = {}, ...whole } = parts
  const entries = [...Object.entries(whole), ...Object.entries(csr).map(([name, value]) => [`csr.${name}`, value] as const), ...Object.entries(renewal).map(([name, value]) => [`renewal.${name}`, value] as const)]
  return entries.map(([field, value]) => `${field}: ${valueText(field, value)}`).join('; ')
}

/** Settings that have many parts are told in words, all else as it is. */
function valueText(field: string, value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (field === 'deployment') return timingText(value as DeploymentTiming)
  if (field === 'rollout') return rolloutText(value as RolloutSettings)
  if (field === 'validation') return validationText(value as ValidationSettings)
  if (typeof value === 'string') return value || '""'
  const parts = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value).map(([name, part]) => `${name}=${String(part)}`) : [JSON.stringify(value)]
  return parts.join(', ') || 'nothing'
}

const bulkFacts = ({ paint, world }: Context, b: BulkChange): string[] => facts([
  ['Bulk change', b.id], ['State', paintState(paint, b.state)], ['Sets', partsText(b.parts)], ['Certificates', `${b.total}: ${countsText(b.counts)}`], ['By', b.requester], ['Made', moment(b.createdAt, world)], ['Ended', moment(b.endedAt, world)],
])

/** So many names of a group are told; the rest is in --json. */
const mostNames = 20

/** Certificates for which the same changes from the same to the same are told once. */
function groupLines({ paint }: Context, items: readonly BulkItem[]): string[] {
  const groups = Map.groupBy(items, ({ state, changes }) => JSON.stringify([state, changes]))
  return [...groups.values()].flatMap((group) => {
    const [{ state, changes } = { state: 'unchanged' as const, changes: [] }] = group
    const names = group.slice(0, mostNames).map(({ certificateName }) => certificateName).join(', ')
    const rest = group.length > mostNames ? `, and ${group.length - mostNames} more (--json names all)` : ''
    const title = `${plural(group.length, 'certificate')} ${paintState(paint, state)}: ${names}${rest}`
    return changes.length === 0 ? ['', title] : headed(title, table(['FIELD', 'BEFORE', 'AFTER'], changes.map(({ field, before, after }) => [field, valueText(field, before), valueText(field, after)])))
  })
}
const errorTexts = (items: readonly BulkItem[]) => items.flatMap(({ certificateName, error }) => (error ? [`${certificateName}: ${error.message} (${error.code})`] : []))

interface Shown { change: BulkChange; items: BulkItem[]; nextCursor: string | null }

function shownLines(context: Context, { change, items }: Shown): string[] {
  const changed = items.filter(({ changes, error }) => changes.length > 0 || error === null)
  return [...bulkFacts(context, change), ...groupLines(context, changed), ...headed('What does not fit', errorTexts(items))]
}

async function showBulk(context: Context, change: BulkChange, paging: Parameters<typeof readPages>[0], state?: BulkItem['state']): Promise<void> {
  const client = await context.client()
  const { items, nextCursor } = await readPages(paging, (query) => client.call('listBulkItems', { params: { id: change.id }, query: { ...query, state } }))
  context.show({ change, items, nextCursor }, (safe) => shownLines(context, safe))
  if (nextCursor !== null) context.note(`There are more: certloop bulk show ${change.id} --all, or go on with --cursor ${nextCursor}`)
}

const firstPage = { limit: undefined, all: undefined, cursor: undefined } as const
const isAtWork = ({ state }: BulkChange) => ['previewing', 'applying', 'undoing'].includes(state)

async function followBulk(context: Context, id: BulkChange['id'], timeoutSeconds: number | undefined): Promise<BulkChange> {
  const client = await context.client()
  return follow(context, {
    look: async () => {
      const value = await client.call('getBulkChange', { params: { id } })
      return { value, lines: [], standing: `${timeOfDay(context.world.now().toISOString(), context.world)}  ${value.state}: ${countsText(value.counts)}`, ended: !isAtWork(value) }
    },
    concerns: (notice) => notice.id === id, timeoutSeconds, later: `certloop bulk show ${id}`,
  })
}

const bulkPreview = defineCommand({
  noun: 'bulk', verb: 'preview', summary: 'Show what settings would change on many certificates; nothing is changed yet',
  args: selectionArgument, options: { ...selectionOptions, ...partOptions, ...pageOptions, timeout: { ...followOptions.timeout, help: 'give up waiting for the preview after this long' } },
  examples: [
    'bulk preview --search example.com --renew-days 20 --deploy "weekly sat 02:00 +4h" --zone Europe/Berlin', 'bulk preview --status expiring --authority "Built-in CA" --key ec-256 --json',
    'bulk preview www.example.com shop.example.com --template servers --complete', 'certificate list --search shop --json | jq -r ".items[].id" | certloop bulk preview --list - --approval manual',
  ],
  notes: [
    'What is not given stays as it is with each certificate. Set as a whole are: the subject, the time of deployment with its freeze periods, the rollout, and the validation.',
    'Then: certloop bulk apply newest, or certloop bulk discard newest. Exit code 1: at least one certificate can not take the change; the others can.',
  ],
  async run(context, { args, options: { limit, all, cursor, ...o } }) {
    const timeout = readTimeout(o.timeout)
    const parts = await readParts(context, o)
    const selection = await readSelection(context, args.certificate, o)
    const begun = await (await context.client()).call('createBulkChange', { body: { selection, parts } })
    const change = await followBulk(context, begun.id, timeout)
    await showBulk(context, change, { limit, all, cursor })
    context.note(change.counts.ready > 0 ? `Nothing is changed yet. To change ${plural(change.counts.ready, 'certificate')}: certloop bulk apply ${change.id}` : 'There is nothing to change.')
    return change.counts.conflict > 0 ? exitCodes.failed : exitCodes.done
  },
})

const bulkList = defineCommand({
  noun: 'bulk', verb: 'list', summary: 'Changes of many configurations, newest first',
  args: {}, options: pageOptions, examples: ['bulk list'],
  async run(context, { options }) {
    const client = await context.client()
    const page = await readPages(options, (query) => client.call('listBulkChanges', { query }))
    showPage(context, page, 'There is no bulk change yet.', (items) => table(
      ['STATE', 'CERTIFICATES', 'SETS', 'WHEN', 'BY', 'ID'],
      items.map((b) => [paintState(context.paint, b.state), `${b.total}: ${countsText(b.counts)}`, partsText(b.parts), moment(b.createdAt, context.world), b.requester, b.id]),
    ))
  },
})

const bulkShow = defineCommand({
  noun: 'bulk', verb: 'show', summary: 'One change of many configurations, with each certificate',
  args: bulkArgument, options: { state: { type: 'string', value: 'STATE', choices: bulkItemStates, help: 'only certificates in this state' }, ...pageOptions, ...followOptions },
  examples: ['bulk show newest', 'bulk show blk_01j… --state conflict --all', 'bulk show newest --all --json'],
  notes: ['With --json: the change, and its certificates as "items".'],
  async run(context, { args, options: { state, follow: wanted, timeout, ...paging } }) {
    const seconds = readTimeout(timeout)
    const id = await findBulk(context, args.change)
    const change = wanted ? await followBulk(context, id, seconds) : await (await context.client()).call('getBulkChange', { params: { id } })
    await showBulk(context, change, paging, state)
  },
})

/** What was meant to be changed and was not. */
const leftOut = ({ counts }: BulkChange) => counts.failed + counts['changed-since']

interface Change { verb: 'apply' | 'undo'; summary: string; question: (change: BulkChange) => string; notes: readonly string[] }
const changes: readonly Change[] = [
  {
    verb: 'apply', summary: 'Make the change that was previewed; certificates that can not take it are left alone', question: ({ counts }) => `Change the configuration of ${plural(counts.ready, 'certificate')}?`,
    notes: ['A certificate that somebody changed since the preview is left alone. To take it back as a whole: certloop bulk undo.'],
  },
  {
    verb: 'undo', summary: 'Give every certificate its earlier configuration back', question: ({ counts }) => `Give ${plural(counts.applied, 'certificate')} the earlier configuration back?`,
    notes: ['A certificate that somebody changed since is left alone.'],
  },
]

function changeCommand({ verb, summary, question, notes }: Change): Command {
  return defineCommand({
    noun: 'bulk', verb, summary, args: bulkArgument, options: { ...yesOption, ...followOptions },
    examples: [`bulk ${verb} newest --follow`, `bulk ${verb} blk_01j… --yes --json`],
    notes: [...notes, 'With --follow: exit code 1 when a certificate was left alone or failed.'],
    async run(context, { args, options }) {
      const timeout = readTimeout(options.timeout)
      const id = await findBulk(context, args.change)
      const client = await context.client()
      await confirm(context, question(await client.call('getBulkChange', { params: { id } })), options.yes)
      const begun = await client.call(`${verb}BulkChange`, { params: { id } })
      if (!options.follow) {
        context.show(begun, (safe) => [...bulkFacts(context, safe), `Follow it: certloop bulk show ${id} --follow`])
        return exitCodes.done
      }
      const ended = await followBulk(context, id, timeout)
      await showBulk(context, ended, firstPage)
      if (leftOut(ended) === 0) return exitCodes.done
      context.fail({ exit: exitCodes.failed, what: `${plural(leftOut(ended), 'certificate')} of ${ended.total} kept the configuration they had.`, remedy: `See which and why: certloop bulk show ${id} --all` })
      return exitCodes.failed
    },
  })
}

const bulkDiscard = defineCommand({
  noun: 'bulk', verb: 'discard', summary: 'Drop a preview; nothing was changed',
  args: bulkArgument, options: {}, examples: ['bulk discard newest'],
  async run(context, { args }) {
    const id = await findBulk(context, args.change)
    context.show(await (await context.client()).call('discardBulkChange', { params: { id } }), (safe) => bulkFacts(context, safe))
  },
})

export const bulkCommands: readonly Command[] = [bulkPreview, bulkList, bulkShow, ...changes.map(changeCommand), bulkDiscard]
