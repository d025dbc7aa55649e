import type { ResultRequest } from '@certloop/contract'
import { pause, retryDelay, type Backoff } from '../connection/retry.ts'
import { DeploymentUnfinished } from '../engine/index.ts'

type Outcome = ResultRequest['result']
const dayMs = 24 * 3_600_000

export interface Waiting {
  controlPlane: { now: () => Date }
  random: () => number
  backoff: Backoff
  unfinishedMs?: number
  takingSignal: AbortSignal
}

/**
 * Works at a task until it has a result. A deployment whose host went away is taken up again and again, with pauses that
 * grow to ten minutes: nothing is told of it before it is over, or nobody waits any longer.
 * @param attempt begins only once it may, which is never again after a stop
 */
export async function untilOver(
  attempt: () => Promise<Outcome | DeploymentUnfinished | undefined>,
  { controlPlane, random, backoff, unfinishedMs = dayMs, takingSignal }: Waiting,
  onUnfinished: (error: DeploymentUnfinished, attempt: number, waitMs: number) => void,
): Promise<Outcome | undefined> {
  const giveUpAt = controlPlane.now().getTime() + unfinishedMs
  for (let failures = 1; ; failures++) {
    const came = await attempt()
    if (!(came instanceof DeploymentUnfinished)) return came
    if (controlPlane.now().getTime() >= giveUpAt) return { ok: true, data: came.result }
    const waitMs = retryDelay(failures, random(), { firstMs: 2 * backoff.firstMs, capMs: 10 * backoff.capMs })
    onUnfinished(came, failures, waitMs)
    await pause(waitMs, takingSignal).catch(() => undefined) // a stop is seen at the next attempt
  }
}
