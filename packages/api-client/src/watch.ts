import type { ChangeNotice } from '@certloop/contract/api'
import type { Client } from './client.ts'
import type { ApiProblem } from './problem.ts'
import { createEventParser } from './event-stream.ts'

export interface ChangeHandler {
  onChange(notice: ChangeNotice): void
  /** The stream is open. After an interruption something may have been missed: read again what is shown. */
  onOpen?(): void
  /** The stream broke or could not be opened; it is tried again until the watch is closed. */
  onLost?(reason: ApiProblem | Error): void
}

export interface WatchOptions {
  /** Wait before trying again, in milliseconds; doubled up to 16 times at repeated failures. Default 1000. */
  retryMs?: number
}

/**
 * Follows GET /api/v1/events (server-sent events) until closed. Uses the browser's EventSource with the session
 * cookie; with an API token, or where there is no EventSource, it reads the stream through fetch.
 */
export function watchChanges(client: Client, handler: ChangeHandler, options: WatchOptions = {}): { close(): void } {
  const retryMs = options.retryMs ?? 1000
  return client.hasToken || typeof EventSource === 'undefined'
    ? watchByFetch(client, handler, retryMs)
    : watchByEventSource(client, handler, retryMs)
}

function watchByEventSource(client: Client, handler: ChangeHandler, retryMs: number): { close(): void } {
  let source: EventSource
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  const open = () => {
    source = new EventSource(`${client.baseUrl}/api/v1/events`, { withCredentials: true })
    source.onopen = () => { failures = 0; handler.onOpen?.() }
    source.onmessage = (event) => deliver(event.data, handler)
    source.onerror = () => {
      // EventSource gives up for good on an error answer; so each new attempt is ours.
      source.close()
      handler.onLost?.(new Error('The connection for live updates was lost.'))
      timer = setTimeout(open, retryMs * 2 ** Math.min(failures++, 4))
    }
  }
  open()
  return { close: () => { clearTimeout(timer); source.close() } }
}

function watchByFetch(client: Client, handler: ChangeHandler, retryMs: number): { close(): void } {
  const abort = new AbortController()
  let failures = 0
  const run = async () => {
    while (!abort.signal.aborted) {
      const reason = await readOnce(client, handler, abort.signal, () => { failures = 0 })
      if (abort.signal.aborted) return
      handler.onLost?.(reason)
      await pause(retryMs * 2 ** Math.min(failures++, 4), abort.signal)
    }
  }
  void run()
  return { close: () => abort.abort() }
}

/** Reads one stream to its end. @returns why it ended. */
async function readOnce(client: Client, handler: ChangeHandler, signal: AbortSignal, opened: () => void): Promise<Error> {
  try {
    const response = await client.request('/events', { signal, headers: { accept: 'text/event-stream' } })
    opened()
    handler.onOpen?.()
    const parse = createEventParser((data) => deliver(data, handler))
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) parse(decoder.decode(chunk, { stream: true }))
    return new Error('The control plane ended the stream.')
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function deliver(data: string, handler: ChangeHandler): void {
  handler.onChange(JSON.parse(data) as ChangeNotice)
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
