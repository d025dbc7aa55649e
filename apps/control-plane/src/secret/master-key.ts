import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CertloopError } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { listDataKeys } from './data-key-store.ts'
import { readMasterKey } from './master-key-text.ts'
import { masterKeyIdOf, type Secrets } from './secrets.ts'

export interface MasterKeySource {
  /** Value of CERTLOOP_MASTER_KEY: 32 bytes in base64 or base64url. Wins over the file. */
  environmentKey: string | undefined
  dataFolder: string
  database: Database
}

const fileName = 'master.key'
/** The key of a rotation under way: written before the database changes, moved into place after. */
const nextFileName = 'master.key.next'

/**
 * The master key: from the environment, else from <data>/master.key (mode 0600), which is made at first start.
 * @throws CertloopError SETTINGS_INVALID when what is there is no key; MASTER_KEY_MISSING when the database holds
 * sealed data and the key is absent or another one
 */
export async function loadMasterKey({ environmentKey, dataFolder, database }: MasterKeySource): Promise<Buffer> {
  const [row] = await listDataKeys(database.db)
  const fits = (key: Buffer) => row === undefined || masterKeyIdOf(key) === row.masterKeyId
  if (environmentKey !== undefined && environmentKey !== '') {
    const key = decode(environmentKey, 'CERTLOOP_MASTER_KEY')
    if (!fits(key)) throw new CertloopError('MASTER_KEY_MISSING', 'CERTLOOP_MASTER_KEY is not the key that sealed the secrets in this database.')
    return key
  }
  const path = join(dataFolder, fileName)
  const nextPath = join(dataFolder, nextFileName)
  const present = await readKey(path)
  if (present && fits(present)) return present
  const next = row === undefined ? undefined : await readKey(nextPath)
  if (next && fits(next)) {
    // A rotation was cut off after the database had changed: finish it.
    await rename(nextPath, path)
    await syncFolder(dataFolder)
    return next
  }
  if (present) throw new CertloopError('MASTER_KEY_MISSING', `${path} is not the key that sealed the secrets in this database.`, { file: path })
  if (row) throw new CertloopError('MASTER_KEY_MISSING', `The database holds sealed secrets, but there is neither CERTLOOP_MASTER_KEY nor ${path}.`, { file: path })
  return makeKeyFile(dataFolder)
}

/** Replaces the key of the file. Cut off at any point, the next start finds the key that fits. Returns the new key. */
export async function rotateMasterKeyFile(secrets: Secrets, dataFolder: string): Promise<Buffer> {
  const key = randomBytes(32)
  const nextPath = join(dataFolder, nextFileName)
  await rm(nextPath, { force: true }) // of a rotation that never reached the database
  await writeKey(nextPath, key)
  await syncFolder(dataFolder)
  await secrets.rotateMasterKey(key)
  await rename(nextPath, join(dataFolder, fileName))
  await syncFolder(dataFolder)
  return key
}

function decode(text: string, where: string): Buffer {
  const key = readMasterKey(text)
  if (!key) throw new CertloopError('SETTINGS_INVALID', `${where} has to hold 32 bytes in base64 (44 characters) or base64url (43).`, { setting: where })
  return key
}

async function readKey(path: string): Promise<Buffer | undefined> {
  try {
    return decode(await readFile(path, 'utf8'), path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeKey(path: string, key: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(`${key.toString('base64')}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Written aside and linked into place, so that nobody ever reads half a key and nobody's key is overwritten. */
async function makeKeyFile(dataFolder: string): Promise<Buffer> {
  const path = join(dataFolder, fileName)
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await writeKey(draft, randomBytes(32))
    await link(draft, path).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'EEXIST') throw error })
  } finally {
    await rm(draft, { force: true })
  }
  await syncFolder(dataFolder)
  const key = await readKey(path)
  if (!key) throw new CertloopError('MASTER_KEY_MISSING', `${path} disappeared while it was made.`, { file: path })
  return key
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // folders can't be opened there
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
