import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, readdir, readlink, rename, rmdir, unlink } from 'node:fs/promises'
import path from 'node:path'
import { CertloopError, type Ownership } from '@certloop/contract'
import type { FileFacts, Host } from '@certloop/plugin-kit'
import { fileError, hasCode } from './file-errors.ts'
import { type HeldFolder, inFolder } from './held-folder.ts'
import type { Limits } from './limits.ts'
import { realPathOf } from './real-path.ts'
import { keepSecurityContext, setSecurityContext } from './security-context.ts'

export type HostFiles = Pick<Host, 'readFile' | 'stat' | 'realPath' | 'list' | 'stageFile' | 'linkFile' | 'renameFile' | 'removeFile' | 'makeDirectory' | 'removeDirectory'>

const defaultReadLimit = 16 * 1024 * 1024
const chunkBytes = 64 * 1024

/** File calls of the local host. Each write asks the limits first, goes by a real path and is on disk when it returns. */
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
      await failing(to, 'put the new file in its place', () => inFolder(path.dirname(from), (source) => inFolder(path.dirname(to), async (held) => {
        await rename(source.at(path.basename(from)), held.at(path.basename(to)))
        await held.sync()
      })))
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
      const content = await readUpTo(handle, limitBytes + 1)
      if (content.length > limitBytes) throw new CertloopError('FILE_UNWRITABLE', `${file} has more than ${limitBytes} bytes, and no more are read.`, { path: file })
      return content
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw await fileError(error, file, 'read it')
  }
}

/** Files of /proc have no size, and some have no end. */
async function readUpTo(handle: FileHandle, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for (let left = most; left > 0;) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(left, chunkBytes)))
    if (bytesRead === 0) break
    chunks.push(buffer.subarray(0, bytesRead))
    left -= bytesRead
  }
  return new Uint8Array(Buffer.concat(chunks))
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
    await inFolder(path.dirname(file), (folder) => inFolder(path.dirname(stagePath), async (held) => {
      await stageIn(held, path.basename(stagePath), content, await factsOf(file, folder, ownership))
    }))
  } catch (error) {
    throw await fileError(error, stagePath, 'write it')
  }
}

/** What a new content of `file` gets: `model`, the present file, gives the security context. */
interface StageFacts { ownership: Ownership; model: string | undefined }

async function factsOf(file: string, folder: HeldFolder, ownership: Ownership | null): Promise<StageFacts> {
  const here = folder.at(path.basename(file))
  const present = await stat(here)
  if (present?.type === 'file') {
    await refuseImmutable(here, file)
    return { ownership: ownership ?? present, model: here }
  }
  if (ownership === null) throw new CertloopError('FILE_UNWRITABLE', `${file} is gone, and no owner and mode were given for a new file.`, { path: file })
  return { ownership, model: undefined }
}

async function stageIn(held: HeldFolder, name: string, content: Uint8Array, { ownership, model }: StageFacts): Promise<void> {
  const staged = held.at(name)
  await unlink(staged).catch((error: unknown) => { if (!hasCode(error, 'ENOENT')) throw error })
  // "wx" also refuses a link that somebody put there in the meantime.
  const handle = await open(staged, 'wx', 0o600)
  try {
    await fill(handle, content, ownership)
    if (ownership.context !== undefined) await setSecurityContext(ownership.context, staged)
    else if (model !== undefined) await keepSecurityContext(model, staged)
    await handle.sync()
  } catch (error) {
    await unlink(staged)
    throw error
  } finally {
    await handle.close()
  }
  await held.sync()
}

/**
 * A file with the immutable or append-only flag can't be renamed over, not even by root: it shows here, while nothing
 * is touched. Mode bits don't matter for a rename, so nothing else that keeps us from opening it does.
 */
async function refuseImmutable(here: string, file: string): Promise<void> {
  try {
    await (await open(here, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)).close()
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
function replaceByLink(from: string, to: string): Promise<void> {
  return inFolder(path.dirname(from), (source) => inFolder(path.dirname(to), async (held) => {
    const [here, there] = [source.at(path.basename(from)), held.at(path.basename(to))]
    const [facts, present] = [await lstat(here), await lstat(there).catch(() => undefined)]
    // Renaming one name of a file onto another of the same file does nothing and would leave the first.
    if (present !== undefined && present.ino === facts.ino && present.dev === facts.dev) return
    const name = `.${path.basename(to)}.${randomBytes(6).toString('hex')}`
    await linkOrCopy(here, held, name)
    await rename(held.at(name), there).catch(async (error: unknown) => {
      await unlink(held.at(name))
      throw error
    })
    await held.sync()
  }))
}

async function linkOrCopy(here: string, held: HeldFolder, name: string): Promise<void> {
  try {
    await link(here, held.at(name))
  } catch (error) {
    if (!hasCode(error, 'EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error
    const { content, facts } = await readEntry(here)
    await stageIn(held, name, content, { ownership: { mode: facts.mode & 0o7777, uid: facts.uid, gid: facts.gid }, model: here })
  }
}

/** Content and facts of one and the same file, and never of one that a link leads to. */
async function readEntry(here: string): Promise<{ content: Uint8Array; facts: Stats }> {
  const handle = await open(here, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  try {
    return { content: await handle.readFile(), facts: await handle.stat() }
  } finally {
    await handle.close()
  }
}

/** A folder that is there already stays as it is. */
function makeFolder(folder: string, ownership: Ownership): Promise<void> {
  return inFolder(path.dirname(folder), async (held) => {
    const here = held.at(path.basename(folder))
    try {
      await mkdir(here, { mode: 0o700 })
    } catch (error) {
      if (hasCode(error, 'EEXIST') && (await lstat(here)).isDirectory()) return
      throw error
    }
    await own(here, ownership)
    await held.sync()
  })
}

async function own(folder: string, { uid, gid, mode }: Ownership): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    const facts = await handle.stat()
    if (facts.uid !== uid || facts.gid !== gid) await handle.chown(uid, gid)
    await handle.chmod(mode)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function removeAnd(remove: (entry: string) => Promise<void>, entry: string, fine: string[]): Promise<void> {
  try {
    await inFolder(path.dirname(entry), async (held) => {
      await remove(held.at(path.basename(entry)))
      await held.sync()
    })
  } catch (error) {
    if (!hasCode(error, ...fine)) throw error
  }
}
