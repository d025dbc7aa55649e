import type { Bot, BotDetail, ResponseOf } from '@certloop/api-client'
import { storedFailure } from '../certificate/follow-action.ts'
import { defineCommand } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../failure.ts'
import { findBot } from '../find.ts'
import { follow, readTimeout, waitOptions } from '../follow.ts'
import { paintState } from '../format/paint.ts'
import { facts, plural, table } from '../format/table.ts'
import { dateAndDistance, moment, timeOfDay } from '../format/time.ts'
import { wholeNumber } from '../parse.ts'
import { timelineLines } from '../timeline.ts'
import { serverLines } from './server-lines.ts'

const bot = { bot: { help: 'id or name' } } as const

export const botList = defineCommand({
  noun: 'bot', verb: 'list', summary: 'Bots and whether they are there',
  args: {}, options: {}, examples: ['bot list', 'bot list --json'],
  async run(context) {
    const answer = await (await context.client()).call('listBots')
    context.show(answer, ({ items }) => (items.length === 0 ? ['There is no bot yet. Make one: certloop bot add NAME'] : table(
      ['NAME', 'STATUS', 'HOST', 'SERVERS', 'LAST CONTACT', 'LAST SCAN', 'VERSION', 'ID'],
      items.map((b) => [b.name, paintState(context.paint, b.status), b.host?.hostName, b.serverCount, moment(b.lastContactAt, context.world), moment(b.lastScanAt, context.world), b.version, b.id]),
    )))
  },
})

function botFacts({ paint, world }: Context, b: Bot): string[] {
  return facts([
    ['Bot', b.name], ['Id', b.id], ['Status', paintState(paint, b.status)], ['Purpose', b.purpose], ['Host', b.host && `${b.host.hostName}, ${b.host.os} ${b.host.osVersion}, ${b.host.arch}`], ['Addresses', b.host?.addresses.join(', ')],
    ['Version', b.version], ['Joined', moment(b.joinedAt, world)], ['Token until', dateAndDistance(b.tokenExpiresAt, world)], ['Last contact', moment(b.lastContactAt, world)], ['Last scan', moment(b.lastScanAt, world)],
  ])
}

function botLines(context: Context, b: BotDetail): string[] {
  return [
    ...botFacts(context, b),
    ...serverLines(b.servers, b.scanProblems),
    ...(b.events.length === 0 ? [] : ['', ...timelineLines(context, b.events.slice(0, 10))]),
  ]
}

export const botShow = defineCommand({
  noun: 'bot', verb: 'show', summary: 'One bot with the servers it found',
  args: bot, options: {}, examples: ['bot show web1'],
  async run(context, { args }) {
    const id = await findBot(context, args.bot)
    context.show(await (await context.client()).call('getBot', { params: { id } }), (safe) => botLines(context, safe))
  },
})

export const botAdd = defineCommand({
  noun: 'bot', verb: 'add', summary: 'Announce a bot; prints the command that joins it, once',
  args: { name: { help: 'what to call it, e.g. the host\'s name' } },
  options: {
    purpose: { type: 'string', value: 'WORD', choices: ['discovery', 'provisioning', 'both'], help: 'what it may do; default both' },
    hours: { type: 'string', value: 'HOURS', help: 'how long the join token works; default what the control plane gives' },
  },
  examples: ['bot add web1', 'bot add scanner --purpose discovery --hours 2'],
  async run(context, { args, options: { purpose, hours } }) {
    const lifetime = wholeNumber('hours', hours, 1, 720)
    const expiresAt = lifetime === undefined ? {} : { expiresAt: new Date(context.world.now().getTime() + lifetime * 3_600_000).toISOString() }
    const made = await (await context.client()).call('createBot', { body: { name: args.name, ...(purpose === undefined ? {} : { purpose }), ...expiresAt } })
    context.show(made, (safe) => createdLines(context, safe))
  },
})

const createdLines = ({ world }: Context, { bot: { name, id }, joinCommand, expiresAt }: ResponseOf<'createBot'>): string[] => [
  `The bot "${name}" (${id}) may join until ${moment(expiresAt, world)}. On its host, in a checkout of Certloop:`, '', `  ${joinCommand}`, '',
  'The token in it works once and is not shown again.',
]

/** A newer scan, or a newer word that it failed. */
async function followScan(context: Context, id: Bot['id'], before: BotDetail, timeoutSeconds: number | undefined) {
  const client = await context.client()
  const known = new Set(before.events.map((event) => event.id))
  return follow(context, {
    look: async () => {
      const value = await client.call('getBot', { params: { id } })
      const news = value.events.filter((event) => !known.has(event.id)).toReversed()
      const failed = news.find(({ kind }) => kind === 'bot.scan-failed')
      return { value: { bot: value, failed }, ended: failed !== undefined || news.some(({ kind }) => kind === 'bot.scanned') || value.status === 'revoked', lines: news.map((e) => ({ key: e.id, text: `${timeOfDay(e.at, context.world)}  ${e.message}` })) }
    },
    concerns: (notice) => notice.id === id,
    timeoutSeconds,
    later: `certloop bot show ${id}`,
  })
}

export const botScan = defineCommand({
  noun: 'bot', verb: 'scan', summary: 'Scan its host for running servers and their certificates',
  args: bot, options: waitOptions,
  examples: ['bot scan web1 --wait'],
  async run(context, { args, options }) {
    const timeout = readTimeout(options.timeout)
    const id = await findBot(context, args.bot)
    const client = await context.client()
    const before = await client.call('getBot', { params: { id } })
    const asked = await client.call('scanBot', { params: { id } })
    if (!options.wait) {
      context.show(asked, () => [`The scan was asked for. See what it found: certloop bot show ${args.bot}`])
      return exitCodes.done
    }
    if (before.status === 'inactive') context.warn(`The bot has not been heard of since ${moment(before.lastContactAt, context.world)}; it scans when it is back.`)
    const { bot: after, failed } = await followScan(context, id, before, timeout)
    context.show(after, (safe) => botLines(context, safe))
    if (failed === undefined && after.status !== 'revoked') return exitCodes.done
    context.fail(await storedFailure(context, failed?.message ?? 'The bot was revoked.', failed?.error ?? null))
    return exitCodes.failed
  },
})

export const botRevoke = defineCommand({
  noun: 'bot', verb: 'revoke', summary: 'Revoke it at once: nothing it says counts any more',
  args: bot, options: yesOption,
  examples: ['bot revoke web1'],
  async run(context, { args, options }) {
    const id = await findBot(context, args.bot)
    await confirm(context, `Revoke the bot "${args.bot}"? To come back it has to join again.`, options.yes)
    const revoked = await (await context.client()).call('revokeBot', { params: { id } })
    context.show(revoked, (safe) => [...botFacts(context, safe), `${plural(safe.serverCount, 'server')} it watched are no longer looked at.`])
  },
})
