import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { CertloopError, newId, operations, permissions, type OperationId, type Permission, type Role } from '@certloop/contract'
import type { InjectOptions } from 'fastify'
import { createAudit } from '../audit/audit.ts'
import type { Database } from '../database/database.ts'
import { insertUser } from '../user/user-store.ts'
import { hashPassword } from '../user/password.ts'
import { createUsers, type Users } from '../user/users.ts'
import { anonymous, type Who } from './who.ts'
import { buildHttp, type HttpDeps } from './build-http.ts'
import { implement, implementBotRoute, type App } from './implement.ts'

/** A clock that tests move. */
export interface TestClock { now: () => Date; pass: (seconds: number) => void }
export function testClock(start = '2026-03-01T00:00:00.000Z'): TestClock {
  let at = Date.parse(start)
  return { now: () => new Date(at), pass: (seconds) => { at += seconds * 1000 } }
}

export const testPassword = 'correct horse battery'
let passwordHash: Promise<string> | undefined
/** A user with testPassword. */
export async function addUser(database: Database, { now }: TestClock, name: string, role: Role | 'nothing'): Promise<void> {
  passwordHash ??= hashPassword(testPassword)
  const at = now().toISOString()
  await insertUser(database.db, { id: newId('usr', now()), name, role: role as Role, passwordHash: await passwordHash, mustChangePassword: 0, createdAt: at, passwordChangedAt: at })
}

const signedIn = (users: Users, name: string) => users.signIn({ name, password: testPassword, address: '127.0.0.1', replaced: anonymous })
/** Headers as a page of this site sends them. */
export const asPage = (cookie: string) => ({ cookie: `certloop_session=${cookie}`, 'sec-fetch-site': 'same-origin' })
export const asToken = (token: string) => ({ authorization: `Bearer ${token}` })

/**
 * The whole HTTP side over a real database, not yet ready. What `prepare` leaves out of the contract answers
 * ACTION_NOT_POSSIBLE: whoever gets that was let in.
 */
export async function startHttp(t: TestContext, database: Database, prepare: (app: App) => void = () => {}, options: Partial<HttpDeps> = {}) {
  const clock = testClock()
  const deps = { database, now: clock.now }
  const users = createUsers(deps)
  const audit = createAudit(deps)
  const app = await buildHttp({
    ...deps, users, audit, publicUrl: () => 'https://certloop.test', version: '0.0.0', webFolder: '/nonexistent/pages',
    botAuth: async () => { throw new CertloopError('BOT_SIGNATURE_INVALID', 'Nobody is a bot here.') }, ...options,
  })
  t.after(() => app.close())
  prepare(app)
  for (const id of Object.keys(operations) as OperationId[]) {
    if (!app.implementedOperations.has(id)) implement(app, id, async () => { throw new CertloopError('ACTION_NOT_POSSIBLE', 'reached') })
  }
  implementBotRoute(app, { operationId: 'botSample', method: 'POST', path: '/sample/{id}', access: 'bot', summary: 'A sample', response: null, status: 204 }, async () => undefined)
  await app.ready()
  await addUser(database, clock, 'root', 'administrator')
  await addUser(database, clock, 'nobody', 'nothing')
  const signIn = async (name: string) => signedIn(users, name)
  const root = await signIn('root')
  const tokenFor = async (given: readonly Permission[], who: Who = root.who) => (await users.tokens.create(who, { name: newId('req', clock.now()), permissions: given })).token
  const call = async (method: string, url: string, headers: Record<string, string> = {}, payload?: object | string) =>
    app.inject({ method: method as 'GET', url, headers: { ...headers }, ...(payload === undefined ? {} : { payload }) } satisfies InjectOptions)
  return { app, users, audit, clock, root, signIn, tokenFor, call }
}

const addressOf = (url: string) => url.replace(/:action\b/, 'rotate').replaceAll(/:\w+/g, 'x').replace('*', 'x')

/**
 * Calls every route of the app that is not named in `open` as a stranger, with a session that may nothing, and with a
 * token that may all but what the route asks for. @returns the routes that did not refuse
 */
export async function routesLeftOpen(app: App, open: readonly string[], nothing: string, allBut: (permission: Permission | undefined) => Promise<string>): Promise<string[]> {
  const left: string[] = []
  for (const { method, url, access } of app.routeList) {
    const name = `${method} ${url}`
    if (open.includes(name)) continue
    const asked = permissions.find((permission) => permission === access)
    const status = async (headers: Record<string, string>) => (await app.inject({ method: method as 'GET', url: addressOf(url), headers })).statusCode
    const stranger = await status({})
    const session = access === 'self' ? 403 : await status(asPage(nothing))
    const token = access === 'self' ? 403 : await status(asToken(await allBut(asked)))
    if (stranger !== 401 || ![401, 403].includes(session) || ![401, 403].includes(token)) left.push(`${name} (${access}): ${stranger}, ${session}, ${token}`)
  }
  assert.ok(app.routeList.length > open.length)
  return left
}
