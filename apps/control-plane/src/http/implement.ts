import { operations, Problem, type BodyOf, type Operation, type OperationId, type ParamsOf, type QueryOf, type ResponseOf } from '@certloop/contract'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { Type, type TSchema } from 'typebox'
import type { RouteAccess } from './access.ts'
import { takesIdempotencyKey, type Idempotency } from './idempotency.ts'
import { shareSchemas } from './shared-schemas.ts'
import { subjectOf } from './subject.ts'
import type { BotIdentity, Who } from './who.ts'

export type App = FastifyInstance

/** Carries out one operation of the contract. Whoever gets here may do it and sent what the schema asks for. */
export type Handler<K extends OperationId> = (context: {
  params: ParamsOf<K>
  query: QueryOf<K>
  body: BodyOf<K>
  who: Who
  request: FastifyRequest
  reply: FastifyReply
}) => Promise<ResponseOf<K>>

declare module 'fastify' {
  interface FastifyInstance {
    implementedOperations: Set<OperationId>
    idempotency: Idempotency
  }
}

export interface RouteDescription {
  method: Operation['method']
  url: string
  access: RouteAccess
  summary: string
  tag: string
  operationId: string
  params?: TSchema | undefined
  query?: TSchema | undefined
  body?: TSchema | undefined
  headers?: TSchema | undefined
  response: TSchema | null
  status: number
}

const idempotencyHeader = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ maxLength: 200, description: 'Makes a repetition within 24 hours harmless: it gets the first answer. Secrets are not repeated.' })),
})

const security = (access: RouteAccess): { [name: string]: string[] }[] => {
  if (access === 'public') return []
  return access === 'bot' ? [{ botSignature: [] }] : [{ session: [] }, { token: [] }]
}

/** Everything Fastify needs to know of a route, but its handler. */
export function routeOf(app: App, route: RouteDescription): Omit<RouteOptions, 'handler'> {
  const share = (schema: TSchema) => shareSchemas(app, schema)
  const part = (name: string, schema: TSchema | undefined) => (schema === undefined ? {} : { [name]: share(schema) })
  return {
    method: route.method,
    url: route.url,
    config: { access: route.access },
    schema: {
      ...part('params', route.params), ...part('querystring', route.query), ...part('body', route.body), ...part('headers', route.headers),
      response: {
        [route.status]: route.response === null ? { type: 'null', description: 'Done; no content' } : share(route.response),
        default: { description: 'Problem document (RFC 9457)', content: { 'application/problem+json': { schema: share(Problem) } } },
      },
      operationId: route.operationId, summary: route.summary, tags: [route.tag], security: security(route.access), 'x-access': route.access,
    },
  }
}

/** Query texts become whole numbers where the schema asks for those; nothing else is converted. */
function readNumbers(query: Record<string, unknown>, schema: Operation['query']): void {
  for (const [name, property] of Object.entries(schema?.properties ?? {})) {
    const value = query[name]
    const { type } = property as { type?: string }
    if (type === 'integer' && typeof value === 'string' && /^-?\d{1,15}$/.test(value)) query[name] = Number(value)
  }
}

/**
 * Binds a handler to its entry of `operations`: method, path, schemas, access and documentation come from there.
 * @throws Error at start-up when the operation has a handler already
 */
export function implement<K extends OperationId>(app: App, operationId: K, handler: Handler<K>): void {
  if (app.implementedOperations.has(operationId)) throw new Error(`the operation ${operationId} is implemented twice`)
  app.implementedOperations.add(operationId)
  const operation: Operation = operations[operationId]
  const options = routeOf(app, { ...operation, operationId, ...(takesIdempotencyKey(operationId) ? { headers: idempotencyHeader } : {}), url: `/api/v1${operation.path.replaceAll(/\{(\w+)\}/g, ':$1')}` })
  app.route({
    ...options,
    config: { access: operation.access, operationId },
    preValidation: async (request) => readNumbers(request.query as Record<string, unknown>, operation.query),
    async handler(request, reply) {
      request.wasHandled = true
      reply.code(operation.status).header('cache-control', 'no-store')
      // The schemas of the same entry made these true; the compiler can't see that.
      const context = { params: request.params as ParamsOf<K>, query: request.query as QueryOf<K>, body: request.body as BodyOf<K>, who: request.who, request, reply }
      const answer = await app.idempotency.run(request, operationId, () => handler(context))
      request.subject ??= subjectOf(request.params, answer)
      return answer
    },
  })
}

/** One call of the bot protocol, below /bot/v1. `public` only for joining, where the token in the body is the credential. */
export interface BotRoute { operationId: string; method: 'GET' | 'POST'; path: string; access: 'bot' | 'public'; summary: string; /** In bytes; default that of all requests. */ bodyLimit?: number; params?: TSchema; body?: TSchema; response: TSchema | null; status: 200 | 201 | 204 }
type StaticOf<R, K extends string> = R extends { [P in K]: infer S extends TSchema } ? import('typebox').Static<S> : undefined

/** Binds a handler of the bot protocol. `bot` is who signed the request; undefined on public routes only. */
export function implementBotRoute<const R extends BotRoute>(app: App, route: R, handler: (context: {
  params: StaticOf<R, 'params'>
  body: StaticOf<R, 'body'>
  bot: R['access'] extends 'bot' ? BotIdentity : undefined
  request: FastifyRequest
  reply: FastifyReply
}) => Promise<StaticOf<R, 'response'>>): void {
  const description: BotRoute = route
  app.route({
    ...routeOf(app, { ...description, tag: 'bots (protocol)', url: `/bot/v1${route.path.replaceAll(/\{(\w+)\}/g, ':$1')}` }),
    ...(description.bodyLimit === undefined ? {} : { bodyLimit: description.bodyLimit }),
    async handler(request, reply) {
      reply.code(route.status).header('cache-control', 'no-store')
      return handler({ params: request.params as StaticOf<R, 'params'>, body: request.body as StaticOf<R, 'body'>, bot: request.bot as R['access'] extends 'bot' ? BotIdentity : undefined, request, reply })
    },
  })
}
