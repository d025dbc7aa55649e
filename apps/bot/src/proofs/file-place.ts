import { lstat, stat } from 'node:fs/promises'
import path from 'node:path'
import { CertloopError } from '@certloop/contract'
import { fileError, hasCode } from '../hosts/file-errors.ts'
import { realPathOf } from '../hosts/real-path.ts'

/** Where a file goes, all by real paths. */
export interface FilePlace {
  file: string
  /** Folders above it that are not there; the outer one first. */
  missing: string[]
}

/**
 * Finds the real place of a file. The folder may be reached through links, since somebody named it just so; below it
 * none is followed, since whoever may write there could lead the file anywhere.
 * @param below begins with a slash
 * @throws CertloopError INPUT_INVALID, FOLDER_MISSING, TOKEN_NOT_WRITTEN (a link, or no folder, in the way), FILE_UNWRITABLE
 */
export async function placeOfFile({ folder, path: below }: { folder: string; path: string }): Promise<FilePlace> {
  const parts = partsOf(folder, below)
  const root = await realPathOf(folder)
  if (root === undefined || !await isFolder(root)) throw new CertloopError('FOLDER_MISSING', `There is no folder ${folder} on this host. It has to be the one that the domain serves as its root.`, { path: folder })
  return { file: path.join(root, ...parts), missing: await missingAbove(root, parts.slice(0, -1)) }
}

/** The file as it would be there today; undefined when its folder is gone. @throws CertloopError INPUT_INVALID, FILE_UNWRITABLE */
export async function presentPlaceOf({ folder, path: below }: { folder: string; path: string }): Promise<string | undefined> {
  const parts = partsOf(folder, below)
  const root = await realPathOf(folder)
  return root && path.join(root, ...parts)
}

function partsOf(folder: string, below: string): string[] {
  if (!path.isAbsolute(folder)) throw new CertloopError('INPUT_INVALID', `${folder} is no absolute path.`, { fields: ['proof.folder: has to be an absolute path of the host'] })
  const parts = below.split('/').slice(1)
  if (parts.some((part) => part === '' || part === '.' || part === '..')) throw new CertloopError('INPUT_INVALID', `${below} is no plain path: it may hold no empty part, "." or "..".`, { fields: ['proof.path: has to be a plain path'] })
  return parts
}

const isFolder = (real: string) => stat(real).then((facts) => facts.isDirectory(), async (error: unknown) => {
  if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
  throw await fileError(error, real, 'look at this folder')
})

async function missingAbove(root: string, names: readonly string[]): Promise<string[]> {
  let walked = root
  const missing: string[] = []
  for (const name of names) {
    walked = path.join(walked, name)
    if (missing.length > 0 || !await isThere(walked)) missing.push(walked)
  }
  return missing
}

async function isThere(folder: string): Promise<boolean> {
  try {
    const facts = await lstat(folder)
    if (facts.isDirectory()) return true
    const what = facts.isSymbolicLink() ? 'is a link, and below the folder of the domain the bot follows none. Name the folder that it leads to as the path of the validation' : 'is no folder'
    throw new CertloopError('TOKEN_NOT_WRITTEN', `${folder} ${what}.`, { path: folder })
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw await fileError(error, folder, 'look at it')
  }
}
