import { join } from 'node:path'
import { toCertloopError, CertloopError } from '@certloop/contract'
import { readdir } from 'node:fs/promises'
import { connectionNotePath, type ConnectionNote } from './connection-note.ts'
import { lockDataFolder } from './data-folder.ts'
import { readIfThere } from './durable-file.ts'
import { loadIdentity } from './identity.ts'

/** What `status` prints: lines of "name: value". @returns joined false when the folder belongs to no bot. */
export async function describeStatus(dataFolder: string): Promise<{ joined: boolean; text: string }> {
  const identity = await loadIdentity(dataFolder)
  if (!identity) return { joined: false, text: `Data folder:   ${dataFolder}\nJoined:        no. Make a join token on the Bots page, then: certloop-bot join TOKEN\n` }
  const { name, botId, purpose } = identity.joined
  const lines = [
    ['Data folder', dataFolder], ['Bot', `${name} (${botId})`], ['Purpose', purpose], ['Control plane', identity.url],
    ['Trusts', identity.anchorPem === null ? 'the roots of this system' : 'the pinned anchor alone'],
    ['Running', await runningText(dataFolder)], ['Connection', await connectionText(dataFolder)], ['Keys', String(await countKeys(dataFolder))],
  ] as const
  return { joined: true, text: lines.map(([label, value]) => `${`${label}:`.padEnd(15)}${value}\n`).join('') }
}

/** The lock tells, whatever became of the process that held it. */
async function runningText(dataFolder: string): Promise<string> {
  try {
    (await lockDataFolder(dataFolder)).release()
    return 'no'
  } catch (thrown) {
    const error = toCertloopError(thrown)
    if (error.code === 'DATA_FOLDER_IN_USE') return `yes, process ${String(error.facts['process'])}`
    throw error
  }
}

async function connectionText(dataFolder: string): Promise<string> {
  const text = await readIfThere(connectionNotePath(dataFolder))
  if (text === undefined) return 'never made'
  const { connected, since, detail } = JSON.parse(text) as ConnectionNote
  return connected ? `made at ${since}` : `lost at ${since}: ${detail}`
}

async function countKeys(dataFolder: string): Promise<number> {
  const names = await readdir(join(dataFolder, 'keys')).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new CertloopError('DATA_FOLDER_UNWRITABLE', `The keys in ${dataFolder} can not be listed: ${error.message}.`, { folder: dataFolder }, error)
  })
  return names.filter((name) => name.endsWith('.pem')).length
}
