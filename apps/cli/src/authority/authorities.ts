import type { Authority, AuthorityType, AuthorityUse } from '@certloop/api-client'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { findAuthority, noneNamed } from '../find.ts'
import { paintState } from '../format/paint.ts'
import { facts, headed, table } from '../format/table.ts'
import { dateAndDistance, moment } from '../format/time.ts'
import { healthFacts, showReport } from '../typed/test-report.ts'
import { typedLines } from '../typed/typed-lines.ts'
import { limitText } from './limit-options.ts'

export const authorityArgument = { authority: { help: 'id or name' } } as const

export const authorityList = defineCommand({
  noun: 'authority', verb: 'list', summary: 'Authorities that can issue',
  args: {}, options: {}, examples: ['authority list', 'authority list --json | jq -r ".items[0].chainPem[-1]" > root.pem'],
  async run(context) {
    const answer = await (await context.client()).call('listAuthorities')
    context.show(answer, ({ items }) => (items.length === 0 ? ['There is no authority yet.'] : table(
      ['NAME', 'KIND', 'HEALTH', 'VALIDATION', 'ISSUER', 'ISSUER ENDS', 'KEYS', 'ID'],
      items.map((a) => [a.name, a.title, paintState(context.paint, a.health.state), a.validationMethods.join(' '), a.issuerSubject, dateAndDistance(a.issuerNotAfter, context.world), a.keyAlgorithms.join(' '), a.id]),
    )))
  },
})

function typeLines({ paint }: Context, type: AuthorityType): string[] {
  const presets = type.presets.flatMap(({ id, title, note, limits, ended }) => [
    `${id}  ${title}${ended === null ? '' : paint('yellow', `  no longer: ${ended}`)}`, ...(note ? [`  ${note}`] : []), ...limits.map((limit) => `  ${limitText(limit)}`),
  ])
  return [
    ...facts([['Kind', paint('bold', type.kind)], ['Title', type.title], ['What', type.summary], ['Can', type.abilities.join(', ')], ['Validation', type.validationMethods.join(', ')], ['Add', type.single ? 'there is one of it, made by itself' : `certloop authority add NAME --kind ${type.kind}`]]),
    ...headed('Fields', typedLines(type.fields)),
    ...headed('Ready-made entries, for --preset', presets),
  ]
}

export const authorityTypes = defineCommand({
  noun: 'authority', verb: 'types', summary: 'Kinds of authorities; with KIND, its fields and ready-made entries',
  args: { kind: { help: 'kind, as the list prints it; none for the list', none: true } }, options: {},
  examples: ['authority types', 'authority types acme', 'authority types acme --json | jq ".presets[].id"'],
  async run(context, { args }) {
    const answer = await (await context.client()).call('listAuthorityTypes')
    if (args.kind === '') return context.show(answer, ({ items }) => table(['KIND', 'TITLE', 'VALIDATION', 'CAN', 'SUMMARY'], items.map((type) => [type.kind, type.title, type.validationMethods.join(' '), type.abilities.join(' '), type.summary])))
    const found = answer.items.find(({ kind }) => kind === args.kind.toLowerCase())
    if (!found) throw noneNamed('kind of authority', 'certloop authority types', args.kind, answer.items.map(({ kind }) => ({ name: kind })))
    context.show(found, (safe) => typeLines(context, safe))
  },
})

const valueLine = (value: unknown) => (typeof value === 'string' ? (value.includes('\n') ? `${value.split('\n', 1)[0]} …` : value) : JSON.stringify(value))

function authorityLines(context: Context, a: Authority): string[] {
  const { paint, world } = context
  return [
    ...facts([
      ['Authority', paint('bold', a.name)], ['Id', a.id], ['Kind', `${a.title} (${a.kind}${a.preset === null ? '' : `, ${a.preset}`})`], ...healthFacts(context, a.health),
      ['Can', a.abilities.join(', ')], ['Validation', a.validationMethods.join(', ')], ['Keys', a.keyAlgorithms.join(', ')], ['Known to all', a.isPublic ? 'yes: browsers trust it' : 'no'],
      ['Issuer', a.issuerSubject], ['Issuer ends', dateAndDistance(a.issuerNotAfter, world)], ['At a time', a.concurrency], ['Changed', moment(a.updatedAt, world)],
    ]),
    ...headed('Fields', facts([...Object.entries(a.fields).map(([name, value]) => [name, valueLine(value)] as const), ['Secrets kept', a.secretsSet.join(', ')]])),
    ...headed('At the authority', facts(Object.entries(a.facts))),
    ...headed('Limits', a.limits.map(limitText)),
  ]
}
export const showAuthority = (context: Context, authority: Authority): void => context.show(authority, (safe) => authorityLines(context, safe))

export const authorityShow = defineCommand({
  noun: 'authority', verb: 'show', summary: 'One authority: health, account, fields, limits',
  args: authorityArgument, options: {}, examples: ['authority show "Let\'s Encrypt"'],
  async run(context, { args }) {
    const id = await findAuthority(context, args.authority)
    showAuthority(context, await (await context.client()).call('getAuthority', { params: { id } }))
  },
})

export const authorityTest = defineCommand({
  noun: 'authority', verb: 'test', summary: 'Test an authority now: address, trust, account; nothing is ordered',
  args: authorityArgument, options: {}, examples: ['authority test "Let\'s Encrypt"'],
  notes: ['Exit code 0: all went well; 1: something did not.'],
  async run(context, { args }) {
    const id = await findAuthority(context, args.authority)
    return showReport(context, await (await context.client()).call('testAuthority', { params: { id } }))
  },
})

function useLines({ paint, world }: Context, { items }: AuthorityUse): string[] {
  return table(['USED', 'OF', 'WHOSE', 'FITS AGAIN'], items.map(({ limit, subject, used, fitsAgainAt }) => [used >= limit.count ? paint('red', String(used)) : String(used), limitText(limit), subject ?? 'the account', moment(fitsAgainAt, world)]))
}

export const authorityUse = defineCommand({
  noun: 'authority', verb: 'use', summary: 'How much of its rate limits is used, the fullest first',
  args: authorityArgument, options: {}, examples: ['authority use "Let\'s Encrypt"'],
  notes: ['An order that does not fit any more waits by itself, until the time shown.'],
  async run(context, { args }) {
    const id = await findAuthority(context, args.authority)
    context.show(await (await context.client()).call('getAuthorityUse', { params: { id } }), (safe) => (safe.items.length === 0 ? ['Nothing is used, or it has no limits.'] : useLines(context, safe)))
  },
})
