import { CertloopError } from '@certloop/contract'
import { setSessionCookie } from '../http/cookies.ts'
import { implement, type App } from '../http/implement.ts'
import { sessionSeconds } from './sessions.ts'
import { sessionOf, type Users } from './users.ts'

export function registerUserRoutes(app: App, users: Users): void {
  implement(app, 'getSession', async ({ who }) => sessionOf(who))
  implement(app, 'signIn', async ({ body, who, request, reply }) => {
    request.subject = `${await users.subjectOf(body.name)} from ${request.ip}`
    const { cookie, who: now } = await users.signIn({ ...body, address: request.ip, replaced: who })
    setSessionCookie(request, reply, cookie, sessionSeconds)
    request.who = now
    return sessionOf(now)
  })
  implement(app, 'signOut', async ({ who, request, reply }) => {
    if (who.via !== 'session') throw new CertloopError('ACTION_NOT_POSSIBLE', 'An API token has no session. Delete the token to end its use.')
    await users.sessions.end(who)
    setSessionCookie(request, reply, null)
    return undefined
  })
  implement(app, 'changePassword', async ({ body, who, request, reply }) => {
    const { cookie, who: now } = await users.changePassword(who, { ...body, address: request.ip })
    setSessionCookie(request, reply, cookie, sessionSeconds)
    return sessionOf(now)
  })
  implement(app, 'listApiTokens', async () => ({ items: await users.tokens.list() }))
  implement(app, 'createApiToken', async ({ body, who }) => users.tokens.create(who, body))
  implement(app, 'deleteApiToken', async ({ params }) => {
    await users.tokens.remove(params.id)
    return undefined
  })
}
