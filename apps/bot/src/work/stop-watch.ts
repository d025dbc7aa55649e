import { CertloopError, toCertloopError } from '@certloop/contract'
import type { ControlPlane } from '../connection/client.ts'
import type { StopWatch, WatchStops } from '../engine/types.ts'
import { errorFacts, type Logger } from '../log.ts'
import { createBell } from './bell.ts'

/** A person who waits for a stop is told of it within seconds. */
const everyMs = 4_000

/**
 * Asks the control plane what people want of a deployment that no running task speaks for: one that is taken up after a
 * restart, or one on its way back. A control plane that can't be asked changes nothing.
 */
export function stopWatching({ controlPlane, logger, beatMs = everyMs }: { controlPlane: Pick<ControlPlane, 'stops'>; logger: Logger; beatMs?: number }): WatchStops {
  return (id): StopWatch => {
    const [cancel, again, over] = [new AbortController(), new AbortController(), new AbortController()]
    let failing = false
    const ask = async () => {
      try {
        const stops = await controlPlane.stops([id])
        failing = false
        if (stops.cancel.includes(id)) cancel.abort(new CertloopError('DEPLOYMENT_CANCELLED', 'Cancelled by hand.'))
        if (stops.again.includes(id)) again.abort(new CertloopError('DEPLOYMENT_CANCELLED', 'Cancelled by hand once more.'))
      } catch (thrown) {
        if (!failing) logger.warn('The control plane could not be asked whether a deployment is to be stopped.', { deployment: id, ...errorFacts(toCertloopError(thrown)) })
        failing = true
      }
    }
    const asked = ask()
    const watch = async () => {
      await asked
      while (!over.signal.aborted && !again.signal.aborted) {
        await createBell().wait(beatMs, over.signal)
        if (!over.signal.aborted) await ask()
      }
    }
    void watch()
    return { asked, cancel: cancel.signal, again: again.signal, end: () => { over.abort() } }
  }
}
