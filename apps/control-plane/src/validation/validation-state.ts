import type { CleanupState, ValidationState } from '@certloop/contract'

export const openValidationStates = ['planned', 'placing', 'waiting', 'checking', 'asked'] as const satisfies readonly ValidationState[]
export const isOpenValidation = (state: ValidationState): boolean => (openValidationStates as readonly ValidationState[]).includes(state)

/** A validation proves one name to one authority, and ends valid, failed or cancelled. */
export const validationTransitions = {
  /** It is written down what goes where; the bot or the DNS provider is asked. */
  place: { from: ['planned'], to: 'placing' },
  /** A person is to place it. */
  hand: { from: ['planned'], to: 'waiting' },
  /** Nothing has to be placed: the control plane answers, or the record stands already. */
  ready: { from: ['planned'], to: 'checking' },
  placed: { from: ['placing'], to: 'checking' },
  /** It was seen from outside. */
  appeared: { from: ['waiting'], to: 'checking' },
  /** It was seen from outside, and the authority was told to look. */
  asked: { from: ['checking'], to: 'asked' },
  valid: { from: openValidationStates, to: 'valid' },
  failed: { from: openValidationStates, to: 'failed' },
  cancelled: { from: openValidationStates, to: 'cancelled' },
} as const satisfies Record<string, { from: readonly ValidationState[]; to: ValidationState }>

/** What becomes of what was placed, once the validation has ended. */
export const cleanupTransitions = {
  /** The bot had not begun. */
  untouched: { from: ['removing'], to: 'nothing' },
  removed: { from: ['removing', 'stuck'], to: 'removed' },
  stuck: { from: ['removing'], to: 'stuck' },
  /** It was placed after all, by work that had been given up. */
  late: { from: ['nothing', 'removed', 'stuck'], to: 'removing' },
} as const satisfies Record<string, { from: readonly CleanupState[]; to: CleanupState }>

export type ValidationEvent = keyof typeof validationTransitions
export type CleanupEvent = keyof typeof cleanupTransitions
export interface ValidationPosition { state: ValidationState; cleanup: CleanupState }

const isCleanupEvent = (event: string): event is CleanupEvent => Object.hasOwn(cleanupTransitions, event)

/**
 * Pure. Where the event leads, or undefined when it is not allowed here. From the moment it is written down where something
 * goes, it counts as placed; with the end of the validation it counts as to be removed.
 * @param stays a record that serves later requests too: nobody removes it
 */
export function nextValidationPosition({ state, cleanup }: ValidationPosition, event: ValidationEvent | CleanupEvent, stays = false): ValidationPosition | undefined {
  if (isCleanupEvent(event)) {
    const { from, to } = cleanupTransitions[event]
    return !isOpenValidation(state) && (from as readonly CleanupState[]).includes(cleanup) ? { state, cleanup: to } : undefined
  }
  const { from, to } = validationTransitions[event]
  if (!(from as readonly ValidationState[]).includes(state)) return undefined
  if (event === 'place') return { state: to, cleanup: stays ? cleanup : 'placed' }
  return { state: to, cleanup: cleanup === 'placed' && !isOpenValidation(to) ? 'removing' : cleanup }
}
