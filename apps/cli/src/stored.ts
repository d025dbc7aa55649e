import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { exitCodes, Failure } from './failure.ts'

/** What `login` keeps, in a file only its owner can read. */
export interface StoredSignIn {
  url: string
  token: string
  /** Set when login made the token itself: logout deletes it. */
  tokenId?: string
  /** PEM of the authority that vouches for the control plane's TLS certificate. */
  caPem?: string
}

/** $XDG_CONFIG_HOME/certloop/cli.json, by default ~/.config/certloop/cli.json. */
export function storedPath(env: Record<string, string | undefined>, home: string): string {
  return join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'certloop', 'cli.json')
}

const unreadable = (path: string, why: string) => new Failure({ exit: exitCodes.access, what: `The stored sign-in can not be used: ${why}.`, remedy: 'Sign in again: certloop login.', where: path })

const isStored = (value: unknown): value is StoredSignIn =>
  typeof value === 'object' && value !== null && typeof (value as StoredSignIn).url === 'string' && typeof (value as StoredSignIn).token === 'string'

/** @throws Failure when there is a file that can not be used */
export async function readStored(path: string): Promise<StoredSignIn | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unreadable(path, (error as Error).message)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw unreadable(path, 'it is not JSON')
  }
  if (!isStored(value)) throw unreadable(path, 'url or token is missing')
  return value
}

/** Written beside and renamed, so that no moment leaves half a file or one that others can read. */
export async function writeStored(path: string, stored: StoredSignIn, unique: string): Promise<void> {
  const next = `${path}.${unique}.new`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFile(next, `${JSON.stringify(stored, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    await rename(next, path)
  } catch (error) {
    await rm(next, { force: true })
    throw new Failure({ exit: exitCodes.failed, what: `The sign-in can not be stored: ${(error as Error).message}.`, remedy: 'Mend the rights of the folder, or use CERTLOOP_URL and CERTLOOP_TOKEN.', where: path })
  }
}

export const removeStored = (path: string): Promise<void> => rm(path, { force: true })
