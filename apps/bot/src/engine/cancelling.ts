import { CertloopError, type DeploymentId, type DeployResult } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import type { Run } from './run.ts'

/** What a person's request to stop looks like to whoever was at work. */
export const cancelled = (where: string): CertloopError => new CertloopError('DEPLOYMENT_CANCELLED', `Cancelled by hand${where.startsWith(';') ? '' : ' '}${where}.`)

/** The host for what goes forward: commands end with their process groups, and connections break, when it is cancelled. */
export function cancellable(host: Host, signal: AbortSignal | undefined): Host {
  if (signal === undefined) return host
  return {
    ...host,
    run: (argv, options) => host.run(argv, { ...options, signal }),
    async connect(to, timeoutMs) {
      signal.throwIfAborted()
      const stream = await host.connect(to, timeoutMs)
      const cut = () => { stream.destroy() }
      signal.addEventListener('abort', cut, { once: true })
      stream.once('close', () => { signal.removeEventListener('abort', cut) })
      return stream
    },
  }
}

/**
 * Writes down that it is to be taken back as soon as that is heard, so that a crash before the undo ends old as well. What
 * is decided already is left as it is.
 */
export function heedCancel(run: Run): void {
  const { cancel } = run
  if (cancel === undefined) return
  const note = () => {
    if (run.cancel === undefined) return
    run.log.say('undo', 'A person asked to stop. What runs is ended, and what was done is taken back.', { ok: false })
    // When it can't be written, the undo that follows says the same.
    run.journal.append({ type: 'cancel' }).catch(() => undefined)
  }
  if (cancel.aborted) note()
  else cancel.addEventListener('abort', note, { once: true })
}

/** The way forward is over: what follows is not to be cancelled. */
export function endCancelling(run: Run): void {
  run.cancel = undefined
}

/** Where a deployment was not begun. */
export function cancelledBefore(deploymentId: DeploymentId): DeployResult {
  return { outcome: 'failed', touched: false, error: new CertloopError('DEPLOYMENT_CANCELLED', 'Cancelled by hand before anything was touched.', { deploymentId }).toWire(), differences: [], inspection: null, log: [] }
}
