import { CertloopError, type SshReach, type TargetSecrets } from '@certloop/contract'
import { createHash } from 'node:crypto'
import { type Connection, type ConnectionSettings, openConnection } from './connection.ts'

export interface SshPool {
  /** The connection of this login on this machine, a new one where there is none. @throws CertloopError as openConnection */
  connection(reach: SshReach, secrets: TargetSecrets): Promise<Connection>
  /** Work goes on over this connection until the returned function is called. */
  use(connection: Connection): () => void
  close(): void
}

export interface PoolSettings extends Partial<ConnectionSettings> {
  /** A connection without work is closed after this long. */
  idleMs?: number
  /** A refused login is not tried again within this time: hosts lock out who knocks too often. */
  refusedMs?: number
}

interface Entry { connection: Promise<Connection>; opened: Connection | undefined; uses: number; idle: NodeJS.Timeout | undefined; refusedAt: number | undefined }

/** One connection for each login on each machine, shared by all work, closed when idle. */
export function createSshPool({ idleMs = 60_000, refusedMs = 5000, connectTimeoutMs = 15_000, keepaliveMs = 10_000, sessionsAtOnce = 8 }: PoolSettings = {}): SshPool {
  const settings = { connectTimeoutMs, keepaliveMs, sessionsAtOnce }
  const entries = new Map<string, Entry>()
  const opened = new Set<Connection>()
  let closed = false

  function usable({ opened: made, refusedAt }: Entry): boolean {
    if (refusedAt !== undefined) return performance.now() - refusedAt < refusedMs
    return made === undefined || made.open
  }

  function begin(key: string, reach: SshReach, secrets: TargetSecrets): Entry {
    const entry: Entry = { connection: openConnection(reach, secrets, settings), opened: undefined, uses: 0, idle: undefined, refusedAt: undefined }
    entries.set(key, entry)
    const forget = () => {
      clearTimeout(entry.idle)
      if (entries.get(key) === entry) entries.delete(key)
    }
    entry.connection.then((connection) => {
      entry.opened = connection
      opened.add(connection)
      connection.onClose(() => { opened.delete(connection); forget() })
      if (closed) connection.close()
      else rest(entry)
    }, (error: unknown) => {
      if (error instanceof CertloopError && error.code === 'LOGIN_REFUSED') entry.refusedAt = performance.now()
      else forget()
    })
    return entry
  }

  function rest(entry: Entry): void {
    clearTimeout(entry.idle)
    entry.idle = setTimeout(() => { if (entry.uses === 0) entry.opened?.close() }, idleMs).unref()
  }

  return {
    connection(reach, secrets) {
      if (closed) return Promise.reject(new CertloopError('HOST_UNREACHABLE', 'The bot is stopping and begins no new SSH connections.'))
      const key = keyOf(reach, secrets)
      const present = entries.get(key)
      return (present !== undefined && usable(present) ? present : begin(key, reach, secrets)).connection
    },
    use(connection) {
      const entry = [...entries.values()].find((one) => one.opened === connection)
      if (entry === undefined) return () => undefined
      entry.uses++
      clearTimeout(entry.idle)
      return () => {
        entry.uses--
        if (entry.uses === 0) rest(entry)
      }
    },
    close() {
      closed = true
      for (const { idle } of entries.values()) clearTimeout(idle)
      entries.clear()
      for (const connection of opened) connection.close()
    },
  }
}

/** Other secrets make another login: a corrected password is tried at once. Kept as a digest. */
const keyOf = (reach: SshReach, { login, jumps }: TargetSecrets): string => {
  const { privilege: _, ...way } = reach
  return createHash('sha256').update(JSON.stringify([way, login, jumps])).digest('base64')
}
