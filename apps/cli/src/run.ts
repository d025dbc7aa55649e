import type { ApiProblem } from '@certloop/api-client'
import { commands } from './commands.ts'
import { nameOf, type Command } from './command.ts'
import { createContext } from './context.ts'
import { exitCodes, failureOf, type FailureText, isApiProblem } from './failure.ts'
import { optionOfField } from './configuration/field-options.ts'
import { jsonText } from './format/clean.ts'
import { helpText } from './help.ts'
import { parseWords } from './parse.ts'
import type { World } from './world.ts'

/**
 * One run of the command line. @returns the exit code; never throws.
 * With --json an error of the API goes to standard output as its problem document, for programs, and to standard error in words.
 */
export async function run(argv: readonly string[], world: World, version: () => Promise<string>, known: readonly Command[] = commands): Promise<number> {
  let context = createContext(world, false)
  let command: Command | undefined
  try {
    const parsed = parseWords(argv, known)
    if (parsed.kind === 'help') {
      world.out(helpText(parsed.topic, known))
      return exitCodes.done
    }
    if (parsed.kind === 'version') {
      world.out(`${await version()}\n`)
      return exitCodes.done
    }
    context = createContext(world, parsed.json)
    command = parsed.command
    return await parsed.command.run(context, parsed.given) ?? exitCodes.done
  } catch (thrown) {
    const failure = command === undefined ? failureOf(thrown) : inOptions(failureOf(thrown), command)
    if (context.json && isApiProblem(thrown)) world.out(`${jsonText(problemDocument(thrown))}\n`)
    context.fail(failure)
    return failure.exit
  }
}

/** Fields of the API by the options that a person gave. */
export function inOptions(failure: FailureText, command: Command): FailureText {
  const { fields = [], what, where } = failure
  if (fields.length === 0) return failure
  const told = fields.map(({ field, problem }) => ({ field: optionOfField(field, command.options) ?? field.replace(/^body[./]/, ''), problem }))
  const whole = fields.reduce((text, { field, problem }, i) => text.replace(`${field}: ${problem}`, `${told[i]?.field}: ${problem}`), what)
  const isNamed = told.some(({ field }) => field.startsWith('--'))
  return { ...failure, fields: told, what: whole, ...(where?.includes('"fields"') ? { where: isNamed ? `The options of "certloop ${nameOf(command)}"` : 'The fields named above' } : {}) }
}

/** The problem document (RFC 9457) as it came. */
function problemDocument(problem: ApiProblem): Record<string, unknown> {
  const { status, code, class: errorClass, cause, remedy, where, fields, instance, facts, message } = problem
  return { type: `urn:certloop:error:${code}`, title: cause, status, detail: message, code, class: errorClass, cause, remedy, where, ...(instance === undefined ? {} : { instance }), ...(fields.length > 0 ? { fields } : {}), ...(facts === undefined ? {} : { facts }) }
}
