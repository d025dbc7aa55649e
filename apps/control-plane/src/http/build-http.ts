import { CertloopError, newId, operations, type OperationId } from '@certloop/contract'
import Fastify, { LogController, type FastifyBaseLogger } from 'fastify'
import type { Audit } from '../audit/audit.ts'
import { registerAuditRoutes } from '../audit/audit-routes.ts'
import type { Database } from '../database/database.ts'
import { registerUserRoutes } from '../user/user-routes.ts'
import type { Users } from '../user/users.ts'
import { installAccess, installStrangers } from './access.ts'
import { installAuditTrail } from './audit-trail.ts'
import { installBotIdentity } from './bot-identity.ts'
import { installEvents } from './events.ts'
import { installHealth } from './health.ts'
import { createIdempotency } from './idempotency.ts'
import { implement, type App } from './implement.ts'
import { installJsonBody } from './json-body.ts'
import { installOpenApi } from './openapi.ts'
import { installPages } from './pages.ts'
import { installProblems, sendProblem, toProblemError } from './problems.ts'
import { defaultRateLimits, installProtection, type RateLimits } from './protection.ts'
import type { BotAuth } from './who.ts'

export interface HttpDeps {
  database: Database
  users: Users
  audit: Audit
  botAuth: BotAuth
  /** Asked at each use: the port may be known only after listening. */
  publicUrl: () => string
  version: string
  /** The built pages, absolute. */
  webFolder: string
  now: () => Date
  logger?: FastifyBaseLogger
  rateLimits?: RateLimits
  /** Addresses and networks whose X-Forwarded-For is believed. */
  trustedProxies?: readonly string[]
  /** Only in tests: start although operations of the contract have no handler. */
  allowMissingOperations?: boolean
}

function refuseMissing(app: App): void {
  const missing = (Object.keys(operations) as OperationId[]).filter((id) => !app.implementedOperations.has(id))
  if (missing.length > 0) throw new Error(`operations of the contract without a handler: ${missing.join(', ')}`)
}

function createApp(deps: HttpDeps): App {
  return Fastify({
    ...(deps.logger ? { loggerInstance: deps.logger } : {}),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: 1024 * 1024,
    trustProxy: deps.trustedProxies?.length ? [...deps.trustedProxies] : false,
    genReqId: () => newId('req', deps.now()),
    requestIdHeader: false,
    // A field that nobody knows is an error, not noise to be dropped; values are taken as they are.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: true, allErrors: true } },
    frameworkErrors: (error, request, reply) => { void sendProblem(toProblemError(error), request, reply) },
  })
}

function installLog(app: App): void {
  app.addHook('onResponse', async (request, reply) => {
    const [path] = request.url.split('?')
    const level = reply.statusCode >= 500 ? 'error' : reply.statusCode >= 400 ? 'info' : 'debug'
    request.log[level]({ method: request.method, path, status: reply.statusCode, ms: Math.round(reply.elapsedTime), who: request.who?.text, code: request.problemCode }, 'request')
  })
}

/**
 * The HTTP side of the control plane with its own routes: session, tokens, audit, system, events, health, documents and
 * pages. Domains add theirs with `implement` and `implementBotRoute` before `ready()`, which rejects when an operation
 * of the contract has no handler.
 */
export async function buildHttp(deps: HttpDeps): Promise<App> {
  const app = createApp(deps)
  const startedAt = deps.now().toISOString()
  app.decorate('implementedOperations', new Set<OperationId>())
  app.decorate('publicUrl', deps.publicUrl)
  app.decorate('idempotency', createIdempotency(deps))
  app.decorateRequest('replayed', false)
  installProblems(app)
  installJsonBody(app)
  installLog(app)
  installStrangers(app)
  installBotIdentity(app, deps.botAuth)
  await installProtection(app, deps.rateLimits ?? defaultRateLimits)
  installAccess(app, deps)
  installAuditTrail(app, deps.audit)
  await installOpenApi(app, deps)
  installHealth(app, deps)
  installEvents(app, { wake: deps.database.wake, users: deps.users })
  registerUserRoutes(app, deps.users)
  registerAuditRoutes(app, deps.audit)
  implement(app, 'getSystem', async () => ({ version: deps.version, database: deps.database.kind, startedAt, publicUrl: deps.publicUrl() }))
  await installPages(app, deps.webFolder)
  app.setNotFoundHandler((request, reply) => sendProblem(new CertloopError('NOT_FOUND', `There is no such call or page: ${request.method} ${request.url.split('?')[0]}.`), request, reply))
  app.addHook('onReady', async () => { if (!deps.allowMissingOperations) refuseMissing(app) })
  return app
}
