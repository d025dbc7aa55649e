import { permissions } from '../choices.ts'
import { defineCommand } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import { findToken } from '../find.ts'
import { table } from '../format/table.ts'
import { dateAndDistance, moment } from '../format/time.ts'
import { wholeNumber } from '../parse.ts'

export const tokenList = defineCommand({
  noun: 'token', verb: 'list', summary: 'API tokens; never their text',
  args: {}, options: {}, examples: ['token list'],
  async run(context) {
    const answer = await (await context.client()).call('listApiTokens')
    context.show(answer, ({ items }) => (items.length === 0 ? ['There is no API token.'] : table(
      ['NAME', 'ENDS', 'LAST USED', 'MADE', 'MAY', 'ID'],
      items.map((t) => [t.name, dateAndDistance(t.expiresAt, context.world) ?? 'never', moment(t.lastUsedAt, context.world) ?? 'never', moment(t.createdAt, context.world), t.permissions.length === permissions.length ? 'everything' : t.permissions.join(' '), t.id]),
    )))
  },
})

export const tokenAdd = defineCommand({
  noun: 'token', verb: 'add', summary: 'Make an API token; its text is printed this once',
  args: { name: { help: 'what it is for' } },
  options: {
    permission: { type: 'string', value: 'WORD', multiple: true, choices: permissions, help: 'what it may do; repeat for more. Default all that you may' },
    days: { type: 'string', value: 'DAYS', help: 'when it ends; default never' },
  },
  examples: ['token add monitoring --permission certificate:read --days 365', 'token add ci --json | jq -r .token'],
  async run(context, { args, options: { permission, days } }) {
    const lifetime = wholeNumber('days', days, 1, 3650)
    const expiresAt = lifetime === undefined ? {} : { expiresAt: new Date(context.world.now().getTime() + lifetime * 86_400_000).toISOString() }
    const made = await (await context.client()).call('createApiToken', { body: { name: args.name, ...(permission === undefined ? {} : { permissions: [...new Set(permission)] }), ...expiresAt } })
    context.show(made, ({ token }) => [token])
    context.note(`The token "${made.apiToken.name}" is shown this once. Use it as CERTLOOP_TOKEN, or: certloop login --url … --token -`)
  },
})

export const tokenDelete = defineCommand({
  noun: 'token', verb: 'delete', summary: 'Delete an API token at once',
  args: { token: { help: 'id or name' } }, options: yesOption, examples: ['token delete ci'],
  async run(context, { args, options }) {
    const id = await findToken(context, args.token)
    await confirm(context, `Delete the API token "${args.token}"? What uses it stops working at once.`, options.yes)
    await (await context.client()).call('deleteApiToken', { params: { id } })
    context.show(null, () => [`The API token "${args.token}" is deleted.`])
  },
})
