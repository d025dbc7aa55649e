import { CertloopError, type FtpReach, type TargetSecrets } from '@certloop/contract'
import type { FileFacts, Host } from '@certloop/plugin-kit'
import { type Client, FileType, FTPError, type FileInfo } from 'basic-ftp'
import { createHash, randomBytes } from 'node:crypto'
import { Readable, Writable } from 'node:stream'
import type { Limits } from '../limits.ts'
import { type FilePlace, filesOnlyHost, nameOf, parentOf } from './files-only.ts'
import { createFtpSession, type FtpSession, isLost, refuseToSend } from './ftp-session.ts'

const defaultReadLimit = 16 * 1024 * 1024
const usualMode = 0o600

/**
 * A folder tree behind FTP (RFC 959) with TLS (RFC 4217). Owners are not known there (-1), modes only as far as listings
 * show them, and nothing can be forced to disk. Transfers are binary, over passive connections that resume the TLS
 * session of the control connection.
 */
export function createFtpHost(reach: FtpReach, secrets: TargetSecrets, { limits }: { limits: Pick<Limits, 'allowSsh'> }): Host & { close(): void } {
  const session = createFtpSession(reach, secrets.login?.password ?? '', limits)
  return { ...filesOnlyHost('ftp', 'over FTP', reach.host, filePlace(session)), close: () => session.close() }
}

function filePlace(session: FtpSession): FilePlace {
  const entry = async (path: string): Promise<FileInfo | undefined> => (await entries(session, parentOf(path))).find(({ name }) => name === nameOf(path))
  return {
    async readFile(path, limitBytes = defaultReadLimit) {
      const found = await entry(path)
      if (found === undefined) return undefined
      if (found.size > limitBytes) throw new CertloopError('FILE_UNWRITABLE', `${path} has ${found.size} bytes; at most ${limitBytes} are read.`, { path })
      return session.use(path, 'read it', (client) => download(client, path, limitBytes))
    },
    async stat(path): Promise<FileFacts | undefined> {
      if (path === '/') return { type: 'directory', size: 0, mode: 0o755, uid: -1, gid: -1, linkTarget: null }
      const found = await entry(path)
      return found && factsOf(found)
    },
    list: async (path) => (await entries(session, path)).map(({ name }) => name).toSorted(),
    async stageFile(path, stagePath, content, ownership) {
      const present = ownership === null ? await entry(path) : undefined
      await upload(session, stagePath, content, ownership?.mode ?? (present && factsOf(present).mode) ?? usualMode)
    },
    async linkFile(from, to) {
      const found = await entry(from)
      if (found === undefined) throw new CertloopError('FILE_UNWRITABLE', `${from} is gone.`, { path: from })
      const copy = `${parentOf(to).replace(/\/$/, '')}/.${nameOf(to)}.${randomBytes(6).toString('hex')}`
      await upload(session, copy, await session.use(from, 'read it', (client) => download(client, from, defaultReadLimit)), factsOf(found).mode)
      await rename(session, copy, to)
    },
    renameFile: (from, to) => rename(session, from, to),
    async removeFile(path) {
      if (await entry(path) !== undefined) await session.use(path, 'remove it', (client) => client.remove(path))
    },
    async makeDirectory(path, { mode }) {
      if (await entry(path) !== undefined) return
      await session.use(path, 'make this folder', async (client) => { await client.send(`MKD ${path}`); await changeMode(client, path, mode) })
    },
    async removeDirectory(path) {
      if (await entry(path) !== undefined && (await entries(session, path)).length === 0) await session.use(path, 'remove this folder', (client) => client.send(`RMD ${path}`))
    },
  }
}

/** What a folder holds; nothing where there is no such folder, which servers answer with 550 or an empty listing. */
function entries(session: FtpSession, folder: string): Promise<FileInfo[]> {
  return session.use(folder, 'list this folder', async (client) => {
    try {
      // A listing of a file would show the file; a change into it is refused.
      await client.cd(folder)
      return (await client.list()).filter(({ name }) => name !== '.' && name !== '..')
    } catch (error) {
      if (error instanceof FTPError && error.code === 550) return []
      throw error
    }
  })
}

function factsOf({ type, size, permissions, link }: FileInfo): FileFacts {
  const kind = ({ [FileType.File]: 'file', [FileType.Directory]: 'directory', [FileType.SymbolicLink]: 'link', [FileType.Unknown]: 'other' } as const)[type]
  const mode = permissions === undefined ? usualMode : (permissions.user << 6) | (permissions.group << 3) | permissions.world
  return { type: kind, size, mode, uid: -1, gid: -1, linkTarget: kind === 'link' ? link ?? '' : null }
}

