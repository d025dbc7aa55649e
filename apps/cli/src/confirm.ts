import type { OptionSpecs } from './command.ts'
import type { Context } from './context.ts'
import { exitCodes, Failure, usage } from './failure.ts'
import { cleanText } from './format/clean.ts'

export const yesOption = { yes: { type: 'boolean', help: 'do not ask; needed where nobody can be asked, as in a script' } } as const satisfies OptionSpecs

/** Asks a person at a terminal before something that can't be taken back. Silence is no yes. @throws Failure when the answer is no, or nobody is there to give one */
export async function confirm({ world }: Context, question: string, yes: boolean | undefined): Promise<void> {
  if (yes) return
  if (!world.canAsk) throw usage(`Nothing was done, as nobody can be asked here: ${question}`, 'To go ahead without the question, give --yes.')
  const answer = await world.ask(`${cleanText(question)} [y/N] `)
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure({ exit: exitCodes.failed, what: 'Not done, as you wish.' })
}
