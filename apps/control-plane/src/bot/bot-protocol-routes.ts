import { CertloopError, HelloRequest, HelloResponse, idText, JoinRequest, JoinResponse, LeaseRequest, LeaseResponse, ProgressRequest, ProgressResponse, readEncryptionKey, ResultRequest, StopsRequest, StopsResponse, TrustAnchor } from '@certloop/contract'
import { Type } from 'typebox'
import { iso, toJson } from '../database/columns.ts'
import { announce } from '../event/event-store.ts'
import { implementBotRoute, type App } from '../http/index.ts'
import { releaseLeases } from '../task/task-store.ts'
import { stopsOf } from '../deployment/stops.ts'
import { updateBot } from './bot-store.ts'
import { join, type JoinDeps } from './join.ts'
import { resealTasks } from './reseal.ts'
import { leaseWork, reportProgress, reportResult, type LeaseDeps } from './leases.ts'

/** A scan carries every installed chain: room for some thousands. */
const resultLimit = 32 * 1024 * 1024
/** Joining is open to strangers: a key, a name and the facts of a host with thousands of addresses fit. */
const joinLimit = 256 * 1024
const taskParams = Type.Object({ id: idText('tsk') }, { additionalProperties: false })

/** The bot protocol below /bot/v1; packages/contract/src/bot/paths.ts lists the calls. */
export function registerBotProtocol(app: App, deps: JoinDeps & LeaseDeps & { trustAnchorPem: () => Promise<string> }): void {
  const { database, now } = deps
  implementBotRoute(app, { operationId: 'botTrustAnchor', method: 'GET', path: '/trust-anchor', access: 'public', summary: 'The trust anchor, to be compared with the pin of the join token', response: TrustAnchor, status: 200 },
    async () => ({ certificatePem: await deps.trustAnchorPem() }))

  implementBotRoute(app, { operationId: 'botJoin', method: 'POST', path: '/join', access: 'public', summary: 'Join with a one-time token', body: JoinRequest, bodyLimit: joinLimit, response: JoinResponse, status: 200 },
    async ({ body }) => join(deps, body))

  implementBotRoute(app, { operationId: 'botHello', method: 'POST', path: '/hello', access: 'bot', summary: 'A bot started; the work its earlier process held is free again', body: HelloRequest, response: HelloResponse, status: 200 },
    async ({ bot, body }) => {
      const encryptionKeyPem = body.encryptionKeyPem ?? null
      if (encryptionKeyPem !== null && !readEncryptionKey(encryptionKeyPem)) throw new CertloopError('INPUT_INVALID', 'The encryption key of the bot is no X25519 public key in PEM.', { fields: ['body.encryptionKeyPem: not an X25519 public key'] })
      await database.transaction(async (tx, wake) => {
        await updateBot(tx, bot.botId, { bootId: body.bootId, version: body.version, host: toJson(body.host), encryptionKeyPem, lastContactAt: iso(now()) })
        await resealTasks(tx, wake, deps, { id: bot.botId, name: bot.name }, encryptionKeyPem)
        await releaseLeases(tx, bot.botId, body.bootId, now())
        announce(wake, 'bot', bot.botId)
      })
      return { now: iso(now()), name: bot.name }
    })

  implementBotRoute(app, { operationId: 'botLease', method: 'POST', path: '/tasks/lease', access: 'bot', summary: 'Long poll for work', body: LeaseRequest, response: LeaseResponse, status: 200 },
    async ({ bot, body, reply }) => {
      const gone = new AbortController()
      reply.raw.once('close', () => { gone.abort() })
      return { tasks: await leaseWork(deps, bot.botId, body, gone.signal) }
    })

  implementBotRoute(app, { operationId: 'botProgress', method: 'POST', path: '/tasks/{id}/progress', access: 'bot', summary: 'Renew the lease and tell what goes on', params: taskParams, body: ProgressRequest, response: ProgressResponse, status: 200 },
    async ({ bot, params, body }) => reportProgress(deps, bot.botId, params.id, body))

  implementBotRoute(app, { operationId: 'botStops', method: 'POST', path: '/deployments/stops', access: 'bot', summary: 'Which deployments people asked to stop', body: StopsRequest, response: StopsResponse, status: 200 },
    async ({ bot, body }) => stopsOf(database.db, bot.botId, body.deploymentIds))

  implementBotRoute(app, { operationId: 'botResult', method: 'POST', path: '/tasks/{id}/result', access: 'bot', summary: 'End a task with its result', params: taskParams, body: ResultRequest, bodyLimit: resultLimit, response: null, status: 204 },
    async ({ bot, params, body }) => { await reportResult(deps, bot.botId, params.id, body); return undefined })
}
