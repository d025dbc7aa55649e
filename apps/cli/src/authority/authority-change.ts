import type { Authority, AuthorityInput, AuthorityType } from '@certloop/api-client'
import { defineCommand, type Given, type OptionSpecs } from '../command.ts'
import { present } from '../configuration/words.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { findAuthority, noneNamed } from '../find.ts'
import { wholeNumber } from '../parse.ts'
import { askSecrets, fieldOptions, missingSecrets, readFieldFiles, readFields, readSecretFields, type TypedSchema } from '../typed/typed-options.ts'
import { authorityArgument, showAuthority } from './authorities.ts'
import { readLimits } from './limit-options.ts'

const settingOptions = {
  ...fieldOptions,
  'limit': { type: 'string', value: 'LIMIT', multiple: true, help: 'so many in so long, e.g. order=300/3h, domain=50/7d, same-names=5/7d, failure=5/1h; ",new" behind it leaves out renewals that the authority was told of; repeat for more, "" for none. Default those of the ready-made entry' },
  'at-a-time': { type: 'string', value: 'COUNT', help: 'so many calls to it at a time' },
} as const satisfies OptionSpecs
type SettingGiven = Given<Record<never, never>, typeof settingOptions>['options']

const limitsOf = (o: SettingGiven) => present({ limits: readLimits(o.limit), concurrency: wholeNumber('at-a-time', o['at-a-time'], 1, 1000) })

async function readType(context: Context, { kind, preset }: { kind?: string | undefined; preset?: string | undefined }): Promise<AuthorityType> {
  const all = (await (await context.client()).call('listAuthorityTypes')).items
  const types = all.filter(({ single }) => !single)
  const found = types.find((type) => (kind === undefined ? type.presets.some(({ id }) => id === preset) : type.kind === kind))
  if (found) return found
  if (kind !== undefined) throw noneNamed('kind of authority that can be added', 'certloop authority types', kind, types.map((type) => ({ name: type.kind })))
  if (preset !== undefined) throw noneNamed('ready-made entry', 'certloop authority types KIND', preset, types.flatMap(({ presets }) => presets.map(({ id }) => ({ name: id }))))
  throw usage('Say what it is with --preset or --kind.', `Kinds: ${types.map((type) => type.kind).join(', ')}. Their ready-made entries: certloop authority types KIND`)
}

/** The test that comes with it failed: it is kept all the same. */
function warnOfHealth(context: Context, { name, health: { state, lastReport } }: Authority): void {
  if (state === 'failing') context.warn(`It is kept, but its test failed: ${lastReport?.error?.message ?? 'see the steps'} To see the steps: certloop authority test "${name}"`)
}

export const authorityAdd = defineCommand({
  noun: 'authority', verb: 'add', summary: 'Add an authority; it is tested at once',
  args: { name: { help: 'what to call it here' } },
  options: { preset: { type: 'string', value: 'ID', help: 'a ready-made entry, see "authority types KIND"' }, kind: { type: 'string', value: 'KIND', help: 'kind of authority, where no ready-made entry fits' }, ...settingOptions },
  examples: [
    'authority add "Let\'s Encrypt" --preset lets-encrypt --field contact=ops@example.com --field termsAgreed=true',
    'authority add "Company ACME" --kind acme --field directoryUrl=https://acme.example/directory --field-file trustPem=root.pem --field eabKeyId=kid-1 --secret eabHmacKey=eab.key',
  ],
  notes: ['Its fields, and where to get the secrets: certloop authority types KIND. Required secrets that are not given are asked for at a terminal.'],
  async run(context, { args, options: o }) {
    const type = await readType(context, o)
    const schema = type.fields as TypedSchema
    const secrets = { ...await readSecretFields(context, o.secret), ...await askSecrets(context, schema, o.ask) }
    const asked = context.world.canAsk ? await askSecrets(context, schema, missingSecrets(schema, secrets)) : {}
    const body: AuthorityInput = { name: args.name, kind: type.kind, preset: o.preset ?? null, fields: { ...readFields(schema, {}, o.field), ...await readFieldFiles(schema, o['field-file']) }, secrets: { ...secrets, ...asked }, ...limitsOf(o) }
    const made = await (await context.client()).call('createAuthority', { body })
    showAuthority(context, made)
    warnOfHealth(context, made)
  },
})

export const authorityChange = defineCommand({
  noun: 'authority', verb: 'change', summary: 'Change an authority; what is not given stays, secrets too',
  args: authorityArgument, options: { name: { type: 'string', value: 'TEXT', help: 'a new name' }, ...settingOptions },
  examples: ['authority change "Let\'s Encrypt" --field contact=security@example.com', 'authority change "Company ACME" --field profile=shortlived'],
  async run(context, { args, options: o }) {
    const id = await findAuthority(context, args.authority)
    const client = await context.client()
    const [before, { items }] = [await client.call('getAuthority', { params: { id } }), await client.call('listAuthorityTypes')]
    const schema = (items.find(({ kind }) => kind === before.kind)?.fields ?? {}) as TypedSchema
    const body: AuthorityInput = {
      name: o.name ?? before.name, kind: before.kind, preset: before.preset, limits: before.limits, concurrency: before.concurrency, ...limitsOf(o),
      fields: { ...readFields(schema, before.fields, o.field), ...await readFieldFiles(schema, o['field-file']) }, secrets: { ...await readSecretFields(context, o.secret), ...await askSecrets(context, schema, o.ask) },
    }
    showAuthority(context, await client.call('updateAuthority', { params: { id }, body }))
  },
})

export const authorityDelete = defineCommand({
  noun: 'authority', verb: 'delete', summary: 'Remove an authority that nothing uses any more, with its account key',
  args: authorityArgument, options: yesOption, examples: ['authority delete "Company ACME" --yes'],
  notes: ['The account stays at the authority. Its key is deleted here, so certificates can no longer be revoked with it.'],
  async run(context, { args, options }) {
    const id = await findAuthority(context, args.authority)
    const client = await context.client()
    const { name } = await client.call('getAuthority', { params: { id } })
    await confirm(context, `Remove the authority "${name}"? The key of its account is deleted.`, options.yes)
    await client.call('deleteAuthority', { params: { id } })
    context.show(null, () => [`The authority "${name}" is removed.`])
  },
})

export const authorityRollKey = defineCommand({
  noun: 'authority', verb: 'roll-key', summary: 'Replace the key of the account at the authority',
  args: authorityArgument, options: yesOption, examples: ['authority roll-key "Let\'s Encrypt" --yes'],
  async run(context, { args, options }) {
    const id = await findAuthority(context, args.authority)
    await confirm(context, `Replace the account key at "${args.authority}"? Whoever else uses the old one can no longer.`, options.yes)
    showAuthority(context, await (await context.client()).call('rollAuthorityKey', { params: { id } }))
  },
})
