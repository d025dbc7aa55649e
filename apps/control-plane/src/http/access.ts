import { CertloopError, type Access, type OperationId, type Permission } from '@certloop/contract'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { readCookie, sessionCookieName } from './cookies.ts'
import { refuseForeignOrigin } from './origin.ts'
import { anonymous, type Authenticator, type Who } from './who.ts'

/** What a route demands. `bot`: a request signed by a joined bot. */
export type RouteAccess = Access | 'bot'

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess
    operationId?: OperationId
  }
  interface FastifyInstance { routeList: RegisteredRoute[] }
  interface FastifySchema { 'x-access'?: RouteAccess }
  interface FastifyRequest {
    who: Who
    /** The bytes of a JSON body, for signatures. */
    rawBody: Buffer | undefined
  }
}

export interface RegisteredRoute { method: string; url: string; access: RouteAccess }
export interface AccessDeps { users: Authenticator; publicUrl: () => string }

/** Plug-ins that make routes of their own; each is public by decision. Everything else declares its access itself. */
const publicPlugins = ['/api/docs'] as const

/** @throws CertloopError PERMISSION_DENIED, naming what is missing */
export function requirePermission(who: Who, permission: Permission): void {
  if (!who.permissions.has(permission)) {
    throw new CertloopError('PERMISSION_DENIED', `This needs the permission ${permission}.`, { permission })
  }
}

/** The one decision: may `who` go on? Denies unless a rule says otherwise. */
export function decide(access: RouteAccess | undefined, who: Who): void {
  if (access === 'public' || access === 'bot') return // bots are checked by their signature
  if (who.via === 'none') throw new CertloopError('SIGN_IN_REQUIRED', 'Sign in, or send an API token.')
  if (access === undefined) throw new CertloopError('PERMISSION_DENIED', 'Nobody may call this.')
  if (access === 'self') return
  if (who.mustChangePassword) throw new CertloopError('PASSWORD_CHANGE_REQUIRED', 'Choose a password of your own before anything else.')
  requirePermission(who, access)
}

const changesState = (request: FastifyRequest) => !['GET', 'HEAD', 'OPTIONS'].includes(request.method)

/** Session cookie or bearer token; a wrong token is refused even on public routes, a stale cookie only where somebody is needed. */
async function identify(request: FastifyRequest, deps: AccessDeps): Promise<Who> {
  const { authorization } = request.headers
  if (authorization !== undefined) {
    const token = /^Bearer ([\w-]{1,200})$/i.exec(authorization)?.[1]
    const who = token === undefined ? undefined : await deps.users.byToken(token)
    if (!who) throw new CertloopError('SIGN_IN_REQUIRED', 'The API token is unknown, expired or deleted.')
    return who
  }
  const cookie = readCookie(request.headers.cookie, sessionCookieName)
  return (cookie === undefined ? undefined : await deps.users.bySession(cookie)) ?? anonymous
}

/** Everybody is a stranger until `identify` says otherwise; comes before any hook that may refuse. */
export function installStrangers(app: FastifyInstance): void {
  app.decorateRequest('who')
  app.addHook('onRequest', async (request) => { request.who = anonymous })
}

/**
 * Installs the decision on every route, present and future. A route that does not declare its access can not be
 * registered: start-up fails with its method and path.
 */
export function installAccess(app: FastifyInstance, deps: AccessDeps): void {
  app.decorate('routeList', [])
  app.decorateRequest('rawBody')
  app.addHook('onRoute', (route) => {
    const methods = [route.method].flat()
    const keep = (access: RouteAccess) => { app.routeList.push(...methods.map((method) => ({ method, url: route.url, access }))) }
    if (route.config?.access !== undefined) return keep(route.config.access)
    const fromPlugin = publicPlugins.some((prefix) => route.url === prefix || route.url.startsWith(`${prefix}/`))
    const reads = methods.every((method) => method === 'GET' || method === 'HEAD')
    if (!fromPlugin || !reads) throw new Error(`the route ${methods.join(',')} ${route.url} does not say who may call it: set config.access`)
    route.config = { ...route.config, access: 'public' }
    keep('public')
  })
  app.addHook('onRequest', async (request) => {
    if (request.is404) return
    const { access } = request.routeOptions.config
    if (access === 'bot') {
      if (request.bot === undefined) throw request.botRefusal
      return
    }
    // Pages and health need nobody: they must also answer when the database does not.
    if (access === 'public' && request.routeOptions.config.operationId === undefined) return
    request.who = await identify(request, deps)
    if (changesState(request)) refuseForeignOrigin(request, deps.publicUrl())
    decide(access, request.who)
  })
}
