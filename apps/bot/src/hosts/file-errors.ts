import { stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { CertloopError } from '@certloop/contract'

/** True for an error of the system with one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/**
 * A failed file call as an error with a stable code: no space left is DISK_FULL, all else FILE_UNWRITABLE.
 * The message names the path and the likely reason.
 * @param doing what was tried, as in "could not … "
 */
export async function fileError(error: unknown, file: string, doing: string): Promise<CertloopError> {
  if (error instanceof CertloopError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return fileErrorFor({ code, words: error instanceof Error ? error.message : String(error) }, file, doing, () => deniedReason(file), error)
}

/**
 * The same for an error of any host.
 * @param reason code: as the system names it, e.g. ENOSPC; words: its own, where the code says nothing
 * @param denied why rights were missing
 */
export async function fileErrorFor(reason: { code: string; words: string }, file: string, doing: string, denied: () => Promise<string>, cause?: unknown): Promise<CertloopError> {
  const about = { path: file }
  if (reason.code === 'ENOSPC') return new CertloopError('DISK_FULL', `${file}: could not ${doing}: no space is left on its file system.`, about, cause)
  if (reason.code === 'EDQUOT') return new CertloopError('DISK_FULL', `${file}: could not ${doing}: the disk quota of its owner is used up.`, about, cause)
  const why = reason.code === 'EACCES' || reason.code === 'EPERM' ? await denied() : likelyReasons[reason.code] ?? reason.words
  return new CertloopError('FILE_UNWRITABLE', `${file}: could not ${doing}: ${why} (${reason.code}).`, about, cause)
}

const likelyReasons: Record<string, string> = {
  EROFS: 'the file system is mounted read-only',
  ENOENT: 'its folder is not there',
  ENOTDIR: 'a part of its path is not a folder',
  EISDIR: 'it is a folder',
  ELOOP: 'its links go round',
  ETXTBSY: 'it is in use or a mount point',
  EBUSY: 'it is in use or a mount point',
}

/** root is stopped by flags and security modules only, everybody else by owner and mode too. */
async function deniedReason(file: string): Promise<string> {
  if (process.getuid?.() === 0) return 'it or its folder has the immutable or append-only flag (see lsattr), or a security module such as SELinux or AppArmor forbids it'
  const folder = path.dirname(file)
  return `the bot runs as ${userName()}; ${[await ownerOf(file), await ownerOf(folder)].filter(Boolean).join(', ') || `${folder} can not be looked into`}`
}

async function ownerOf(entry: string): Promise<string> {
  const facts = await stat(entry).catch(() => undefined)
  return facts === undefined ? '' : `${entry} belongs to user ${facts.uid}, group ${facts.gid}, mode ${(facts.mode & 0o7777).toString(8).padStart(4, '0')}`
}

/** In containers an account may have a number and no name. */
function userName(): string {
  const uid = process.getuid?.() ?? -1
  try {
    return `${os.userInfo().username} (${uid})`
  } catch {
    return `user ${uid}`
  }
}
