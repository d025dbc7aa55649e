import type { OptionSpecs } from './command.ts'
import type { Context } from './context.ts'
import { exitCodes, Failure } from './failure.ts'
import { cleanText } from './format/clean.ts'

export const yesOption = { yes: { type: 'boolean', help: 'do not ask' } } as const satisfies OptionSpecs

/** Asks a person at a terminal before something that can't be taken back; a script means what it says. @throws Failure when the answer is no */
export async function confirm({ world }: Context, question: string, yes: boolean | undefined): Promise<void> {
  if (yes || !world.canAsk) return
  const answer = await world.ask(`${cleanText(question)} [y/N] `)
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure({ exit: exitCodes.failed, what: 'Not done, as you wish.' })
}
