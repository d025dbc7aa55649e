import { CertloopError, newId, operations, type OperationId } from '@certloop/contract'
import Fastify, { type FastifyBaseLogger } from 'fastify'
import { installAccess } from './access.ts'
import type { App } from './implement.ts'
import { installJsonBody } from './json-body.ts'
import { installOpenApi } from './openapi.ts'
import { installProblems, sendProblem, toProblemError } from './problems.ts'
import type { Authenticator, BotAuth } from './who.ts'

export interface HttpDeps {
  users: Authenticator
  botAuth: BotAuth
  /** Asked at each use: the port may be known only after listening. */
  publicUrl: () => string
  version: string
  now: () => Date
  logger?: FastifyBaseLogger
  /** Only in tests: start although operations of the contract have no handler. */
  allowMissingOperations?: boolean
}

function refuseMissing(app: App): void {
  const missing = (Object.keys(operations) as OperationId[]).filter((id) => !app.implementedOperations.has(id))
  if (missing.length > 0) throw new Error(`operations of the contract without a handler: ${missing.join(', ')}`)
}

/**
 * The HTTP side of the control plane, without routes of its domains: those are added with `implement` before `ready()`.
 * `ready()` rejects when an operation of the contract has no handler.
 */
export async function buildHttp(deps: HttpDeps): Promise<App> {
  const app = Fastify({
    ...(deps.logger ? { loggerInstance: deps.logger } : {}),
    disableRequestLogging: true,
    bodyLimit: 1024 * 1024,
    genReqId: () => newId('req', deps.now()),
    requestIdHeader: false,
    forceCloseConnections: 'idle',
    // A field that nobody knows is an error, not noise to be dropped; texts of a query become numbers, bodies are taken as they are.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: true, allErrors: true } },
    frameworkErrors: (error, request, reply) => { void sendProblem(toProblemError(error), request, reply) },
  })
  app.decorate('implementedOperations', new Set<OperationId>())
  installProblems(app)
  installJsonBody(app)
  installAccess(app, deps)
  await installOpenApi(app, deps)
  app.setNotFoundHandler((request, reply) => sendProblem(new CertloopError('NOT_FOUND', `There is no ${request.method} ${request.url.split('?')[0]}.`), request, reply))
  app.addHook('onReady', async () => { if (!deps.allowMissingOperations) refuseMissing(app) })
  return app
}
