import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CertloopError } from '@certloop/contract'

/** Makes the folder (mode 0700) when it is not there. @throws CertloopError DATA_FOLDER_UNWRITABLE */
export async function prepareDataFolder(folder: string): Promise<string> {
  const path = resolve(folder)
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await access(path, constants.W_OK)
  } catch (error) {
    throw new CertloopError('DATA_FOLDER_UNWRITABLE', `The data folder ${path} can not be written (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}).`, { folder: path }, error)
  }
  return path
}

/**
 * Keeps a second control plane out of a folder on SQLite. The lock is one on a file of its own and goes with the
 * process, also after kill -9.
 * @throws CertloopError DATA_FOLDER_IN_USE
 */
export function lockDataFolder(folder: string): () => void {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(`${folder}/control-plane.lock`)
    lock.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    lock?.close()
    const { errcode, message } = error as { errcode?: number; message: string }
    if (errcode === 5) throw new CertloopError('DATA_FOLDER_IN_USE', `Another control plane works in ${folder}.`, { folder }, error)
    throw new CertloopError('DATA_FOLDER_UNWRITABLE', `The data folder ${folder} can not be used: ${message}.`, { folder }, error)
  }
  return () => lock.close()
}
