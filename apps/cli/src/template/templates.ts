import type { CsrTemplate, CsrTemplateRules, ResponseOf } from '@certloop/api-client'
import { defineCommand } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import { findTemplate } from '../configuration/csr-options.ts'
import type { Context } from '../context.ts'
import { exitCodes, Failure } from '../failure.ts'
import { type Cell, facts, headed, plural, table } from '../format/table.ts'
import { moment, momentInZone } from '../format/time.ts'
import { wholeNumber } from '../parse.ts'
import { meantTemplate, templateOptions } from './template-options.ts'

const templateArgument = { template: { help: 'id or name' } } as const
const listed = (texts: readonly string[], none: string) => texts.join(', ') || none

function namesText({ required, most, allowed, wildcards, addresses }: CsrTemplateRules['names']): string {
  return [`${required} to ${most}`, allowed.length > 0 ? `of ${allowed.join(', ')}` : 'of any domain', wildcards ? 'with wildcards' : 'no wildcards', addresses ? 'with IP addresses' : 'no IP addresses'].join('; ')
}

function keyText({ keyAlgorithm, allowedKeyAlgorithms }: CsrTemplateRules): string {
  const others = allowedKeyAlgorithms.filter((kind) => kind !== keyAlgorithm).join(', ')
  if (keyAlgorithm === null) return others === '' ? 'as the configuration says' : `one of ${others}`
  return others === '' ? keyAlgorithm : `${keyAlgorithm}, or ${others}`
}

const ruleFacts = (r: CsrTemplateRules): (readonly [string, Cell])[] => [
  ['Key', keyText(r)],
  ['Key at renewal', r.keyReuse === 'never' ? 'always new' : 'may be kept'], ['Subject', Object.entries(r.subject).map(([part, value]) => `${part}=${value}`).join(', ')], ['Subject needs', r.requiredSubject.join(', ')],
  ['Names', namesText(r.names)], ['Common name', r.names.commonName], ['Key usage', listed(r.keyUsages, 'none asked for')], ['Extended', listed(r.extendedKeyUsages, 'none asked for')],
  ['Must staple', r.mustStaple ? 'yes' : null], ['Lifetime', r.longestValidityDays === null ? null : `at most ${plural(r.longestValidityDays, 'day')}`],
]

const templateFacts = ({ paint, world }: Context, t: CsrTemplate): (readonly [string, Cell])[] => [
  ['CSR template', paint('bold', t.name)], ['Id', t.id], ['For', t.description], ['Version', t.version], ['Changed', momentInZone(t.updatedAt, world)], ['Used by', plural(t.usedBy, 'configuration')],
]
const show = (context: Context, template: CsrTemplate) => context.show(template, (safe) => facts([...templateFacts(context, safe), ...ruleFacts(safe.rules)]))

async function readTemplate(context: Context, text: string): Promise<ResponseOf<'getCsrTemplate'>> {
  const id = await findTemplate(context, text)
  return (await context.client()).call('getCsrTemplate', { params: { id } })
}

export const templateList = defineCommand({
  noun: 'template', verb: 'list', summary: 'CSR templates: what requests have to look like',
  args: {}, options: {}, examples: ['template list', 'template list --json'],
  async run(context) {
    const answer = await (await context.client()).call('listCsrTemplates')
    context.show(answer, ({ items }) => (items.length === 0 ? ['There is no CSR template yet. Make one: certloop template create NAME'] : table(
      ['NAME', 'VERSION', 'KEY', 'NAMES', 'USED BY', 'CHANGED', 'FOR', 'ID'],
      items.map((t) => [t.name, t.version, t.rules.keyAlgorithm ?? 'any', t.rules.names.allowed.join(' ') || 'any', t.usedBy, moment(t.updatedAt, context.world), t.description, t.id]),
    )))
  },
})

export const templateShow = defineCommand({
  noun: 'template', verb: 'show', summary: 'One CSR template with its versions; with --json as "create" and "update" take it',
  args: templateArgument, options: { version: { type: 'string', value: 'NUMBER', help: 'the rules of this version; default the newest' } },
  examples: ['template show servers', 'template show servers --version 1', 'template show servers --json > servers.json'],
  async run(context, { args, options }) {
    const wanted = wholeNumber('version', options.version, 1, 1_000_000)
    const answer = await readTemplate(context, args.template)
    const version = answer.versions.find((one) => one.version === wanted)
    if (wanted !== undefined && !version) throw new Failure({ exit: exitCodes.failed, what: `"${answer.template.name}" has no version ${wanted}; the newest is ${answer.template.version}.`, code: 'NOT_FOUND', remedy: `See them: certloop template show ${args.template}` })
    const shown = version ? { ...answer, template: { ...answer.template, version: version.version, rules: version.rules } } : answer
    context.show(shown, ({ template, versions }) => [
      ...facts([...templateFacts(context, template), ...ruleFacts(template.rules)]),
      ...headed('Versions', table(['', 'VERSION', 'WHEN', 'BY'], versions.map((one) => [one.version === template.version ? '*' : ' ', one.version, moment(one.at, context.world), one.changedBy]))),
    ])
  },
})

export const templateCreate = defineCommand({
  noun: 'template', verb: 'create', summary: 'Make a CSR template, from options or a file',
  args: { name: { help: 'what to call it' } }, options: templateOptions,
  examples: [
    'template create servers --key ec-256 --allow-key rsa-3072 --domain example.com --no-wildcards --subject "organization=Example Ltd" --require-subject country --longest-days 90',
    'template create servers-2 --file servers.json',
  ],
  notes: ['What is not given is free: any key, any names, no fixed subject; for servers (digitalSignature, serverAuth). Use it: certloop certificate configure CERTIFICATE --template NAME.'],
  async run(context, { args, options }) {
    const { rules, description } = await meantTemplate(context, options)
    show(context, await (await context.client()).call('createCsrTemplate', { body: { name: args.name, description, rules } }))
  },
})

export const templateUpdate = defineCommand({
  noun: 'template', verb: 'update', summary: 'Change a CSR template; the earlier version is kept',
  args: templateArgument, options: { name: { type: 'string', value: 'TEXT', help: 'a new name' }, ...templateOptions },
  examples: ['template update servers --longest-days 47', 'template update servers --file servers.json'],
  notes: [
    'What is not given stays. Configurations that follow the newest version keep to the new rules from their next order on; those that name a version stay with it.',
    'A file from "template show --json" says which version it was made from: when somebody changed the template since, nothing is overwritten.',
  ],
  async run(context, { args, options: { name, ...given } }) {
    const { template } = await readTemplate(context, args.template)
    const { rules, description, version = template.version } = await meantTemplate(context, given, template)
    const changed = await (await context.client()).call('updateCsrTemplate', { params: { id: template.id }, body: { name: name ?? template.name, description, rules, version } })
    show(context, changed)
    context.note(`Saved as version ${changed.version}. It counts for ${plural(changed.usedBy, 'configuration')} from the next order on, except where a version is named.`)
  },
})

export const templateDelete = defineCommand({
  noun: 'template', verb: 'delete', summary: 'Delete a CSR template that no configuration names',
  args: templateArgument, options: yesOption, examples: ['template delete servers --yes'],
  async run(context, { args, options }) {
    const { template: { id, name } } = await readTemplate(context, args.template)
    await confirm(context, `Delete the CSR template "${name}" with all its versions?`, options.yes)
    await (await context.client()).call('deleteCsrTemplate', { params: { id } })
    context.show(null, () => [`The CSR template "${name}" is deleted.`])
  },
})
