import type { Validation } from '@certloop/api-client'

type Finding = NonNullable<Validation['lastLook']>['findings'][number]

export const isOpen = ({ state }: Pick<Validation, 'state'>): boolean => !['valid', 'failed', 'cancelled'].includes(state)

/** Before anything is placed it is only looked at what could be in the way; once the proof is seen, it is no longer waited for. */
export const wasBeforehand = ({ state, lastLook }: Pick<Validation, 'state' | 'lastLook'>): boolean => lastLook?.visible === true && (state === 'planned' || state === 'placing' || state === 'waiting')

/** Good with an error is a doubt: it need not fail. */
export function verdictOf({ ok, error }: Pick<Finding, 'ok' | 'error'>, state: Validation['state']): { color: string; label: string } {
  if (ok) return error === null ? { color: 'teal', label: 'Good' } : { color: 'yellow', label: 'Doubt' }
  return isOpen({ state }) ? { color: 'orange', label: 'Not yet' } : { color: 'red', label: 'Wrong' }
}
