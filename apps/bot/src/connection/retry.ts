import { toCertloopError, type CertloopError } from '@certloop/contract'

export interface Backoff { firstMs: number; capMs: number }
export const defaultBackoff: Backoff = { firstMs: 1_000, capMs: 60_000 }

/**
 * How long to wait before try number `attempt` + 1.
 * Doubles up to the cap; the upper half is random, so that a fleet does not come back in one instant.
 * @param attempt failed tries so far, from 1
 * @param random 0 <= random < 1
 * @param retryAfterSeconds what the server asked for; honoured up to five minutes
 * @returns milliseconds
 */
export function retryDelay(attempt: number, random: number, { firstMs, capMs }: Backoff, retryAfterSeconds = 0): number {
  const step = Math.min(capMs, firstMs * 2 ** Math.min(attempt - 1, 30))
  return Math.max(step / 2 + (step / 2) * random, Math.min(retryAfterSeconds, 300) * 1000)
}

export interface RetryOptions {
  signal: AbortSignal
  random: () => number
  backoff: Backoff
  /** Whether trying again may help; by default what the error table calls "later". */
  again?: (error: CertloopError) => boolean
  onFailure: (error: CertloopError, attempt: number, waitMs: number) => void
}

export const mayPass = (error: CertloopError): boolean => error.spec.retry === 'later'

/** Tries until it succeeds, fails for good, or `signal` says stop. @throws the last error, or the reason of the signal */
export async function retrying<T>(attempt: () => Promise<T>, { signal, random, backoff, again = mayPass, onFailure }: RetryOptions): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt()
    } catch (thrown) {
      signal.throwIfAborted()
      const error = toCertloopError(thrown)
      if (!again(error)) throw error
      const asked = error.facts['retryAfterSeconds']
      const waitMs = retryDelay(failures, random(), backoff, typeof asked === 'number' ? asked : 0)
      onFailure(error, failures, waitMs)
      await pause(waitMs, signal)
    }
  }
}

/** @throws the reason of the signal when it comes first */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const stop = () => { clearTimeout(timer); reject(signal.reason as Error) }
    const timer = setTimeout(() => { signal.removeEventListener('abort', stop); resolve() }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}
