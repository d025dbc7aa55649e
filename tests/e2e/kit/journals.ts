import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Deployments that a bot has begun and not brought to an end, by the records in its engine's folder. */
export async function openJournals(dataFolder: string): Promise<string[]> {
  const folder = join(dataFolder, 'engine', 'journals')
  const open: string[] = []
  for (const name of await readdir(folder)) {
    // An old one may be removed at this very moment.
    const text = await readFile(join(folder, name, 'journal.ndjson'), 'utf8').catch((error: NodeJS.ErrnoException) => { if (error.code === 'ENOENT') return undefined; throw error })
    if (text !== undefined && !text.includes('"type":"closed"')) open.push(name)
  }
  return open
}
