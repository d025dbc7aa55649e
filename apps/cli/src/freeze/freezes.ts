import type { Freeze, FreezeInput } from '@certloop/api-client'
import { defineCommand, type OptionSpecs } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import { endedPeriods } from '../configuration/schedule-options.ts'
import { dayAndTimeText, readDayAndTime } from '../configuration/words.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { findNamed, noneNamed } from '../find.ts'
import { facts, table } from '../format/table.ts'

const freezeArgument = { freeze: { help: 'id or name' } } as const
const periodOptions = {
  from: { type: 'string', value: 'TIME', help: 'day and time it begins, e.g. "2026-12-20 18:00"; a day alone means its first minute' },
  to: { type: 'string', value: 'TIME', help: 'day and time it ends; from then on work goes on' },
  reason: { type: 'string', value: 'TEXT', help: 'why, for those who wonder later' },
  zone: { type: 'string', value: 'ZONE', help: 'time zone of both; default that of this machine' },
} as const satisfies OptionSpecs

const freezeLines = ({ paint }: Context, f: Freeze): string[] => facts([
  ['Freeze period', paint('bold', f.name)], ['Id', f.id], ['From', `${dayAndTimeText(f.from)} ${f.zone}`], ['To', `${dayAndTimeText(f.to)} ${f.zone}`], ['Reason', f.reason], ['Now', f.isNow ? paint('yellow', 'it holds') : null],
])
const show = (context: Context, freeze: Freeze) => context.show(freeze, (safe) => freezeLines(context, safe))

async function readFreeze(context: Context, text: string): Promise<Freeze> {
  const { items } = await (await context.client()).call('listFreezes')
  const id = await findNamed<Freeze>('frz', 'freeze period', 'certloop freeze list', text, async () => ({ items }), ({ name, from }) => `${name}  from ${dayAndTimeText(from)}`)
  const found = items.find((one) => one.id === id)
  if (!found) throw noneNamed('freeze period', 'certloop freeze list', text, items)
  return found
}

export const freezeList = defineCommand({
  noun: 'freeze', verb: 'list', summary: 'Times in which nothing is deployed by itself, anywhere',
  args: {}, options: {}, examples: ['freeze list', 'freeze list --json'],
  async run(context) {
    const answer = await (await context.client()).call('listFreezes')
    context.show(answer, ({ items }) => (items.length === 0 ? ['There is no freeze period.'] : table(
      ['NAME', 'FROM', 'TO', 'ZONE', 'NOW', 'REASON', 'ID'],
      items.map((f) => [f.name, dayAndTimeText(f.from), dayAndTimeText(f.to), f.zone, f.isNow ? context.paint('yellow', 'holds') : null, f.reason, f.id]),
    )))
  },
})

export const freezeAdd = defineCommand({
  noun: 'freeze', verb: 'add', summary: 'Let nothing be deployed by itself for a time, anywhere',
  args: { name: { help: 'what to call it' } }, options: periodOptions,
  examples: ['freeze add "End of the year" --from 2026-12-20 --to 2027-01-04 --reason "No changes in the shop" --zone Europe/Berlin', 'freeze add move --from "2027-02-12 18:00" --to "2027-02-15 06:00"'],
  notes: [
    'Renewals are still ordered; what is issued waits for the end. What a person starts by hand is not held up. A certificate whose configuration says "deploy before expiry" is deployed in time all the same, and its timeline says so.',
    'For one certificate alone: certloop certificate configure CERTIFICATE --freeze PERIOD.',
  ],
  async run(context, { args, options: { from, to, reason = '', zone = context.world.zone } }) {
    if (from === undefined || to === undefined) throw usage('Say when it begins and ends: --from and --to.', 'certloop freeze add --help')
    const body: FreezeInput = { name: args.name, from: readDayAndTime('from', from), to: readDayAndTime('to', to), reason, zone }
    if (endedPeriods([body], zone, context.world.now()).length > 0) throw usage(`That period has passed: it ended on ${dayAndTimeText(body.to)} ${zone}.`, 'Check the year.')
    show(context, await (await context.client()).call('createFreeze', { body }))
  },
})

export const freezeChange = defineCommand({
  noun: 'freeze', verb: 'change', summary: 'Change a freeze period; what is not given stays',
  args: freezeArgument, options: { name: { type: 'string', value: 'TEXT', help: 'a new name' }, ...periodOptions, zone: { ...periodOptions.zone, help: 'time zone of both' } },
  examples: ['freeze change "End of the year" --to "2027-01-06 08:00"'],
  async run(context, { args, options: given }) {
    const { id, name, from, to, reason, zone } = await readFreeze(context, args.freeze)
    const body: FreezeInput = {
      name: given.name ?? name, from: given.from === undefined ? from : readDayAndTime('from', given.from), to: given.to === undefined ? to : readDayAndTime('to', given.to), reason: given.reason ?? reason, zone: given.zone ?? zone,
    }
    show(context, await (await context.client()).call('updateFreeze', { params: { id }, body }))
    if (endedPeriods([body], body.zone, context.world.now()).length > 0) context.warn('This period has passed: it holds nothing up.')
  },
})

export const freezeDelete = defineCommand({
  noun: 'freeze', verb: 'delete', summary: 'Delete a freeze period; what waited for its end goes on',
  args: freezeArgument, options: yesOption, examples: ['freeze delete "End of the year" --yes'],
  async run(context, { args, options }) {
    const { id, name, isNow } = await readFreeze(context, args.freeze)
    await confirm(context, `Delete the freeze period "${name}"?${isNow ? ' It holds now: what waits for its end goes on at once.' : ''}`, options.yes)
    await (await context.client()).call('deleteFreeze', { params: { id } })
    context.show(null, () => [`The freeze period "${name}" is deleted${isNow ? '; what waited for its end goes on' : ''}.`])
  },
})
