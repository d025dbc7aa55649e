import { CertloopError, toCertloopError } from '@certloop/contract'
import type { ControlPlane } from '../connection/client.ts'
import { errorFacts, type Logger } from '../log.ts'
import { createBell } from './bell.ts'
import type { RunningTask } from './task-runner.ts'

export interface Lease {
  /** Tells the control plane now. Never throws. */
  beat(): Promise<void>
  /** Resolves when nothing more is sent. */
  stop(): Promise<void>
}

/** ProgressRequest takes no more at once. */
const linesAtOnce = 200
/** Log lines are collected this long before they are sent. */
const collectMs = 500
const shortestMs = 1_000

/**
 * Renews the lease of a running task at a third of what is left of it, and sends log lines shortly after they come.
 * The network being down changes nothing: the next beat tries again.
 * An answer that says so asks the task to stop.
 */
export function keepLease(task: RunningTask, { controlPlane, logger }: { controlPlane: Pick<ControlPlane, 'progress' | 'now'>; logger: Logger }): Lease {
  const stopping = new AbortController()

  let last: Promise<void> = Promise.resolve()
  /** One after the other: lines are sent once. */
  const beat = (): Promise<void> => (last = last.then(oneBeat))

  async function oneBeat(): Promise<void> {
    const lines = task.log.slice(0, linesAtOnce)
    const { fence } = task
    try {
      const { leaseUntil, cancel } = await controlPlane.progress(task.id, { fence, log: lines, ...(task.waiting ? { waiting: true } : {}) })
      task.log.splice(0, lines.length)
      if (fence === task.fence) task.leaseUntil = new Date(leaseUntil)
      if (cancel) task.cancelling.abort(new CertloopError('DEPLOYMENT_CANCELLED', 'Cancelled by hand.'))
    } catch (thrown) {
      const error = toCertloopError(thrown)
      logger.warn('The lease of a task could not be renewed.', { task: task.id, ...errorFacts(error) })
      // A newer lease may have come while this was under way.
      if (error.code === 'LEASE_LOST' && fence === task.fence) task.lost = true
      // Lines the control plane can't take must not stop the lease from being renewed.
      if (error.spec.retry === 'after-change') task.log.splice(0, lines.length)
      if (error.spec.retry === 'later') await task.bell.wait(shortestMs, stopping.signal)
    }
  }

  /** Until it is time for a beat. Log lines and newer leases ring the bell. */
  async function waitForBeat(): Promise<void> {
    if (task.lost) return task.bell.wait(Number.POSITIVE_INFINITY, stopping.signal)
    const third = Math.max(shortestMs, Math.min(task.beatMs, (task.leaseUntil.getTime() - controlPlane.now().getTime()) / 3))
    if (task.log.length === 0) await task.bell.wait(third, stopping.signal)
    if (task.log.length > 0) await createBell().wait(collectMs, stopping.signal)
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await waitForBeat()
      if (!stopping.signal.aborted && !task.lost) await beat()
    }
  }

  const done = run()
  return { beat, stop: async () => { stopping.abort(); await done } }
}
