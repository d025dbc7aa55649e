export interface Bell {
  /** Wakes everybody who waits now. */
  ring(): void
  /** Until the bell rings, the time is over or the signal aborts, whatever comes first. Never throws. */
  wait(ms: number, signal?: AbortSignal): Promise<void>
}

export function createBell(): Bell {
  const waiting = new Set<() => void>()
  return {
    ring: () => { for (const wake of waiting) wake() },
    wait: (ms, signal) => new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const wake = () => {
        clearTimeout(timer)
        waiting.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      // setTimeout takes at most 31 bits.
      const timer = setTimeout(wake, Math.min(ms, 2 ** 31 - 1))
      waiting.add(wake)
      signal?.addEventListener('abort', wake, { once: true })
    }),
  }
}
