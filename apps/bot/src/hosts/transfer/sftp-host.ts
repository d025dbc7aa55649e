import { CertloopError, type Ownership, type SftpReach, type TargetSecrets, toCertloopError } from '@certloop/contract'
import type { FileFacts, Host } from '@certloop/plugin-kit'
import { createHash, randomBytes } from 'node:crypto'
import type { FileEntryWithStats, Stats } from 'ssh2'
import { type FilePlace, filesOnlyHost, nameOf, parentOf } from './files-only.ts'
import { createSftpSession, hasStatus, isUnsupported, type SftpDeps, type SftpSession, sftpStatus } from './sftp-session.ts'

const defaultReadLimit = 16 * 1024 * 1024
/** What every server takes in one packet: draft-ietf-secsh-filexfer-02, section 3. */
const chunkBytes = 32 * 1024

/**
 * A folder tree behind SFTP (version 3). `posix-rename`, `fsync`, `hardlink` and `statvfs` of OpenSSH are used where the
 * server has them (PROTOCOL of OpenSSH, section 4).
 */
export function createSftpHost(reach: SftpReach, secrets: TargetSecrets, deps: SftpDeps): Host {
  const session = createSftpSession(reach, secrets, deps)
  return { ...filesOnlyHost('sftp', 'over SFTP', reach.host, filePlace(session)), realPath: (path) => realPath(session, path) }
}

function filePlace(session: SftpSession): FilePlace {
  return {
    readFile: (path, limitBytes = defaultReadLimit) => failing(path, 'read it', () => ifThere(undefined, () => download(session, path, limitBytes))),
    stat: (path) => failing(path, 'look at it', () => stat(session, path)),
    list: (path) => failing(path, 'list this folder', () => ifThere([], () => names(session, path))),
    stageFile: (path, stagePath, content, ownership) => failing(stagePath, 'write it', () => stage(session, { path, stagePath, content, ownership })),
    linkFile: (from, to) => failing(to, 'make a second name for a file', () => link(session, from, to)),
    renameFile: (from, to) => failing(to, 'put the new file in its place', () => rename(session, from, to)),
    removeFile: (path) => failing(path, 'remove it', () => ifThere(undefined, () => session.tell((sftp, done) => sftp.unlink(path, done)))),
    async makeDirectory(path, { mode }) {
      await failing(path, 'make this folder', async () => {
        if (await stat(session, path) === undefined) await session.tell((sftp, done) => sftp.mkdir(path, { mode }, done))
      })
    },
    async removeDirectory(path) {
      await failing(path, 'remove this folder', () => ifThere(undefined, async () => {
        if ((await names(session, path)).length === 0) await session.tell((sftp, done) => sftp.rmdir(path, done))
      }))
    },
  }
}

/** The statuses in plain words, with what is known of the place. */
async function failing<T>(path: string, doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CertloopError) throw error
    const { message } = toCertloopError(error)
    const known = hasStatus(error, sftpStatus.permissionDenied, sftpStatus.failure, sftpStatus.noSuchFile)
    const reason = hasStatus(error, sftpStatus.permissionDenied) ? 'the login may not do this there' : hasStatus(error, sftpStatus.noSuchFile) ? 'it, or its folder, is not there' : `the server answers "${message}"`
    throw new CertloopError(known ? 'FILE_UNWRITABLE' : 'TRANSFER_FAILED', `${path}: could not ${doing}: ${reason}.`, { path }, error)
  }
}

async function ifThere<T>(otherwise: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (hasStatus(error, sftpStatus.noSuchFile)) return otherwise
    throw error
  }
}

/** A full disk is told as a mere failure; the number of free blocks says which. */
async function isFull(session: SftpSession, folder: string): Promise<boolean> {
  const facts = await session.call<{ f_bavail?: number }>((sftp, done) => sftp.ext_openssh_statvfs(folder, done)).catch(() => undefined) // without the extension nothing is known
  return facts?.f_bavail === 0 || Number(facts?.f_bavail) < 2
}

