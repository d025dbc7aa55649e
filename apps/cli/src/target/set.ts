import type { CertificateDetail, ConfigurationInput, RemoteScan } from '@certloop/api-client'
import { showCertificate } from '../certificate/show.ts'
import { defineCommand, type Given, type OptionSpecs } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { exitCodes, Failure, usage } from '../failure.ts'
import { findBot, findCertificate } from '../find.ts'
import { readScripts, scriptOptions } from './scripts.ts'
import { configurationInputOf, pickTarget, savedConfiguration, targetInputOf } from './target-input.ts'
import { fieldOptions, readFieldFiles, readFields, readSecretFields, type TypedSchema } from '../typed/typed-options.ts'
import { readWay, wayOptions, type Secrets } from './way.ts'

type TargetInput = ConfigurationInput['targets'][number]

const setOptions = {
  'target': { type: 'string', value: 'NUMBER', help: 'change this target, as "certificate show" counts them; without it one is added' },
  'bot': { type: 'string', value: 'BOT', help: 'the bot that does the work' },
  'server-type': { type: 'string', value: 'ID', help: 'see "server-type list"' },
  'scan': { type: 'string', value: 'ID', help: 'take bot, way in, server type and fields from this scan of "bot scan-host"' },
  'place': { type: 'string', value: 'TEXT', help: 'of what that scan found, the place with this text in its title' },
  'field': fieldOptions.field, 'field-file': fieldOptions['field-file'], 'secret': fieldOptions.secret,
  'reach': { type: 'string', value: 'ADDRESS', help: 'local, ssh://user@host:port, sftp://…, ftp://… (TLS after AUTH) or ftps://… (TLS at once)' },
  ...wayOptions,
  'label': { type: 'string', value: 'WORD', multiple: true, help: 'a label, for the waves of a rollout; repeat for more; these take the place of the earlier ones, "" takes them out' },
  'pair': { type: 'string', value: 'WORD', help: 'of the targets with the same word here only one is worked on at a time; "" for none' },
  'overwrite': { type: 'boolean', help: 'replace also what somebody else put there (--no-overwrite: stop before anything is touched)' },
  ...scriptOptions,
} as const satisfies OptionSpecs
type Options = Given<Record<never, never>, typeof setOptions>['options']

async function fieldsOf(context: Context, serverType: string, present: Record<string, unknown>, given: Options): Promise<Record<string, unknown>> {
  const { items } = await (await context.client()).call('listServerTypes')
  const schema = (items.find(({ id }) => id === serverType)?.fields ?? {}) as TypedSchema
  return { ...readFields(schema, present, given.field), ...await readFieldFiles(schema, given['field-file']) }
}

async function secretsOf(context: Context, given: readonly string[] | undefined): Promise<Pick<Secrets, 'fields'>> {
  const fields = await readSecretFields(context, given)
  return Object.keys(fields).length > 0 ? { fields } : {}
}

type Found = Pick<TargetInput, 'botId' | 'serverType' | 'reach' | 'fields'>

/** What a look over SSH found, as the beginning of a target. */
async function fromScan(context: Context, id: string, place: string | undefined): Promise<Found> {
  const scan = await (await context.client()).call('getRemoteScan', { params: { id: id as RemoteScan['id'] } })
  const all = scan.servers.flatMap((server) => server.slots.map((slot) => ({ serverType: server.serverType, title: slot.title, fields: slot.fields })))
  const found = all.filter(({ title }) => place === undefined || title.toLowerCase().includes(place.toLowerCase()))
  const [only, ...more] = found
  const list = (all.length > 0 ? all : []).map(({ title }) => `  ${title}`).join('\n')
  if (!only) throw new Failure({ exit: exitCodes.failed, what: `The scan found no place${place === undefined ? '' : ` with "${place}" in its title`}.`, code: 'SLOT_NOT_FOUND', ...(list ? { why: `It found:\n${list}` } : {}), remedy: 'Start the server there and look again: certloop bot scan-host BOT ADDRESS' })
  if (more.length > 0) throw usage(`The scan found ${found.length} places; choose one with --place:\n${list}`)
  context.note(`Place: ${only.title}`)
  return { botId: scan.botId, serverType: only.serverType, reach: scan.reach, fields: only.fields }
}

