import type { ErrorCode } from '@certloop/contract'
import { addressGuard, createOutbound, type AddressGuard, type Outbound } from '@certloop/plugin-kit'

/** The one way to services elsewhere, with the guard that the setting outbound-allow makes. */
export interface WayOut {
  guard: AddressGuard
  /** @param unreachable what is said of a service that can't be reached. @param trustPem in place of the system's roots */
  outboundFor(unreachable: ErrorCode, options?: { trustPem?: string }): Outbound
}

/** @param allow "private", addresses and networks, as the setting has them */
export function createWayOut({ allow, version }: { allow: readonly string[]; version: string }): WayOut {
  const guard = addressGuard(allow)
  return { guard, outboundFor: (unreachable, { trustPem } = {}) => createOutbound({ guard, unreachable, userAgent: `certloop/${version}`, ...(trustPem ? { trustPem } : {}) }) }
}
