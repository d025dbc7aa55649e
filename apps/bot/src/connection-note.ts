import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from './log.ts'

/** How the bot stands to its control plane, for `status`. `since` is UTC. */
export interface ConnectionNote { connected: boolean; since: string; detail: string }
export const connectionNotePath = (dataFolder: string): string => join(dataFolder, 'connection.json')

/** Writes the note when it changes. Failing to do so harms nothing else and is logged. */
export function connectionNotes(dataFolder: string, now: () => Date, logger: Logger): (connected: boolean, detail: string) => void {
  let last = ''
  return (connected, detail) => {
    if (last === `${connected} ${detail}`) return
    last = `${connected} ${detail}`
    const note: ConnectionNote = { connected, since: now().toISOString(), detail }
    try {
      writeFileSync(connectionNotePath(dataFolder), JSON.stringify(note), { mode: 0o600 })
    } catch (error) {
      logger.warn('The state of the connection could not be noted for "status".', { detail: (error as Error).message })
    }
  }
}
