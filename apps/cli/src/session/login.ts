import type { Client, Session } from '@certloop/api-client'
import { checkUrl, readCa } from '../connection.ts'
import { defineCommand } from '../command.ts'
import { trust, type Context } from '../context.ts'
import { isApiProblem, usage } from '../failure.ts'
import { facts } from '../format/table.ts'
import { wholeNumber } from '../parse.ts'
import { readStored, writeStored, type StoredSignIn } from '../stored.ts'
import { signInAndMakeToken } from './sign-in.ts'

const defaultUrl = 'http://localhost:8420'

/** The address given, else the one known, else a question. */
async function chooseUrl(context: Context, given: string | undefined, stored: StoredSignIn | undefined): Promise<string> {
  const { world } = context
  const known = world.env['CERTLOOP_URL'] || stored?.url
  if (given !== undefined) return checkUrl(given, '--url')
  if (!world.canAsk) {
    if (known === undefined) throw usage('Give the address of the control plane with --url.')
    return checkUrl(known, 'The known address')
  }
  const answer = await world.ask(`Address of the control plane [${known ?? defaultUrl}]: `)
  return checkUrl(answer.trim() || (known ?? defaultUrl), 'This')
}

async function readToken({ world }: Context, given: string): Promise<string> {
  const token = (given === '-' ? await world.readInput() : given).trim()
  if (!/^[\w-]{1,200}$/.test(token)) throw usage(given === '-' ? 'Standard input holds no API token.' : 'This is not an API token.')
  return token
}

const clientFor = async (context: Context, baseUrl: string, token: string): Promise<Client> => (await context.api()).createClient({ baseUrl, token })

/** A token that an earlier login made at the same place is of no more use. */
async function endOldToken(context: Context, client: Client, old: StoredSignIn | undefined, fresh: StoredSignIn): Promise<void> {
  if (old?.url !== fresh.url || old.tokenId === undefined || old.tokenId === fresh.tokenId) return
  try {
    await client.call('deleteApiToken', { params: { id: old.tokenId as `tok_${string}` } })
  } catch (error) {
    if (isApiProblem(error) && error.status === 404) return
    context.warn(`The API token of the sign-in before (${old.tokenId}) could not be deleted: ${(error as Error).message}`)
  }
}

export const login = defineCommand({
  noun: 'login', summary: 'Sign in; kept for the commands that follow',
  args: {},
  options: {
    url: { type: 'string', value: 'URL', help: 'address of the control plane' },
    token: { type: 'string', value: 'TOKEN', help: 'an API token; "-" reads it from standard input, where nobody else on this machine can see it' },
    ca: { type: 'string', value: 'FILE', help: 'root certificate (PEM) to trust for this address' },
    days: { type: 'string', value: 'DAYS', help: 'without --token: how long this sign-in lasts; default 90' },
  },
  examples: ['login', 'login --url https://certloop.example.com --token - < token.txt', 'login --url https://certloop.example.com --ca root.pem'],
  notes: ['Without --token it asks for name and password, lets you replace a one-time password, and makes an API token of its own. "certloop logout" deletes that token.'],
  async run(context, { options }) {
    const days = wholeNumber('days', options.days, 1, 3650) ?? 90
    if (options.token === undefined && !context.world.canAsk) throw usage('There is no terminal to ask for name and password.', 'Give an API token: certloop login --url URL --token - < token.txt')
    const stored = await readStored(context.storedPath).catch(() => undefined) // a damaged file is replaced
    const url = await chooseUrl(context, options.url, stored)
    const caPem = options.ca === undefined ? (stored?.url === url ? stored.caPem : undefined) : await readCa(options.ca)
    await trust(caPem)
    const made = options.token === undefined ? await signInAndMakeToken(context, url, days) : { token: await readToken(context, options.token) }
    const fresh: StoredSignIn = { url, ...made, ...(caPem === undefined ? {} : { caPem }) }
    const client = await clientFor(context, url, fresh.token)
    const session: Session = await client.call('getSession')
    await writeStored(context.storedPath, fresh, String(context.world.pid))
    await endOldToken(context, client, stored, fresh)
    context.show(session, (s) => [`Signed in at ${url} as ${s.who}.`, ...facts([['Kept in', context.storedPath], ['May', s.permissions.join(', ')]])])
    for (const name of ['CERTLOOP_URL', 'CERTLOOP_TOKEN']) if (context.world.env[name]) context.warn(`${name} is set and wins over this sign-in.`)
  },
})
