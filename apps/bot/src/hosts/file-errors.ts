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
  if (hasCode(error, 'ENOSPC')) return new CertloopError('DISK_FULL', `${file}: could not ${doing}: no space is left on its file system.`, { path: file }, error)
  if (hasCode(error, 'EDQUOT')) return new CertloopError('DISK_FULL', `${file}: could not ${doing}: the disk quota of its owner is used up.`, { path: file }, error)
  return new CertloopError('FILE_UNWRITABLE', `${file}: could not ${doing}: ${await likelyReason(error, file)} (${code}).`, { path: file }, error)
}

async function likelyReason(error: unknown, file: string): Promise<string> {
  if (hasCode(error, 'EROFS')) return 'the file system is mounted read-only'
  if (hasCode(error, 'ENOENT')) return 'its folder is not there'
  if (hasCode(error, 'ENOTDIR')) return 'a part of its path is not a folder'
  if (hasCode(error, 'EISDIR')) return 'it is a folder'
  if (hasCode(error, 'ELOOP')) return 'its links go round'
  if (hasCode(error, 'ETXTBSY', 'EBUSY')) return 'it is in use or a mount point'
  if (hasCode(error, 'EACCES', 'EPERM')) return deniedReason(file)
  return error instanceof Error ? error.message : String(error)
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
