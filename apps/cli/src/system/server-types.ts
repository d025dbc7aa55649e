import type { ServerType } from '@certloop/api-client'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { noneNamed } from '../find.ts'
import { facts, headed, table } from '../format/table.ts'

export const serverTypeList = defineCommand({
  noun: 'server-type', verb: 'list', summary: 'Kinds of servers that certificates can be deployed to',
  args: {}, options: {}, examples: ['server-type list', 'server-type list --json'],
  async run(context) {
    const answer = await (await context.client()).call('listServerTypes')
    context.show(answer, ({ items }) => table(['ID', 'TITLE', 'CATEGORY', 'CAN', 'SUMMARY'], items.map((s) => [s.id, s.title, s.category, s.capabilities.join(' '), s.summary])))
  },
})

interface FieldSchema {
  'type'?: string
  'default'?: unknown
  'minimum'?: number
  'maximum'?: number
  'x-values'?: Record<string, string>
  'x-field'?: { kind?: string; label?: string; help?: string; shownWhen?: { field: string; is: string | boolean | readonly string[] } }
}
interface FieldsSchema { properties?: Record<string, FieldSchema>; required?: readonly string[] }

function valueText(schema: FieldSchema): string {
  const { kind = schema.type ?? 'text' } = schema['x-field'] ?? {}
  if (schema['x-values']) return Object.keys(schema['x-values']).join(', ')
  if (kind === 'switch') return 'true, false'
  const { minimum, maximum } = schema
  return minimum === undefined || maximum === undefined ? kind : `${kind}, ${minimum} to ${maximum}`
}

/** One line of help below the row would tear the table apart, so each field has a paragraph of its own. */
function fieldLines(name: string, schema: FieldSchema, isRequired: boolean): string[] {
  const { label = name, help, kind, shownWhen } = schema['x-field'] ?? {}
  const notes = [
    isRequired && schema.default === undefined ? 'required' : null, schema.default === undefined ? null : `default ${JSON.stringify(schema.default)}`,
    shownWhen ? `only with ${shownWhen.field} ${[shownWhen.is].flat().join(' or ')}` : null, kind === 'secret' ? `given with --secret ${name}=FILE` : kind === 'lines' ? 'repeat --field for each line' : null,
  ].filter((note) => note !== null)
  const choices = Object.entries(schema['x-values'] ?? {}).map(([value, words]) => `    ${value}: ${words}`)
  return [`${name} (${[valueText(schema), ...notes].join('; ')})`, `  ${label}${help ? `. ${help}` : ''}`, ...choices]
}

function serverTypeLines({ paint }: Context, s: ServerType): string[] {
  const { properties = {}, required = [] } = s.fields as FieldsSchema
  return [
    ...facts([['Server type', paint('bold', s.id)], ['Title', s.title], ['Category', s.category], ['What', s.summary], ['Can', s.capabilities.join(', ')], ['Reached', s.reaches.join(', ')]]),
    ...headed('Fields', Object.entries(properties).flatMap(([name, schema]) => fieldLines(name, schema, required.includes(name)))),
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
