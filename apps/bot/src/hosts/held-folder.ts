import { constants } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import path from 'node:path'
import { CertloopError } from '@certloop/contract'
import { hasCode } from './file-errors.ts'

export interface HeldFolder {
  /** A path to an entry of this very folder, whatever its own path leads to by now. Good in this process, while held. */
  at(name: string): string
  /** Makes renames and new names in it survive a power cut. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Of Linux; Node has no name for it. Needs no right to list the folder. */
const openPath = 0o10000000
const step = openPath | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Opens a folder so that nobody who owns a folder above it can lead later calls elsewhere, by a link put in its place:
 * from the root, one folder after the other, no link followed. Elsewhere than on Linux the path itself is used.
 * @throws CertloopError FILE_UNWRITABLE when a part of the path is a link; other errors of the system as they are
 */
export async function holdFolder(folder: string): Promise<HeldFolder> {
  if (process.platform !== 'linux') return held((name) => path.join(folder, name), () => Promise.resolve())
  let handle = await open('/', step)
  let walked = '/'
  for (const part of path.resolve(folder).split('/').filter(Boolean)) {
    const above: FileHandle = handle
    walked = path.join(walked, part)
    try {
      handle = await open(`/proc/self/fd/${above.fd}/${part}`, step)
    } catch (error) {
      throw await linkError(error, walked)
    } finally {
      await above.close()
    }
  }
  return held((name) => `/proc/self/fd/${handle.fd}/${name}`, () => handle.close())
}

function held(at: HeldFolder['at'], close: HeldFolder['close']): HeldFolder {
  return { at, close, sync: () => syncFolder(at('.')) }
}

async function linkError(error: unknown, entry: string): Promise<unknown> {
  const isLink = hasCode(error, 'ENOTDIR', 'ELOOP') && await lstat(entry).then((facts) => facts.isSymbolicLink(), () => false)
  if (!isLink) return error
  return new CertloopError('FILE_UNWRITABLE', `${entry} is a link. The bot writes by real paths alone, or whoever owns a folder on the way could lead it elsewhere; name the folder that the link leads to, or make the plan again if the link is new.`, { path: entry }, error)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Holds a folder for the time of some work. */
export async function inFolder<T>(folder: string, work: (held: HeldFolder) => Promise<T>): Promise<T> {
  const one = await holdFolder(folder)
  try {
    return await work(one)
  } finally {
    await one.close()
  }
}