async function beginning(context: Context, certificate: CertificateDetail, given: Options): Promise<TargetInput> {
  const before: Partial<TargetInput> = {
    reach: 'local', fields: {}, ...(given.target === undefined ? {} : targetInputOf(pickTarget(certificate, given.target))), ...(given.scan === undefined ? {} : await fromScan(context, given.scan, given.place)),
    ...(given.bot === undefined ? {} : { botId: await findBot(context, given.bot) }), ...(given['server-type'] === undefined ? {} : { serverType: given['server-type'] }),
  }
  const { botId, serverType, fields = {} } = before
  if (botId === undefined) throw usage('Name the bot that does the work with --bot.')
  if (serverType === undefined) throw usage('Name the kind of server with --server-type.', 'See what there is: certloop server-type list')
  return { ...before, botId, serverType, fields }
}

const hasWay = (given: Options) => given.reach !== undefined || Object.keys(wayOptions).some((name) => given[name as keyof typeof wayOptions] !== undefined)

function placementAfter({ label, pair: word }: Options, { labels = [], pair: before = null }: Partial<NonNullable<TargetInput['placement']>> = {}): Pick<TargetInput, 'placement'> {
  return { placement: { labels: label?.filter((text) => text !== '') ?? labels, pair: word === undefined ? before : word || null } }
}

async function readTarget(context: Context, certificate: CertificateDetail, given: Options): Promise<TargetInput> {
  const base = await beginning(context, certificate, given)
  const present = given.target === undefined ? 'local' : pickTarget(certificate, given.target).reach
  const way = hasWay(given) ? await readWay(context, given.reach, given, present) : undefined
  const { scripts, ...rest } = base
  const secrets = { ...way?.secrets, ...await secretsOf(context, given.secret) }
  return {
    ...rest, ...placementAfter(given, base.placement), ...(way ? { reach: way.reach } : {}), fields: await fieldsOf(context, base.serverType, base.fields, given),
    ...(given.overwrite === undefined ? {} : { overwrite: given.overwrite }), ...await readScripts(given, scripts), ...(Object.keys(secrets).length > 0 ? { secrets } : {}),
  }
}

export const targetSet = defineCommand({
  noun: 'target', verb: 'set', summary: 'Add a target to a saved configuration, or change one: way in, fields, secrets, scripts, labels',
  args: { certificate: { help: 'id or name' } }, options: setOptions,
  examples: [
    'target set db.example --bot web1 --server-type postgresql --reach ssh://deploy@db1.example --key-file id_deploy --sudo --field certificatePath=/etc/ssl/db.crt --field keyPath=/etc/ssl/db.key',
    'target set shop.example --scan scn_01jxyzxyzxyzxyzxyzxyzxyzxy --place shop.crt --reach ssh://deploy@db1.example --password-stdin < password.txt',
    'target set shop.example --target 1 --secret keystorePassword=- < password.txt',
    'target set shop.example --target 1 --host-key SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU',
    'target set shop.example --target 2 --label berlin --label canary --pair shop-front',
    'target set shop.example --target 1 --no-overwrite --before drain.sh --after-device /usr/local/bin/tell --after-device done',
  ],
  notes: [
    'What is not given stays as it was, of the way in as long as user, host and port do. A kept password or key stays only where it goes to the same place: with another host, user, way to log in or jump host it has to be given again.',
    'A script before or after gets its environment as docs/guides/targets.md says, and runs only where the bot\'s bot.toml allows scripts.',
  ],
  async run(context, { args, options: given }) {
    const id = await findCertificate(context, args.certificate)
    const client = await context.client()
    const certificate = await client.call('getCertificate', { params: { id } })
    const input = configurationInputOf(savedConfiguration(certificate))
    const target = await readTarget(context, certificate, given)
    const at = given.target === undefined ? input.targets.length : Number(given.target) - 1
    const targets = input.targets.toSpliced(at, 1, target)
    await showCertificate(context, await client.call('setConfiguration', { params: { id }, body: { ...input, targets } }))
  },
})

export const targetRemove = defineCommand({
  noun: 'target', verb: 'remove', summary: 'Take a target out of the configuration; the server is left alone',
  args: { certificate: { help: 'id or name' } }, options: { target: setOptions.target, ...yesOption },
  examples: ['target remove shop.example --target 2'],
  async run(context, { args, options }) {
    const id = await findCertificate(context, args.certificate)
    const client = await context.client()
    const certificate = await client.call('getCertificate', { params: { id } })
    const target = pickTarget(certificate, options.target)
    await confirm(context, `Remove the target ${target.title}? Its kept secrets are deleted.`, options.yes)
    const saved = savedConfiguration(certificate)
    await showCertificate(context, await client.call('setConfiguration', { params: { id }, body: configurationInputOf({ ...saved, targets: saved.targets.filter((one) => one.id !== target.id) }) }))
  },
})
