import type { DnsProvider, DnsProviderInput, DnsProviderType } from '@certloop/api-client'
import { type Command, defineCommand } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { findDnsProvider, noneNamed } from '../find.ts'
import { paintState } from '../format/paint.ts'
import { facts, headed, table } from '../format/table.ts'
import { moment } from '../format/time.ts'
import { healthFacts, showReport } from '../typed/test-report.ts'
import { typedLines } from '../typed/typed-lines.ts'
import { askSecrets, fieldOptions, missingSecrets, readFieldFiles, readFields, readSecretFields, type TypedSchema } from '../typed/typed-options.ts'

const argument = { provider: { help: 'id or name' } } as const

async function typeOf(context: Context, kind: string): Promise<DnsProviderType> {
  const { items } = await (await context.client()).call('listDnsProviderTypes')
  const found = items.find((type) => type.kind === kind.toLowerCase())
  if (!found) throw noneNamed('kind of DNS provider', 'certloop dns-provider types', kind, items.map((type) => ({ name: type.kind })))
  return found
}

const types = defineCommand({
  noun: 'dns-provider', verb: 'types', summary: 'Kinds of DNS providers; with KIND, its fields and where to get its secrets',
  args: { kind: { help: 'kind, as the list prints it; none for the list', none: true } }, options: {},
  examples: ['dns-provider types', 'dns-provider types cloudflare'],
  async run(context, { args }) {
    if (args.kind === '') {
      const answer = await (await context.client()).call('listDnsProviderTypes')
      return context.show(answer, ({ items }) => table(['KIND', 'TITLE', 'SUMMARY'], items.map((type) => [type.kind, type.title, type.summary])))
    }
    context.show(await typeOf(context, args.kind), (type) => [
      ...facts([['Kind', context.paint('bold', type.kind)], ['Title', type.title], ['What', type.summary], ['More', type.docsUrl], ['Add', `certloop dns-provider add NAME --kind ${type.kind}`]]), ...headed('Fields', typedLines(type.fields)),
    ])
  },
})

const list = defineCommand({
  noun: 'dns-provider', verb: 'list', summary: 'DNS providers that validation records are written with',
  args: {}, options: {}, examples: ['dns-provider list', 'dns-provider list --json'],
  async run(context) {
    const answer = await (await context.client()).call('listDnsProviders')
    context.show(answer, ({ items }) => (items.length === 0 ? ['There is no DNS provider yet.'] : table(
      ['NAME', 'KIND', 'HEALTH', 'ZONES', 'ID'], items.map((p) => [p.name, p.title, paintState(context.paint, p.health.state), p.zones.join(' '), p.id]),
    )))
  },
})

function providerLines(context: Context, p: DnsProvider): string[] {
  return [
    ...facts([['DNS provider', context.paint('bold', p.name)], ['Id', p.id], ['Kind', `${p.title} (${p.kind})`], ...healthFacts(context, p.health), ['Zones', p.zones.join(', ')], ['Changed', moment(p.updatedAt, context.world)]]),
    ...headed('Fields', facts([...Object.entries(p.fields).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const), ['Secrets kept', p.secretsSet.join(', ')]])),
  ]
}
const showProvider = (context: Context, provider: DnsProvider): void => context.show(provider, (safe) => providerLines(context, safe))

const show = defineCommand({
  noun: 'dns-provider', verb: 'show', summary: 'One DNS provider: health, zones, fields',
  args: argument, options: {}, examples: ['dns-provider show cloudflare-main'],
  async run(context, { args }) {
    const id = await findDnsProvider(context, args.provider)
    showProvider(context, await (await context.client()).call('getDnsProvider', { params: { id } }))
  },
})

