import type { Context } from './context.ts'

export interface OptionSpec {
  type: 'boolean' | 'string'
  help: string
  /** What stands for the value in help, e.g. DAYS. */
  value?: string
  /** The only values it takes. */
  choices?: readonly string[]
  /** May be given more than once. */
  multiple?: true
}
export type OptionSpecs = Record<string, OptionSpec>
/** Words after noun and verb, in this order. Only the last may be `many`; `none` says that there may be none of them. */
export type ArgumentSpecs = Record<string, { help: string; many?: true; none?: true }>

type OptionValue<S extends OptionSpec> =
  S extends { multiple: true } ? (S extends { choices: readonly (infer Choice)[] } ? Choice : string)[] | undefined
    : S extends { type: 'boolean' } ? boolean | undefined
      : S extends { choices: readonly (infer Choice)[] } ? Choice | undefined
        : string | undefined
type ArgumentValue<S> = S extends { many: true } ? string[] : string

export interface Given<A extends ArgumentSpecs = ArgumentSpecs, O extends OptionSpecs = OptionSpecs> {
  args: { [K in keyof A]: ArgumentValue<A[K]> }
  options: { [K in keyof O]: OptionValue<O[K]> }
}

/** One command of the line: `certloop <noun> <verb>`, or `certloop <noun>` alone. */
export interface Command<A extends ArgumentSpecs = ArgumentSpecs, O extends OptionSpecs = OptionSpecs> {
  noun: string
  /** Undefined for login and logout. */
  verb?: string
  summary: string
  args: A
  options: O
  /** Whole lines to try, without "certloop". */
  examples: readonly string[]
  /** Further paragraphs of its help. */
  notes?: readonly string[]
  /** @returns the exit code; nothing means 0 */
  run(context: Context, given: Given<A, O>): Promise<number | void>
}

/** Keeps the types of arguments and options between their declaration and `run`. */
export function defineCommand<const A extends ArgumentSpecs, const O extends OptionSpecs>(command: Command<A, O>): Command {
  return command
}

export const nameOf = ({ noun, verb }: Pick<Command, 'noun' | 'verb'>): string => (verb === undefined ? noun : `${noun} ${verb}`)
