import type { Client } from '@certloop/api-client'
import { connectionOf, type Connection } from './connection.ts'
import { exitCodes, Failure, failureLines, type FailureText } from './failure.ts'
import { clean, cleanText, jsonText } from './format/clean.ts'
import { paintFor, type Paint } from './format/paint.ts'
import { readStored, storedPath } from './stored.ts'
import type { World } from './world.ts'

type ApiModule = typeof import('@certloop/api-client')

/** What a command works with. */
export interface Context {
  readonly world: World
  readonly json: boolean
  readonly paint: Paint
  /** Path of the stored sign-in. */
  readonly storedPath: string
  /** The API client's module; loaded only when it is needed, as it is most of the start-up time. */
  api(): Promise<ApiModule>
  /** A client of the control plane one is signed in to. @throws Failure when nobody is */
  client(): Promise<Client>
  /** The answer: as JSON with --json, else the lines made from a copy that is safe to print. */
  show<T>(answer: T, lines: (safe: T) => readonly string[]): void
  /** Words beside the answer, on standard error; silent with --json when they are only progress. */
  note(text: string): void
  warn(text: string): void
  fail(failure: FailureText): void
}

/** Trusts a control plane whose certificate comes from an authority of its own, beside those trusted anyway. */
export async function trust(caPem: string | undefined): Promise<void> {
  if (caPem === undefined) return
  const tls = await import('node:tls')
  try {
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), caPem])
  } catch (error) {
    throw new Failure({ exit: exitCodes.usage, what: `The authority's certificate can not be used: ${(error as Error).message}.`, remedy: 'Give the root certificate of the control plane in PEM form.', where: 'CERTLOOP_CA, or certloop login --ca' })
  }
}

export function createContext(world: World, json: boolean): Context {
  const path = storedPath(world.env, world.home)
  const paint = paintFor(world.outIsTerminal, world.env)
  const errPaint = paintFor(world.errIsTerminal, world.env)
  const loadApi = () => import('@certloop/api-client')
  let client: Promise<Client> | undefined
  const connect = async (): Promise<Client> => {
    const connection: Connection = await connectionOf(world.env, await readStored(path), path)
    await trust(connection.caPem)
    const { createClient } = await loadApi()
    return createClient({ baseUrl: connection.url, token: connection.token })
  }
  return {
    world, json, paint, storedPath: path,
    api: loadApi,
    client: () => (client ??= connect()),
    show(answer, lines) {
      if (json) world.out(`${jsonText(answer)}\n`)
      else for (const line of lines(clean(answer))) world.out(`${line}\n`)
    },
    note(text) { if (!json) world.err(`${cleanText(text)}\n`) },
    warn(text) { world.err(`${errPaint('yellow', 'Note:')} ${cleanText(text)}\n`) },
    fail(failure) {
      const [first = '', ...rest] = failureLines(failure).map(cleanText)
      world.err(`${[errPaint('red', first), ...rest].join('\n')}\n`)
    },
  }
}
