import type { ServerType } from '@certloop/api-client'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { noneNamed } from '../find.ts'
import { facts, headed, table } from '../format/table.ts'
import { typedLines } from '../typed/typed-lines.ts'

export const serverTypeList = defineCommand({
  noun: 'server-type', verb: 'list', summary: 'Kinds of servers that certificates can be deployed to',
  args: {}, options: {}, examples: ['server-type list', 'server-type list --json'],
  async run(context) {
    const answer = await (await context.client()).call('listServerTypes')
    context.show(answer, ({ items }) => table(['ID', 'TITLE', 'CATEGORY', 'CAN', 'SUMMARY'], items.map((s) => [s.id, s.title, s.category, s.capabilities.join(' '), s.summary])))
  },
})

function serverTypeLines({ paint }: Context, s: ServerType): string[] {
  return [
    ...facts([['Server type', paint('bold', s.id)], ['Title', s.title], ['Category', s.category], ['What', s.summary], ['Can', s.capabilities.join(', ')], ['Reached', s.reaches.join(', ')]]),
    ...headed('Fields', typedLines(s.fields)),
  ]
}

export const serverTypeShow = defineCommand({
  noun: 'server-type', verb: 'show', summary: 'One kind of server with the fields of its targets',
  args: { type: { help: 'id, as "server-type list" prints it' } }, options: {},
  examples: ['server-type show nginx', 'server-type show files --json | jq .fields.properties'],
  notes: ['The fields are given with --field and --secret: certloop target set --help.'],
  async run(context, { args }) {
    const { items } = await (await context.client()).call('listServerTypes')
    const wanted = args.type.toLowerCase()
    const found = items.find(({ id, title }) => id.toLowerCase() === wanted || title.toLowerCase() === wanted)
    if (!found) throw noneNamed('server type', 'certloop server-type list', args.type, items.map(({ id }) => ({ name: id })))
    context.show(found, (safe) => serverTypeLines(context, safe))
  },
})