async function stat(session: SftpSession, path: string): Promise<FileFacts | undefined> {
  return ifThere(undefined, async () => {
    const facts = await session.call<Stats>((sftp, done) => sftp.lstat(path, done))
    const type = facts.isFile() ? 'file' : facts.isDirectory() ? 'directory' : facts.isSymbolicLink() ? 'link' : 'other'
    const linkTarget = type === 'link' ? await session.call<string>((sftp, done) => sftp.readlink(path, done)) : null
    return { type, size: facts.size, mode: facts.mode & 0o7777, uid: facts.uid, gid: facts.gid, linkTarget }
  })
}

async function names(session: SftpSession, path: string): Promise<string[]> {
  const entries = await session.call<FileEntryWithStats[]>((sftp, done) => sftp.readdir(path, done))
  return entries.map(({ filename }) => filename).filter((name) => name !== '.' && name !== '..').toSorted()
}

/** The server follows links, up to a last part that need not be there. */
async function realPath(session: SftpSession, path: string, left = 40): Promise<string | undefined> {
  const found = await failing(path, 'find out where it really lies', () => ifThere(undefined, () => stat(session, path)))
  if (found?.type === 'link') return left === 0 ? undefined : realPath(session, resolveLink(path, found.linkTarget ?? ''), left - 1)
  const folder = await failing(path, 'find out where it really lies', () => ifThere(undefined, () => session.call<string>((sftp, done) => sftp.realpath(parentOf(path), done))))
  if (folder === undefined || await stat(session, folder) === undefined) return undefined
  return path === '/' ? '/' : `${folder.replace(/\/$/, '')}/${nameOf(path)}`
}

const resolveLink = (path: string, target: string) => (target.startsWith('/') ? target : `${parentOf(path).replace(/\/$/, '')}/${target}`)

async function withHandle<T>(session: SftpSession, path: string, flags: 'r' | 'wx', work: (handle: Buffer) => Promise<T>): Promise<T> {
  const handle = await session.call<Buffer>((sftp, done) => (flags === 'r' ? sftp.open(path, 'r', done) : sftp.open(path, 'wx', { mode: 0o600 }, done)))
  try {
    return await work(handle)
  } finally {
    await session.tell((sftp, done) => sftp.close(handle, done))
  }
}

async function download(session: SftpSession, path: string, limitBytes: number): Promise<Buffer> {
  return withHandle(session, path, 'r', async (handle) => {
    const facts = await session.call<Stats>((sftp, done) => sftp.fstat(handle, done))
    if (!facts.isFile()) throw new CertloopError('FILE_UNWRITABLE', `${path} is not a regular file.`, { path })
    if (facts.size > limitBytes) throw new CertloopError('FILE_UNWRITABLE', `${path} has ${facts.size} bytes; at most ${limitBytes} are read.`, { path })
    const content = Buffer.alloc(facts.size)
    let at = 0
    while (at < content.length) {
      const read = await session.call<number>((sftp, done) => sftp.read(handle, content, at, Math.min(chunkBytes, content.length - at), at, (error, bytes) => { done(error, bytes) }))
      if (read === 0) break
      at += read
    }
    return content.subarray(0, at)
  })
}

const digest = (content: Uint8Array) => createHash('sha256').update(content).digest('hex')

interface Stage { path: string; stagePath: string; content: Uint8Array; ownership: Ownership | null }

