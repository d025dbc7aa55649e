import { EventEmitter } from 'node:events'
import pg from 'pg'

/**
 * Tells the workers of all replicas that there may be something to do. A hint: it can be lost, so whoever
 * waits also looks again after a while. Topics are short texts such as "task:bot_…" or "change:certificate:crt_…".
 */
export interface Wake {
  send(topic: string): void
  /** Every topic that goes by, of this and other replicas. @returns a function that stops listening */
  listen(handler: (topic: string) => void): () => void
  close(): Promise<void>
}

export function localWake(): Wake {
  const emitter = new EventEmitter().setMaxListeners(0)
  return {
    send: (topic) => { emitter.emit('topic', topic) },
    listen(handler) {
      emitter.on('topic', handler)
      return () => { emitter.off('topic', handler) }
    },
    close: async () => { emitter.removeAllListeners() },
  }
}

const channel = 'certloop'

/** LISTEN/NOTIFY on a connection of its own, made again when it breaks. */
export async function postgresWake(connectionString: string): Promise<Wake> {
  const local = localWake()
  let client: pg.Client | undefined
  let closed = false
  let retry: NodeJS.Timeout | undefined
  let sending: Promise<unknown> = Promise.resolve()
  const connect = async (): Promise<void> => {
    const next = new pg.Client({ connectionString })
    // What this replica sent was told here at once: the way over the database takes its time where that is busy.
    const own: { pid?: number | undefined } = {}
    next.on('notification', ({ payload, processId }) => { if (payload && processId !== own.pid) local.send(payload) })
    next.on('error', () => { client = undefined; again() })
    await next.connect()
    await next.query(`LISTEN ${channel}`)
    own.pid = (await next.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid
    client = next
  }
  const again = () => {
    if (closed || retry) return
    retry = setTimeout(() => {
      retry = undefined
      connect().catch(again)
    }, 1000)
  }
  await connect()
  return {
    // With a broken connection the others look again by themselves.
    send(topic) {
      local.send(topic)
      sending = sending.then(async () => { await client?.query('SELECT pg_notify($1, $2)', [channel, topic]) }).catch(() => {})
    },
    listen: local.listen,
    async close() {
      closed = true
      clearTimeout(retry)
      await sending
      await client?.end()
      await local.close()
    },
  }
}
