import { CertloopError } from '@certloop/contract'
import type { DnsProviderContext } from '@certloop/plugin-kit'

type Waiting = Pick<DnsProviderContext, 'wait' | 'random'>

/** The attempt found that what it read was no longer so, or that it has to come again. */
export const again = Symbol('again')

/**
 * Calls anew what has no time or was overtaken, at most six times.
 * @throws CertloopError DNS_PROVIDER_UNREACHABLE with these words when it stays so: it may pass by itself
 */
export async function untilDone<T>(context: Waiting, attempt: () => Promise<T | typeof again>, { giveUp, firstWaitMs = 250 }: { giveUp: string; firstWaitMs?: number }): Promise<T> {
  for (let count = 0; count < 6; count++) {
    const result = await attempt()
    if (result !== again) return result
    await context.wait(Math.round(firstWaitMs * 2 ** count * (1 + context.random())))
  }
  throw new CertloopError('DNS_PROVIDER_UNREACHABLE', giveUp)
}

/**
 * Reads, merges and writes anew when somebody else wrote between.
 * @throws CertloopError DNS_PROVIDER_UNREACHABLE when it stays so: it may pass by itself
 */
export function untilWritten<T>(context: Waiting, title: string, attempt: () => Promise<T | typeof again>): Promise<T> {
  return untilDone(context, attempt, { giveUp: `${title}: others keep changing the same records. Nothing of theirs was overwritten; it is tried again later.` })
}

/**
 * Looks until it is so.
 * @returns false when the time was over first
 */
export async function eventuallySo(context: Waiting, look: () => Promise<boolean>, { everyMs, limitMs }: { everyMs: number; limitMs: number }): Promise<boolean> {
  for (let waited = 0; ; waited += everyMs) {
    if (await look()) return true
    if (waited >= limitMs) return false
    await context.wait(everyMs)
  }
}
