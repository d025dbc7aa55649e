import { CertloopError } from '@certloop/contract'
import type { Handle } from '@certloop/plugin-kit'

/** How an ACME order is found again. */
export interface OrderHandle {
  /** Addresses of the order and of the account that made it. */
  order: string
  account: string
  /** Kept before the order is finalized: from then on something may have been issued for it. */
  finalized?: boolean
  /** How often it was asked after while the authority works on it: the waits grow. */
  looks?: number
}
export const asHandle = (handle: OrderHandle): Handle => ({ ...handle })
/** @throws CertloopError ORDER_EXPIRED: it was kept by something else */
export function readHandle({ order, account, finalized, looks }: Handle): OrderHandle {
  if (typeof order !== 'string' || typeof account !== 'string') throw new CertloopError('ORDER_EXPIRED', 'What was kept of the request names no ACME order.')
  return { order, account, ...(finalized === true ? { finalized } : {}), ...(typeof looks === 'number' ? { looks } : {}) }
}
