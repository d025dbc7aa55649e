import { asSentence, CertloopError, type DeployResult, type ErrorCode, type Plan, toCertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import type { DeployLog } from './log.ts'

/** Such an error says that the host could not be asked. What is on it is as unknown as before. */
const awayCodes: ReadonlySet<ErrorCode> = new Set(['HOST_UNREACHABLE', 'HOST_KEY_UNKNOWN', 'HOST_KEY_CHANGED', 'LOGIN_REFUSED', 'TRANSFER_FAILED'])
export const saysNothing = ({ code }: Pick<CertloopError, 'code'>): boolean => awayCodes.has(code)

/** The host went away in the middle: the journal stays open, and who takes it up next ends the deployment. */
export class HostAway extends CertloopError {}

/** Neither new nor old: it is ended as soon as the host can be reached, by deploy() for the same deployment or by recover(). */
export class DeploymentUnfinished extends CertloopError {
  /** What to tell of it when nobody wants to wait any longer. */
  readonly result: DeployResult
  constructor({ code, message, facts }: Pick<CertloopError, 'code' | 'message' | 'facts'>, log: DeployLog['entries'] = []) {
    super(code, `The deployment is not finished, and what is on the host may be partly new: ${asSentence(message)} It is ended, forward or back, when the host can be reached again.`, facts)
    this.result = { outcome: 'failed', touched: true, error: this.toWire(), differences: [], inspection: null, log: [...log] }
  }
}

/**
 * Called after a failure: is it one of the target, or can't the host be asked at all? A service on the host that does
 * not answer gives the same codes, so the host itself is asked for something that is always there to be answered.
 * @throws HostAway
 */
export async function stillThere({ host, plan }: { host: Host; plan: Plan }): Promise<void> {
  const gone = await away(host, plan)
  if (gone !== undefined) throw new HostAway(gone.code, gone.message, gone.facts, gone)
}

/** Why the host can't be asked; undefined when it answers, whatever it says. */
export async function away(host: Host, plan: Plan): Promise<CertloopError | undefined> {
  if (host.kind === 'local') return undefined
  const path = plan.steps.flatMap((step) => ('path' in step ? [step.path] : []))[0] ?? '/'
  try {
    await host.stat(path)
    return undefined
  } catch (thrown) {
    const error = toCertloopError(thrown)
    return saysNothing(error) ? error : undefined
  }
}
