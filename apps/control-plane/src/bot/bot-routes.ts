import { CertloopError, type Bot, type BotDetail, type BotId, type BotTaskKind } from '@certloop/contract'
import { iso } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { listDeployments } from '../deployment/deployment-store.ts'
import { forgetPlaces } from '../discovery/record-scan.ts'
import { addEvent, announce, listEvents } from '../event/event-store.ts'
import { implement, type App } from '../http/index.ts'
import { addTask, endTasksOf } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { botStatus, getBot, hostOf, latestScan, listBots, openTokenExpiry, scanFigures, updateBot, type BotRow } from './bot-store.ts'
import { announceBot, type JoinDeps } from './join.ts'
import type { LeaseDeps } from './leases.ts'

type ScanFigures = Awaited<ReturnType<typeof scanFigures>>

async function toBot(db: Db | Tx, row: BotRow, now: Date, figures?: ScanFigures): Promise<Bot> {
  const scan = (figures ?? await scanFigures(db, row.id)).get(row.id)
  return {
    id: row.id, name: row.name, status: botStatus(row, now), purpose: row.purpose, version: row.version, host: hostOf(row), lastContactAt: row.lastContactAt, joinedAt: row.joinedAt,
    tokenExpiresAt: row.joinedAt ? null : await openTokenExpiry(db, row.id), lastScanAt: scan?.at ?? null, serverCount: scan?.serverCount ?? 0, createdAt: row.createdAt,
  }
}

async function detail(db: Db, id: BotId, now: Date): Promise<BotDetail> {
  const row = await getBot(db, id)
  const scan = await latestScan(db, id)
  const { items } = await listDeployments(db, { botId: id, limit: 50 })
  return { ...await toBot(db, row, now), servers: scan?.servers ?? [], scanProblems: scan?.problems ?? [], events: await listEvents(db, { botId: id }, 100), deployments: items }
}

/** What a revoked bot had to do would wait for ever, and hold up its certificates. */
async function endItsWork(tx: Tx, wake: Wakes, { handlers, now }: BotRouteDeps, bot: BotRow): Promise<void> {
  const error = new CertloopError('BOT_REVOKED', `The bot "${bot.name}" was revoked before this was done; what it had begun on its host is unknown.`, { botId: bot.id })
  for (const task of await endTasksOf(tx, bot.id, error.toWire(), now())) await handlers[task.kind as BotTaskKind]?.failed(tx, wake, task, error)
}

/** The token goes through a pipe of the shell: command lines can be read by every user of a host. */
const joinCommand = (token: string) => `printf %s ${token} | npm run bot -- join - && npm run bot -- run`

export type BotRouteDeps = JoinDeps & Pick<LeaseDeps, 'handlers'>

export function registerBotRoutes(app: App, deps: BotRouteDeps): void {
  const { database, now } = deps
  const { db } = database

  implement(app, 'listBots', async () => {
    const figures = await scanFigures(db)
    return { items: await Promise.all((await listBots(db)).map((row) => toBot(db, row, now(), figures))) }
  })
  implement(app, 'getBot', async ({ params }) => detail(db, params.id, now()))
  implement(app, 'createBot', async ({ body, who }) => {
    const made = await announceBot(deps, { ...body, requester: who.text })
    return { bot: await toBot(db, await getBot(db, made.botId), now()), joinToken: made.joinToken, joinCommand: joinCommand(made.joinToken), expiresAt: made.expiresAt }
  })
  implement(app, 'scanBot', async ({ params, who }) => database.transaction(async (tx, wake) => {
    const bot = await getBot(tx, params.id)
    if (bot.revokedAt || !bot.joinedAt) throw new CertloopError('ACTION_NOT_POSSIBLE', `The bot "${bot.name}" ${bot.revokedAt ? 'was revoked' : 'has not joined yet'}.`)
    await addEvent(tx, { kind: 'bot.scan-asked', message: 'A scan of the host was asked for.', requester: who.text, botId: bot.id }, now())
    return { taskId: await addTask(tx, wake, { executor: bot.id, kind: 'scan-host', subject: bot.id }, now()) }
  }))
  implement(app, 'revokeBot', async ({ params, who }) => {
    await database.transaction(async (tx, wake) => {
      const bot = await getBot(tx, params.id)
      if (!bot.revokedAt) {
        await updateBot(tx, bot.id, { revokedAt: iso(now()) })
        await addEvent(tx, { kind: 'bot.revoked', message: `The bot "${bot.name}" was revoked.`, requester: who.text, botId: bot.id }, now())
        await endItsWork(tx, wake, deps, bot)
        await forgetPlaces(tx, wake, bot.id, now())
      }
      announce(wake, 'bot', bot.id)
    })
    return toBot(db, await getBot(db, params.id), now())
  })
}
