import { constants } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, rename, rmdir, stat, unlink } from 'node:fs/promises'
import path from 'node:path'
import { CertloopError } from '@certloop/contract'
import { fileError, hasCode } from '../hosts/file-errors.ts'
import { type HeldFolder, inFolder } from '../hosts/held-folder.ts'
import type { Limits } from '../hosts/limits.ts'

export interface FileProof {
  /** By its real path. */
  file: string
  content: string
  /** Name beside the file under which it is written first; of this proof alone. */
  staged: string
}
export interface FileDeps {
  limits: Limits
  /** Called after each change on disk; tests end the process there. */
  crashPoint: (name: string) => void
}

/** The content is public, and a web server of any account has to read it. */
const fileMode = 0o644
/** What others need to look into a folder. */
const seenByOthers = 0o005

/**
 * Makes the folders that are missing, then the file: whole or not at all, and never in the place of another one.
 * @param folders the outer one first; as the folder above they are owned and readable
 * @throws CertloopError TOKEN_NOT_WRITTEN (another file is there), DISK_FULL, FILE_UNWRITABLE, PATH_NOT_ALLOWED
 */
export async function placeFile(proof: FileProof, folders: readonly string[], { limits, crashPoint }: FileDeps): Promise<void> {
  for (const folder of folders) {
    await limits.allowWrite(folder)
    await failing(folder, 'make this folder', () => makeFolder(folder))
    crashPoint('folder-made')
  }
  await limits.allowWrite(proof.file)
  await limits.allowWrite(stagedPath(proof))
  await failing(proof.file, 'write it', () => inFolder(path.dirname(proof.file), async (held) => {
    const present = await contentAt(held, proof)
    if (present === 'other') throw occupied(proof.file)
    if (present === 'none') await write(held, proof, crashPoint)
    else await removeEntry(held, proof.staged) // of a crash right after it got its name
  }))
}

/**
 * Removes the file if it is as it was placed. What is not there is fine.
 * @returns what was left there, and why; null: nothing
 * @throws CertloopError FILE_UNWRITABLE, PATH_NOT_ALLOWED
 */
export async function removeFile(proof: FileProof, { limits, crashPoint }: FileDeps): Promise<string | null> {
  try {
    return await inFolder(path.dirname(proof.file), async (held) => {
      if (await isThere(held.at(proof.staged))) await limits.allowWrite(stagedPath(proof))
      await removeEntry(held, proof.staged)
      const present = await contentAt(held, proof)
      if (present === 'other') return `${proof.file} has another content than what was placed there, so it was left.`
      if (present === 'none') return null
      await limits.allowWrite(proof.file)
      await removeEntry(held, path.basename(proof.file))
      crashPoint('file-removed')
      return null
    })
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null
    throw await fileError(error, proof.file, 'remove it')
  }
}

/** Removes a folder when it is empty. One that is in use, or may not be removed any more, stays. */
export async function removeFolder(folder: string, { limits, crashPoint }: FileDeps): Promise<void> {
  await inFolder(path.dirname(folder), async (held) => {
    const here = held.at(path.basename(folder))
    if (!await isThere(here)) return
    await limits.allowWrite(folder)
    await rmdir(here)
    await held.sync()
  }).catch(async (error: unknown) => {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST')) throw await fileError(error, folder, 'remove this folder')
  })
  crashPoint('folder-removed')
}

const stagedPath = ({ file, staged }: FileProof) => path.join(path.dirname(file), staged)

const isThere = (entry: string) => lstat(entry).then(() => true, (error: unknown) => {
  if (hasCode(error, 'ENOENT')) return false
  throw error
})

const occupied = (file: string) => new CertloopError('TOKEN_NOT_WRITTEN', `There is another file at ${file}, and it was left as it is.`, { path: file })

async function failing<T>(file: string, doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw await fileError(error, file, doing)
  }
}

/** One that is there already stays, and gets owner and mode again: a crash may have come in between. */
async function makeFolder(folder: string): Promise<void> {
  await inFolder(path.dirname(folder), async (held) => {
    const here = held.at(path.basename(folder))
    await mkdir(here, { mode: 0o700 }).catch((error: unknown) => { if (!hasCode(error, 'EEXIST')) throw error })
    const above = await stat(held.at('.'))
    const handle = await open(here, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    try {
      const isOwned = await takeOwner(handle, above)
      await handle.chmod((above.mode & 0o7777) | (isOwned ? 0 : seenByOthers))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await held.sync()
  })
}

/** An account that is not root may give nothing away. @returns whether it has the owner now */
async function takeOwner(handle: FileHandle, { uid, gid }: { uid: number; gid: number }): Promise<boolean> {
  const facts = await handle.stat()
  if (facts.uid === uid && facts.gid === gid) return true
  return handle.chown(uid, gid).then(() => true, (error: unknown) => {
    if (hasCode(error, 'EPERM')) return false
    throw error
  })
}

async function contentAt(held: HeldFolder, { file, content }: FileProof): Promise<'none' | 'same' | 'other'> {
  const wanted = Buffer.from(content)
  const here = held.at(path.basename(file))
  try {
    // The kind of entry first: a pipe must not hold the bot, and a device must not be opened.
    if (!(await lstat(here)).isFile()) return 'other'
    const handle = await open(here, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
    try {
      const { size } = await handle.stat()
      return size === wanted.length && wanted.equals(await handle.readFile()) ? 'same' : 'other'
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'none'
    throw error
  }
}

async function write(held: HeldFolder, { file, content, staged }: FileProof, crashPoint: FileDeps['crashPoint']): Promise<void> {
  await removeEntry(held, staged)
  try {
    const handle = await open(held.at(staged), 'wx', 0o600)
    try {
      await handle.writeFile(content)
      await takeOwner(handle, await stat(held.at('.')))
      await handle.chmod(fileMode)
      await handle.sync()
    } finally {
      await handle.close()
    }
    crashPoint('staged')
    await nameOnce(held, staged, path.basename(file), file)
    crashPoint('named')
  } finally {
    await removeEntry(held, staged)
  }
  await held.sync()
}

/** Gives the file its name unless that is taken: a link refuses where a rename would replace. */
async function nameOnce(held: HeldFolder, staged: string, name: string, file: string): Promise<void> {
  try {
    await link(held.at(staged), held.at(name))
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw occupied(file)
    if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw error
    // A file system without links: nothing was there a moment ago.
    await rename(held.at(staged), held.at(name))
  }
}

/** Looked at first: what is not there can not be removed from a read-only file system either, and need not be. */
async function removeEntry(held: HeldFolder, name: string): Promise<void> {
  if (!await isThere(held.at(name))) return
  await unlink(held.at(name)).then(() => held.sync(), (error: unknown) => { if (!hasCode(error, 'ENOENT')) throw error })
}
