import type { Rollout } from '@certloop/contract'
import { isHalting, isOpenRollout, type RolloutPosition } from './rollout-state.ts'
import { holdsNew } from './rollout-work.ts'
import type { RolloutTargetRow } from './rollout-store.ts'

export type RolloutCommand = Rollout['can'][number]
const commands = ['pause', 'resume', 'stop', 'undo'] as const satisfies readonly RolloutCommand[]

/** What decides about a command of a person. `later`: what has come after an ended rollout, so that it must not be taken back. */
export interface CommandFacts extends RolloutPosition { targets: readonly Pick<RolloutTargetRow, 'state' | 'gate'>[]; later: string | null }

/** Why a command is not possible now; null when it is. Pure: used both to show and to decide. */
export function whyNotCommand(command: RolloutCommand, facts: CommandFacts): string | null {
  const { state } = facts
  if (state === 'undoing') return 'It is being taken back; let that end.'
  if (command === 'undo') return whyNotUndo(facts)
  if (!isOpenRollout(state)) return `It has ended: ${state}.`
  if (isHalting(facts)) return 'It is being stopped, once what is under way has ended.'
  if (command === 'pause' && state !== 'running' && state !== 'watching') return state === 'paused' ? 'It is paused already.' : 'It waits for approval, so nothing begins by itself.'
  if (command === 'resume' && state !== 'paused' && state !== 'approval') return 'It is neither paused nor waiting for approval.'
  return null
}

function whyNotUndo({ state, targets, later }: CommandFacts): string | null {
  if (state === 'undone' || state === 'undo-failed') return 'It was taken back already. What is left can be undone deployment by deployment.'
  if (!targets.some((target) => holdsNew(target) || target.state === 'deploying')) return 'It has deployed nothing that could be taken back.'
  return isOpenRollout(state) ? null : later
}

export const possibleCommands = (facts: CommandFacts): RolloutCommand[] => commands.filter((command) => whyNotCommand(command, facts) === null)