/** Owner first, mode, content, disk; then it is read back. What can't be finished is taken away. */
async function stage(session: SftpSession, { path, stagePath, content, ownership }: Stage): Promise<void> {
  const present = ownership === null ? await stat(session, path) : undefined
  await ifThere(undefined, () => session.tell((sftp, done) => sftp.unlink(stagePath, done)))
  const body = Buffer.from(content)
  try {
    await withHandle(session, stagePath, 'wx', async (handle) => {
      if (present !== undefined) await keepOwner(session, handle, path, present)
      else if (ownership !== null) await giveTo(session, handle, ownership)
      await session.tell((sftp, done) => sftp.fchmod(handle, ownership?.mode ?? present?.mode ?? 0o600, done))
      for (let at = 0; at < body.length; at += chunkBytes) await session.tell((sftp, done) => sftp.write(handle, body, at, Math.min(chunkBytes, body.length - at), at, done))
      await session.tell((sftp, done) => sftp.ext_openssh_fsync(handle, done)).catch((error: unknown) => { if (!isUnsupported(error)) throw error })
    })
    const arrived = await download(session, stagePath, body.length + 1)
    if (digest(arrived) !== digest(body)) throw new CertloopError('TRANSFER_FAILED', `${stagePath} did not arrive as it was sent: ${arrived.length} of ${body.length} bytes, or others.`, { path: stagePath })
  } catch (error) {
    // Asked before the part is taken away: then there is room again.
    const full = hasStatus(error, sftpStatus.failure) && await isFull(session, parentOf(stagePath))
    await session.tell((sftp, done) => sftp.unlink(stagePath, done)).catch(() => undefined) // the first reason is the better one
    if (full) throw new CertloopError('DISK_FULL', `${stagePath}: could not write it: no space is left on its file system.`, { path: stagePath }, error)
    throw error
  }
}

/** A file of another owner keeps him, or it is refused: the program that reads it might not be able to any more. */
async function keepOwner(session: SftpSession, handle: Buffer, path: string, { uid, gid }: FileFacts): Promise<void> {
  const own = await session.call<Stats>((sftp, done) => sftp.fstat(handle, done))
  if (own.uid === uid && own.gid === gid) return
  try {
    await session.tell((sftp, done) => sftp.fchown(handle, uid, gid, done))
  } catch (error) {
    throw new CertloopError('FILE_UNWRITABLE', `${path} belongs to user ${uid}, group ${gid}, and the login (user ${own.uid}, group ${own.gid}) can not give the new file to them. Log in as that user, or let the file belong to the login.`, { path }, error)
  }
}

/** A new file, or an old one that is brought back, gets its owner where the login may give it away; else it stays the login's. */
async function giveTo(session: SftpSession, handle: Buffer, { uid, gid }: Ownership): Promise<void> {
  const own = await session.call<Stats>((sftp, done) => sftp.fstat(handle, done))
  if (uid < 0 || (own.uid === uid && own.gid === gid)) return
  await session.tell((sftp, done) => sftp.fchown(handle, uid, gid, done)).catch((error: unknown) => {
    if (!hasStatus(error, sftpStatus.permissionDenied, sftpStatus.failure) && !isUnsupported(error)) throw error
  })
}

/** A hard link where the server has the extension, else a copy; either takes its place by a rename. */
async function link(session: SftpSession, from: string, to: string): Promise<void> {
  const name = `${parentOf(to).replace(/\/$/, '')}/.${nameOf(to)}.${randomBytes(6).toString('hex')}`
  try {
    await session.tell((sftp, done) => sftp.ext_openssh_hardlink(from, name, done))
  } catch (error) {
    if (!isUnsupported(error) && !hasStatus(error, sftpStatus.failure)) throw error
    const facts = await stat(session, from)
    await stage(session, { path: from, stagePath: name, content: await download(session, from, defaultReadLimit), ownership: facts === undefined ? null : { mode: facts.mode, uid: facts.uid, gid: facts.gid } })
  }
  await rename(session, name, to)
  // Renaming one name of a file onto another of the same file does nothing and leaves the first.
  await ifThere(undefined, () => session.tell((sftp, done) => sftp.unlink(name, done)))
}

/** Without `posix-rename` a server refuses to replace: then the old file goes first, with a gap of one call, once the new one is known to be there. */
async function rename(session: SftpSession, from: string, to: string): Promise<void> {
  try {
    await session.tell((sftp, done) => sftp.ext_openssh_rename(from, to, done))
  } catch (error) {
    if (!isUnsupported(error)) throw error
    await session.call<Stats>((sftp, done) => sftp.lstat(from, done))
    await ifThere(undefined, () => session.tell((sftp, done) => sftp.unlink(to, done)))
    await session.tell((sftp, done) => sftp.rename(from, to, done))
  }
}