/** Whatever size the listing told. */
async function download(client: Client, path: string, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  await client.downloadTo(new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      size += chunk.length
      done(size > limitBytes ? new CertloopError('FILE_UNWRITABLE', `${path}: more than ${limitBytes} bytes came, and no more are read.`, { path }) : null)
    },
  }), path)
  return Buffer.concat(chunks)
}

/** A content as a stream; it begins once there is a connection, and none of it goes to a stranger. */
function sending(client: Client, content: Buffer): Readable {
  return Readable.from((async function* () {
    await refuseToSend(client)
    yield content
  })())
}

const digest = (content: Uint8Array) => createHash('sha256').update(content).digest('hex')

/** One byte, since servers take the end of an empty transfer for a handshake that was broken off. */
const placeholder = Buffer.from('\n')

/**
 * Writes a file and reads it back. It gets its mode before its content, so that nobody else reads a key; a connection
 * that is lost on the way is made again once, and what had arrived is continued.
 */
async function upload(session: FtpSession, path: string, content: Uint8Array, mode: number): Promise<void> {
  const body = Buffer.from(content)
  try {
    await session.use(path, 'write it', async (client) => {
      await client.uploadFrom(sending(client, placeholder), path)
      await changeMode(client, path, mode)
      await client.uploadFrom(sending(client, body), path)
      await changeMode(client, path, mode) // a server that takes uploads under a hidden name first has made another file of it
    })
  } catch (error) {
    if (!(error instanceof CertloopError) || !isLost(error.cause)) throw await withoutPart(session, path, error)
    await resume(session, path, body, mode).catch(async (again: unknown) => { throw await withoutPart(session, path, refused(again, path)) })
  }
  const arrived = await session.use(path, 'read it back', (client) => download(client, path, body.length))
  if (digest(arrived) === digest(body)) return
  throw await withoutPart(session, path, new CertloopError('TRANSFER_FAILED', `${path} did not arrive as it was sent: ${arrived.length} of ${body.length} bytes, or others.`, { path }))
}

/** A server that refuses a file may break the data connection off before its answer is read. Twice is no accident. */
function refused(error: unknown, path: string): unknown {
  if (!(error instanceof CertloopError && error.cause instanceof Error && error.cause.message.includes('(data socket)'))) return error
  return new CertloopError('FILE_UNWRITABLE', `${path}: the server broke the data connection off twice; most likely it does not take the file there. Its log says why.`, { path }, error)
}

async function resume(session: FtpSession, path: string, body: Buffer, mode: number): Promise<void> {
  await session.use(path, 'go on writing it', async (client) => {
    const size = await client.size(path).catch((error: unknown) => { if (error instanceof FTPError) return 0; throw error })
    // As long as the placeholder: that may be all there is.
    if (size > placeholder.length && size <= body.length) await client.appendFrom(sending(client, body.subarray(size)), path)
    else {
      await client.uploadFrom(sending(client, placeholder), path)
      await changeMode(client, path, mode)
      await client.uploadFrom(sending(client, body), path)
    }
    await changeMode(client, path, mode)
  })
}

/** Takes away what arrived of a file; when that fails too, the first reason is the better one. */
async function withoutPart(session: FtpSession, path: string, error: unknown): Promise<unknown> {
  await session.use(path, 'remove it', (client) => client.remove(path)).catch(() => undefined)
  return error
}

/** SITE CHMOD is not in any RFC; servers without it (500, 502, 504) keep their own mode. */
async function changeMode(client: Client, path: string, mode: number): Promise<void> {
  try {
    await client.send(`SITE CHMOD ${mode.toString(8).padStart(3, '0')} ${path}`)
  } catch (error) {
    if (!(error instanceof FTPError) || ![500, 501, 502, 504].includes(error.code)) throw error
  }
}

/**
 * Most servers replace what is at the new name; where one refuses that, the old file goes first, with a gap of one
 * command. Only once the server has shown that it renames this file at all: else both would be gone.
 */
async function rename(session: FtpSession, from: string, to: string): Promise<void> {
  await session.use(to, 'put the new file in its place', async (client) => {
    const move = async (one: string, other: string) => {
      await client.send(`RNFR ${one}`)
      await client.send(`RNTO ${other}`)
    }
    try {
      await move(from, to)
    } catch (error) {
      if (!(error instanceof FTPError) || ![550, 553].includes(error.code)) throw error
      await move(from, `${from}~`)
      await move(`${from}~`, from)
      await client.send(`DELE ${to}`)
      await move(from, to)
    }
  })
}
