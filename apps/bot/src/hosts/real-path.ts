import { lstat, readlink, realpath } from 'node:fs/promises'
import path from 'node:path'
import { fileError, hasCode } from './file-errors.ts'

/** As many links in a row as Linux follows. */
const maxLinks = 40

/**
 * The file at the end of all links, also when that last one is not there yet; undefined when a link goes round or
 * the folder of the last one is missing.
 * @throws CertloopError FILE_UNWRITABLE when a folder on the way may not be looked into
 */
export async function realPathOf(start: string): Promise<string | undefined> {
  let current = path.resolve(start)
  try {
    for (let links = 0; links <= maxLinks; links++) {
      const folder = await realpath(path.dirname(current))
      const here = current === '/' ? '/' : path.join(folder, path.basename(current))
      const target = await linkTargetOf(here)
      if (target === null) return here
      current = path.resolve(folder, target)
    }
    return undefined
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined
    throw await fileError(error, current, 'find out where it really lies')
  }
}

/** What a link says; null for anything else and for nothing. */
async function linkTargetOf(file: string): Promise<string | null> {
  try {
    return (await lstat(file)).isSymbolicLink() ? await readlink(file) : null
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}
