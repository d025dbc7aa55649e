import { verifyDigest } from '@certloop/contract'
import type { FastifyInstance } from 'fastify'
import type { BotAuth, BotIdentity } from './who.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who signed the request, on routes of bots. */
    bot: BotIdentity | undefined
    /** Why nobody did: the access decision throws it, once the request has been counted. */
    botRefusal: unknown
  }
}

/**
 * Finds out which bot signed a request, before its body is read: only a joined bot can make us take in and parse a
 * large one. Comes before requests are counted, since many bots may share one address.
 */
export function installBotIdentity(app: FastifyInstance, botAuth: BotAuth): void {
  app.decorateRequest('bot')
  app.decorateRequest('botRefusal')
  const isForBots = (request: { is404: boolean; routeOptions: { config: { access?: unknown } } }) => !request.is404 && request.routeOptions.config.access === 'bot'
  app.addHook('onRequest', async (request) => {
    if (!isForBots(request)) return
    const [path = ''] = request.url.split('?')
    try {
      request.bot = await botAuth({ method: request.method, path, headers: request.headers })
    } catch (error) {
      request.botRefusal = error
    }
  })
  app.addHook('preValidation', async (request) => {
    if (isForBots(request)) verifyDigest(request.rawBody ?? '', request.headers['content-digest'])
  })
}
