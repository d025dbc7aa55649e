import type { Logger } from '../log.ts'

/** Below this the host's own clock is good enough: requests may be off by 300 seconds. */
const toleratedMs = 30_000

export interface ServerClock {
  /** The control plane's time as far as known; the host's own where the two agree. */
  now(): Date
  /**
   * Takes note of the Date header of an answer just received.
   * @returns true when the correction changed by more than what is tolerated
   */
  observe(dateHeader: string | undefined): boolean
}

/** Signs with the control plane's time where the host's clock is wrong, so that a host without NTP still works. */
export function createServerClock({ now, logger }: { now: () => Date; logger: Logger }): ServerClock {
  let offsetMs = 0
  return {
    now: () => new Date(now().getTime() + offsetMs),
    observe(dateHeader) {
      const measured = Date.parse(dateHeader ?? '') - now().getTime()
      if (Number.isNaN(measured) || Math.abs(measured - offsetMs) <= toleratedMs) return false
      offsetMs = Math.abs(measured) > toleratedMs ? measured : 0
      if (offsetMs === 0) logger.info('The clock of this host agrees with the control plane again.')
      else logger.warn(`The clock of this host is ${Math.round(Math.abs(offsetMs) / 1000)} seconds ${offsetMs > 0 ? 'behind' : 'ahead of'} the control plane. Requests are signed with the control plane's time; set the clock of the host right.`, { offsetSeconds: Math.round(offsetMs / 1000) })
      return true
    },
  }
}
