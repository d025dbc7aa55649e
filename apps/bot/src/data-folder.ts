import { access, chmod, constants, mkdir, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CertloopError } from '@certloop/contract'
import { readIfThere } from './durable-file.ts'

/** --data, else CERTLOOP_BOT_DATA, else the place that fits who runs the bot. Absolute. */
export function dataFolderPath(option: string | undefined, environment: NodeJS.ProcessEnv, isRoot: boolean): string {
  const chosen = option || environment['CERTLOOP_BOT_DATA']
  if (chosen) return resolve(chosen)
  return isRoot ? '/var/lib/certloop-bot' : join(environment['HOME'] || homedir(), '.local/share/certloop-bot')
}

/** Makes the folder, for its owner alone. @throws CertloopError DATA_FOLDER_UNWRITABLE */
export async function prepareDataFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new CertloopError('DATA_FOLDER_UNWRITABLE', `The data folder ${folder} can not be used: ${(error as Error).message}.`, { folder }, error)
  }
}

export interface FolderLock { release(): void }

const isBusy = (error: unknown) => (error as { errcode?: number }).errcode === 5

/**
 * Holds the folder for this process until released or until the process ends, however it ends: the lock is a
 * file lock of the kernel, taken through an empty SQLite database, so a kill leaves nothing stale behind.
 * @throws CertloopError DATA_FOLDER_IN_USE, DATA_FOLDER_UNWRITABLE
 */
export async function lockDataFolder(folder: string): Promise<FolderLock> {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(join(folder, 'lock'), { timeout: 0 })
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    await writeFile(join(folder, 'bot.pid'), `${process.pid}\n`, { mode: 0o600 })
    const held = database
    return { release: () => held.close() }
  } catch (error) {
    database?.close()
    if (!isBusy(error)) throw new CertloopError('DATA_FOLDER_UNWRITABLE', `The data folder ${folder} can not be locked: ${(error as Error).message}.`, { folder }, error)
    const other = (await readIfThere(join(folder, 'bot.pid')))?.trim() || 'unknown'
    throw new CertloopError('DATA_FOLDER_IN_USE', `Another bot (process ${other}) works in ${folder}.`, { folder, process: other })
  }
}
