import type { IssuanceProfile, ProfileRules } from '@certloop/api-client'
import { defineCommand, type OptionSpecs } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { facts, plural, table } from '../format/table.ts'
import { momentInZone } from '../format/time.ts'
import { readProfile } from './find-ca.ts'
import { readProfileFile } from './profile-file.ts'

const profileArgument = { profile: { help: 'its name' } } as const
const fileOption = { file: { type: 'string', value: 'FILE', help: 'rules as JSON, as "profile show --json" prints them; "-" reads standard input' } } as const satisfies OptionSpecs

const whose = ({ builtIn, internal }: Pick<IssuanceProfile, 'builtIn' | 'internal'>) => (internal ? 'the control plane\'s own' : builtIn ? 'built in' : 'yours')
const listed = (texts: readonly string[], none = 'none') => texts.join(', ') || none

function namesText({ required, types, maximum, wildcards, permitted, excluded }: ProfileRules['names']): string {
  if (maximum === 0 || types.length === 0) return 'none'
  const ranges = [...(permitted.length > 0 ? [`only ${permitted.join(', ')}`] : []), ...(excluded.length > 0 ? [`not ${excluded.join(', ')}`] : [])]
  return [`${types.join(', ')}; ${required ? '1' : '0'} to ${maximum}`, wildcards ? 'with wildcards' : 'no wildcards', ...ranges].join('; ')
}

function profileLines(context: Context, profile: IssuanceProfile): string[] {
  const { name, revision, rules: r, updatedAt } = profile
  const optional = r.subjectAttributes.filter((type) => !r.requiredAttributes.includes(type))
  return facts([
    ['Profile', context.paint('bold', name)], ['Title', r.title], ['Whose', whose(profile)], ['Revision', profile.builtIn ? null : revision], ['Changed', momentInZone(updatedAt, context.world)],
    ['For', r.kind], ['Style', r.style], ['Lifetime', `${plural(r.defaultValidityDays, 'day')}, at most ${r.maximumValidityDays}; begins ${plural(r.backdateMinutes, 'minute')} back`], ['Keys', listed(r.keyAlgorithms)],
    ['Key usage', listed(r.keyUsage)], ['Extended', listed(r.extendedKeyUsage)], ['Names', namesText(r.names)], ['Common name', r.commonName], ['Subject needs', listed(r.requiredAttributes)], ['Subject may', listed(optional)],
    ['Policies', listed(r.policies)], ['Must staple', r.mustStaple], ['Path length', r.kind === 'ca' ? r.pathLength ?? 'no limit' : null],
  ])
}
const show = (context: Context, profile: IssuanceProfile) => context.show(profile, (safe) => profileLines(context, safe))

export const profileList = defineCommand({
  noun: 'profile', verb: 'list', summary: 'Issuance profiles: what may go into certificates',
  args: {}, options: {}, examples: ['profile list'],
  async run(context) {
    const answer = await (await context.client()).call('listProfiles')
    context.show(answer, ({ items }) => table(
      ['NAME', 'FOR', 'STYLE', 'DAYS', 'AT MOST', 'WHOSE', 'TITLE'],
      items.map((p) => [p.name, p.rules.kind, p.rules.style, p.rules.defaultValidityDays, p.rules.maximumValidityDays, whose(p), p.rules.title]),
    ))
  },
})

export const profileShow = defineCommand({
  noun: 'profile', verb: 'show', summary: 'One profile; with --json as "create" and "change" take it',
  args: profileArgument, options: {}, examples: ['profile show server', 'profile show server --json > profile.json'],
  async run(context, { args }) {
    show(context, await readProfile(context, args.profile))
  },
})

export const profileCreate = defineCommand({
  noun: 'profile', verb: 'create', summary: 'Make a profile from a file',
  args: { name: { help: 'lower-case letters, digits and hyphens; at most 60' } }, options: fileOption,
  examples: ['profile create shop-server --file profile.json', 'profile show server --json | jq ".rules.maximumValidityDays = 47" | certloop profile create short-lived --file -'],
  notes: ['Contradictions are refused, and for the style "public" whatever the Baseline Requirements of the CA/Browser Forum do not allow.'],
  async run(context, { args, options }) {
    const { rules } = await readProfileFile(context, options.file)
    show(context, await (await context.client()).call('createProfile', { body: { name: args.name, rules } }))
    context.note(`Made. Issue by it: certloop issued issue request.pem --profile ${args.name}`)
  },
})

export const profileChange = defineCommand({
  noun: 'profile', verb: 'change', summary: 'Change a profile; what was issued stays as it is',
  args: profileArgument, options: fileOption,
  examples: ['profile change shop-server --file profile.json'],
  notes: ['A file from "profile show --json" says which revision it was made from: when somebody changed the profile since, nothing is overwritten. Built-in profiles can not be changed; copy them.'],
  async run(context, { args, options }) {
    const { rules, revision } = await readProfileFile(context, options.file)
    // A built-in one has revision 0, which no change fits; the API says so.
    const known = revision ?? Math.max(1, (await readProfile(context, args.profile)).revision)
    show(context, await (await context.client()).call('updateProfile', { params: { name: args.profile }, body: { rules, revision: known } }))
    context.note('Saved. It counts for what is issued from now on.')
  },
})

export const profileCopy = defineCommand({
  noun: 'profile', verb: 'copy', summary: 'Make a profile like another one',
  args: { ...profileArgument, name: { help: 'name of the copy' } }, options: { title: { type: 'string', value: 'TEXT', help: 'title of the copy; default that of the original' } },
  examples: ['profile copy server shop-server --title "Servers of the shop"'],
  async run(context, { args, options: { title } }) {
    const { rules } = await readProfile(context, args.profile)
    show(context, await (await context.client()).call('createProfile', { body: { name: args.name, rules: { ...rules, ...(title === undefined ? {} : { title }) } } }))
    context.note(`Made. Next: certloop profile show ${args.name} --json > ${args.name}.json, edit it, then: certloop profile change ${args.name} --file ${args.name}.json`)
  },
})

export const profileDelete = defineCommand({
  noun: 'profile', verb: 'delete', summary: 'Delete a profile; what was issued stays as it is',
  args: profileArgument, options: yesOption, examples: ['profile delete shop-server --yes'],
  async run(context, { args, options }) {
    await confirm(context, `Delete the profile "${args.profile}"? What asks for it is refused from then on.`, options.yes)
    await (await context.client()).call('deleteProfile', { params: { name: args.profile } })
    context.show(null, () => [`The profile "${args.profile}" is deleted; certificates issued by it stay as they are.`])
  },
})
