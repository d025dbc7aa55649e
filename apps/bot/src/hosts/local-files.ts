import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, readdir, readlink, rename, rmdir, unlink } from 'node:fs/promises'
import path from 'node:path'
import { CertloopError, type Ownership } from '@certloop/contract'
import type { FileFacts, Host } from '@certloop/plugin-kit'
import { fileError, hasCode } from './file-errors.ts'
import type { Limits } from './limits.ts'
import { realPathOf } from './real-path.ts'
import { keepSecurityContext } from './security-context.ts'

export type HostFiles = Pick<Host, 'readFile' | 'stat' | 'realPath' | 'list' | 'stageFile' | 'linkFile' | 'renameFile' | 'removeFile' | 'makeDirectory' | 'removeDirectory'>

const defaultReadLimit = 16 * 1024 * 1024

/** File calls of the local host. Each write asks the limits first and is on disk when it returns. */
export function localFiles(limits: Limits): HostFiles {
  return {
    readFile,
    stat,
    realPath: realPathOf,
    list,
    async stageFile(file, stagePath, content, ownership) {
      await limits.allowWrite(file)
      await limits.allowWrite(stagePath)
      await stage(file, stagePath, content, ownership)
    },
    async linkFile(from, to) {
      await limits.allowWrite(to)
      await failing(to, 'make a second name for a file', () => replaceByLink(from, to))
    },
    async renameFile(from, to) {
      await allowEntry(limits, from)
      await allowEntry(limits, to)
      await failing(to, 'put the new file in its place', async () => {
        await rename(from, to)
        await syncFolder(path.dirname(to))
      })
    },
    async removeFile(file) {
      await allowEntry(limits, file)
      await failing(file, 'remove it', () => removeAnd(unlink, file, ['ENOENT']))
    },
    async makeDirectory(folder, ownership) {
      await limits.allowWrite(folder)
      await failing(folder, 'make this folder', () => makeFolder(folder, ownership))
    },
    async removeDirectory(folder) {
      await allowEntry(limits, folder)
      await failing(folder, 'remove this folder', () => removeAnd(rmdir, folder, ['ENOENT', 'ENOTEMPTY', 'EEXIST']))
    },
  }
}

/** Renaming and removing act on the entry itself and not on what it points to: the folder decides. */
async function allowEntry(limits: Limits, entry: string): Promise<void> {
  const folder = await realPathOf(path.dirname(entry))
  await limits.allowWrite(folder === undefined ? entry : path.join(folder, path.basename(entry)))
}

async function failing<T>(file: string, doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw await fileError(error, file, doing)
  }
}

async function readFile(file: string, limitBytes = defaultReadLimit): Promise<Uint8Array | undefined> {
  try {
    // Not blocking: a pipe in the place of a file must not hold the bot.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const facts = await handle.stat()
      if (!facts.isFile()) throw new CertloopError('FILE_UNWRITABLE', `${file} is not a regular file.`, { path: file })
      if (facts.size > limitBytes) throw new CertloopError('FILE_UNWRITABLE', `${file} has ${facts.size} bytes; at most ${limitBytes} are read.`, { path: file })
      return new Uint8Array(await handle.readFile())
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw await fileError(error, file, 'read it')
  }
}

async function stat(file: string): Promise<FileFacts | undefined> {
  try {
    const facts = await lstat(file)
    const type = facts.isFile() ? 'file' : facts.isDirectory() ? 'directory' : facts.isSymbolicLink() ? 'link' : 'other'
    return { type, size: facts.size, mode: facts.mode & 0o7777, uid: facts.uid, gid: facts.gid, linkTarget: type === 'link' ? await readlink(file) : null }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw await fileError(error, file, 'look at it')
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted()
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return []
    throw await fileError(error, folder, 'list this folder')
  }
}

async function stage(file: string, stagePath: string, content: Uint8Array, ownership: Ownership | null): Promise<void> {
  try {
    const present = await stat(file)
    const facts = present?.type === 'file' ? present : ownership
    if (facts === null) throw new CertloopError('FILE_UNWRITABLE', `${file} is gone, and no owner and mode were given for a new file.`, { path: file })
    if (present?.type === 'file') await refuseImmutable(file)
    await unlink(stagePath).catch((error: unknown) => { if (!hasCode(error, 'ENOENT')) throw error })
    // "wx" also refuses a link that somebody put there in the meantime.
    const handle = await open(stagePath, 'wx', 0o600)
    try {
      await fill(handle, content, facts)
      if (present?.type === 'file') await keepSecurityContext(file, stagePath)
      await handle.sync()
    } catch (error) {
      await unlink(stagePath)
      throw error
    } finally {
      await handle.close()
    }
    await syncFolder(path.dirname(stagePath))
  } catch (error) {
    throw await fileError(error, stagePath, 'write it')
  }
}

/**
 * A file with the immutable or append-only flag can't be renamed over, not even by root: it shows here, while nothing
 * is touched. Mode bits don't matter for a rename, so nothing else that keeps us from opening it does.
 */
async function refuseImmutable(file: string): Promise<void> {
  try {
    await (await open(file, constants.O_WRONLY | constants.O_NONBLOCK)).close()
  } catch (error) {
    if (hasCode(error, 'EPERM')) throw await fileError(error, file, 'replace it')
  }
}

/** The owner first: giving a file away clears bits of its mode. Content last, so that nobody else ever reads a key. */
async function fill(handle: FileHandle, content: Uint8Array, { uid, gid, mode }: Ownership): Promise<void> {
  const facts = await handle.stat()
  if (facts.uid !== uid || facts.gid !== gid) await handle.chown(uid, gid)
  await handle.chmod(mode)
  await handle.writeFile(content)
}

/** Links under another name first and renames: `to` is never missing. */
async function replaceByLink(from: string, to: string): Promise<void> {
  const [source, present] = [await lstat(from), await lstat(to).catch(() => undefined)]
  // Renaming one name of a file onto another of the same file does nothing and would leave the first.
  if (present !== undefined && present.ino === source.ino && present.dev === source.dev) return
  const between = path.join(path.dirname(to), `.${path.basename(to)}.${randomBytes(6).toString('hex')}`)
  try {
    await link(from, between)
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error
    await copyWithFacts(from, between)
  }
  await rename(between, to).catch(async (error: unknown) => {
    await unlink(between)
    throw error
  })
  await syncFolder(path.dirname(to))
}

async function copyWithFacts(from: string, to: string): Promise<void> {
  const [content, facts] = [await readFile(from), await stat(from)]
  if (content === undefined || facts === undefined) throw new CertloopError('FILE_UNWRITABLE', `${from} is gone.`, { path: from })
  await stage(to, to, content, { mode: facts.mode, uid: facts.uid, gid: facts.gid })
  await keepSecurityContext(from, to)
}

/** A folder that is there already stays as it is. */
async function makeFolder(folder: string, { uid, gid, mode }: Ownership): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (error) {
    if (hasCode(error, 'EEXIST') && (await lstat(folder)).isDirectory()) return
    throw error
  }
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    const facts = await handle.stat()
    if (facts.uid !== uid || facts.gid !== gid) await handle.chown(uid, gid)
    await handle.chmod(mode)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await syncFolder(path.dirname(folder))
}

async function removeAnd(remove: (entry: string) => Promise<void>, entry: string, fine: string[]): Promise<void> {
  try {
    await remove(entry)
  } catch (error) {
    if (hasCode(error, ...fine)) return
    throw error
  }
  await syncFolder(path.dirname(entry))
}

/** Makes renames and new names in a folder survive a power cut. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
