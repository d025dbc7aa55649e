import type { Client } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { exitCodes, Failure, isApiProblem } from '../failure.ts'

/** A session as a browser has it: the cookie comes back with each request, and each says where it comes from. */
function sessionFetch(origin: string): typeof fetch {
  let cookie: string | undefined
  return async (input, init) => {
    const headers = new Headers(init?.headers)
    headers.set('origin', origin)
    if (cookie !== undefined) headers.set('cookie', cookie)
    const response = await fetch(input, { ...init, headers, redirect: 'error' })
    const [set] = response.headers.getSetCookie()
    if (set !== undefined) cookie = set.split(';')[0]
    return response
  }
}

/** Asks until both lines are the same and the control plane takes the password. */
async function replacePassword({ world, ...context }: Context, client: Client, currentPassword: string): Promise<void> {
  world.err('This password works once. Choose one of your own, of at least 12 characters.\n')
  for (;;) {
    const newPassword = await world.ask('New password: ', { hidden: true })
    if (await world.ask('Once more: ', { hidden: true }) !== newPassword) {
      world.err('The two are not the same.\n')
      continue
    }
    try {
      await client.call('changePassword', { body: { currentPassword, newPassword } })
      return
    } catch (error) {
      if (!isApiProblem(error) || error.code !== 'PASSWORD_TOO_WEAK') throw error
      context.note(`${error.message} ${error.remedy}`)
    }
  }
}

/** A name that is taken gets the time behind it. */
async function makeToken({ world }: Context, client: Client, days: number): Promise<{ token: string; tokenId: string }> {
  const now = world.now()
  const expiresAt = new Date(now.getTime() + days * 86_400_000).toISOString()
  const base = `certloop of ${world.whoHere}`.slice(0, 70)
  const make = async (name: string) => {
    const { token, apiToken } = await client.call('createApiToken', { body: { name, expiresAt } })
    return { token, tokenId: apiToken.id }
  }
  try {
    return await make(base)
  } catch (error) {
    if (isApiProblem(error) && error.code === 'CONFLICT') return make(`${base}, ${now.toISOString()}`)
    if (isApiProblem(error) && error.code === 'PERMISSION_DENIED') throw new Failure({ exit: exitCodes.access, what: 'Your role may not make an API token.', remedy: 'Ask an administrator for one, then: certloop login --token -', code: error.code })
    throw error
  }
}

/** Signs in with name and password at the terminal, and trades the session for an API token of its own. */
export async function signInAndMakeToken(context: Context, url: string, days: number): Promise<{ token: string; tokenId: string }> {
  const { world } = context
  const { createClient } = await context.api()
  const client = createClient({ baseUrl: url, fetch: sessionFetch(url) })
  const name = (await world.ask('User name [admin]: ')).trim() || 'admin'
  const password = await world.ask('Password: ', { hidden: true })
  const session = await client.call('signIn', { body: { name, password } })
  if (session.mustChangePassword) await replacePassword(context, client, password)
  const made = await makeToken(context, client, days)
  await client.call('signOut')
  return made
}