const add = defineCommand({
  noun: 'dns-provider', verb: 'add', summary: 'Add a DNS provider; it is tested at once',
  args: { name: { help: 'what to call it here' } },
  options: { kind: { type: 'string', value: 'KIND', help: 'kind of DNS provider, see "dns-provider types"' }, ...fieldOptions },
  examples: [
    'dns-provider add cloudflare-main --kind cloudflare --secret apiToken=token.txt',
    'dns-provider add own-servers --kind rfc2136 --field server=ns1.example.com --field zones=example.com --field keyName=certloop --secret secret=- < tsig.key',
  ],
  notes: ['Its fields, where to get the secrets and the least rights they need: certloop dns-provider types KIND. Required secrets that are not given are asked for at a terminal.'],
  async run(context, { args, options: o }) {
    if (o.kind === undefined) throw usage('Say what it is with --kind.', 'See what there is: certloop dns-provider types')
    const type = await typeOf(context, o.kind)
    const schema = type.fields as TypedSchema
    const secrets = { ...await readSecretFields(context, o.secret), ...await askSecrets(context, schema, o.ask) }
    const asked = context.world.canAsk ? await askSecrets(context, schema, missingSecrets(schema, secrets)) : {}
    const body: DnsProviderInput = { name: args.name, kind: type.kind, fields: { ...readFields(schema, {}, o.field), ...await readFieldFiles(schema, o['field-file']) }, secrets: { ...secrets, ...asked } }
    const made = await (await context.client()).call('createDnsProvider', { body })
    showProvider(context, made)
    if (made.health.state === 'failing') context.warn(`It is kept, but its test failed: ${made.health.lastReport?.error?.message ?? 'see the steps'} To see the steps: certloop dns-provider test "${made.name}"`)
  },
})

const change = defineCommand({
  noun: 'dns-provider', verb: 'change', summary: 'Change a DNS provider; what is not given stays, secrets too',
  args: argument, options: { name: { type: 'string', value: 'TEXT', help: 'a new name' }, ...fieldOptions },
  examples: ['dns-provider change cloudflare-main --secret apiToken=new-token.txt'],
  async run(context, { args, options: o }) {
    const id = await findDnsProvider(context, args.provider)
    const client = await context.client()
    const before = await client.call('getDnsProvider', { params: { id } })
    const schema = (await typeOf(context, before.kind)).fields as TypedSchema
    const body: DnsProviderInput = {
      name: o.name ?? before.name, kind: before.kind, fields: { ...readFields(schema, before.fields, o.field), ...await readFieldFiles(schema, o['field-file']) },
      secrets: { ...await readSecretFields(context, o.secret), ...await askSecrets(context, schema, o.ask) },
    }
    showProvider(context, await client.call('updateDnsProvider', { params: { id }, body }))
  },
})

const remove = defineCommand({
  noun: 'dns-provider', verb: 'delete', summary: 'Remove a DNS provider that nothing uses any more',
  args: argument, options: yesOption, examples: ['dns-provider delete cloudflare-main --yes'],
  async run(context, { args, options }) {
    const id = await findDnsProvider(context, args.provider)
    const client = await context.client()
    const { name } = await client.call('getDnsProvider', { params: { id } })
    await confirm(context, `Remove the DNS provider "${name}"? Its secrets are deleted.`, options.yes)
    await client.call('deleteDnsProvider', { params: { id } })
    context.show(null, () => [`The DNS provider "${name}" is removed.`])
  },
})

const test = defineCommand({
  noun: 'dns-provider', verb: 'test', summary: 'Test a DNS provider now; with --name, also write a record and remove it',
  args: argument, options: { name: { type: 'string', value: 'NAME', help: 'write a record below this name, look for it at the name servers, and remove it' } },
  examples: ['dns-provider test cloudflare-main', 'dns-provider test cloudflare-main --name www.example.com'],
  notes: ['Exit code 0: all went well; 1: something did not.'],
  async run(context, { args, options: { name } }) {
    const id = await findDnsProvider(context, args.provider)
    return showReport(context, await (await context.client()).call('testDnsProvider', { params: { id }, body: name === undefined ? {} : { name } }))
  },
})

export const dnsProviderCommands: readonly Command[] = [types, list, show, add, change, test, remove]
