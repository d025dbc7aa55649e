import { chmod, lstat, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Only a folder that is ours is trusted: others can write below the temporary folder too. */
async function isOurs(folder: string): Promise<boolean> {
  try {
    const facts = await lstat(folder)
    if (facts.isDirectory() && facts.uid === process.getuid?.() && (facts.mode & 0o022) === 0) return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  throw new Error(`${folder} is somebody else's or can be written by others`)
}

/** A folder of ours below the system's temporary folder that outlives the run, so that later ones find it again. */
export const lastingFolder = (name: string): string => join(tmpdir(), `certloop-${name}-${process.getuid?.() ?? 0}`)

/**
 * The lasting folder of this name, filled by the first who needs it. Others that fill it at the same time do so in
 * vain; nobody ever sees it half-full. Readable by all accounts: servers under test run as several.
 */
export async function madeOnce(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = lastingFolder(name)
  if (await isOurs(folder)) return folder
  const making = await mkdtemp(`${folder}-`)
  try {
    await make(making)
    await chmod(making, 0o755)
    await rename(making, folder).catch(async (error: unknown) => { if (!await isOurs(folder)) throw error }) // another run was first
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return folder
}
