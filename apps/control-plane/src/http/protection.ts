import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import { CertloopError } from '@certloop/contract'
import type { App } from './implement.ts'

export interface RateLimits { signInPerMinute: number; requestsPerMinute: number }
export const defaultRateLimits: RateLimits = { signInPerMinute: 60, requestsPerMinute: 6000 }

/** Headers that keep the pages to themselves, and a bound on requests per address; each bot has its own, since a whole fleet may call from one address. */
export async function installProtection(app: App, limits: RateLimits): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"], scriptSrc: ["'self'"], connectSrc: ["'self'"], fontSrc: ["'self'", 'data:'], imgSrc: ["'self'", 'data:'], manifestSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"], // Mantine writes style attributes and elements
        baseUri: ["'none'"], formAction: ["'self'"], frameAncestors: ["'none'"],
      },
    },
    // The listener serves plain HTTP to this machine alone; a promise for "localhost" would break its other ports.
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'same-origin' },
  })
  await app.register(rateLimit, {
    global: false,
    errorResponseBuilder: (_request, { ttl }) => new CertloopError('TOO_MANY_REQUESTS', 'Too many requests from this address or bot.', { retryAfterSeconds: Math.max(1, Math.ceil(ttl / 1000)) }),
  })
  const signIn = app.rateLimit({ max: limits.signInPerMinute, timeWindow: 60_000, groupId: 'sign-in' })
  const others = app.rateLimit({ max: limits.requestsPerMinute, timeWindow: 60_000, groupId: 'all', keyGenerator: (request) => request.bot?.botId ?? request.ip })
  app.addHook('onRequest', function (request, reply) {
    return (request.routeOptions.config.operationId === 'signIn' ? signIn : others).call(app, request, reply)
  })
}
