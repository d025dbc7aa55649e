import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Calls `fn` until it returns something other than undefined, null or false, and returns that. What it throws counts as "not yet".
 * @param options timeoutMs default 20,000; intervalMs default 25; what: named in the error
 * @throws Error when the time is over, with the last error as its cause
 */
export async function eventually<T>(fn: () => T | Promise<T>, options: { timeoutMs?: number; intervalMs?: number; what?: string } = {}): Promise<NonNullable<Exclude<T, false>>> {
  const { timeoutMs = 20_000, intervalMs = 25, what = 'the condition' } = options
  const end = performance.now() + timeoutMs
  for (;;) {
    let cause: unknown
    try {
      const value = await fn()
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<Exclude<T, false>>
    } catch (error) {
      cause = error
    }
    if (performance.now() >= end) throw notInTime(what, timeoutMs, cause)
    await sleep(intervalMs)
  }
}

function notInTime(what: string, timeoutMs: number, cause: unknown): Error {
  const last = cause instanceof Error ? `; last: ${cause.message}` : ''
  return new Error(`${what} did not come true within ${timeoutMs} ms${last}`, { cause })
}

/** The time that servers under test go by. */
export const wallClock = (): Date => new Date()
