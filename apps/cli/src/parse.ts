import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { nameOf, type Command, type Given, type OptionSpec, type OptionSpecs } from './command.ts'
import { usage } from './failure.ts'
import { nearest } from './nearest.ts'

/** Taken by every command. */
export const commonOptions = {
  json: { type: 'boolean', help: 'print the answer of the API as JSON' },
  help: { type: 'boolean', help: 'explain this command' },
} as const satisfies OptionSpecs

export type Parsed =
  | { kind: 'help'; topic: readonly Command[] }
  | { kind: 'version' }
  | { kind: 'run'; command: Command; given: Given; json: boolean }

const guess = (word: string, known: readonly string[]) => {
  const near = nearest(word, known)
  return near === undefined ? '' : ` Did you mean "${near}"?`
}
const unique = (words: readonly string[]) => [...new Set(words)]

/** Finds what the words mean. @throws Failure with exit code 2 that says what was probably meant */
export function parseWords(argv: readonly string[], commands: readonly Command[]): Parsed {
  // Options may stand before the noun, as long as they take no value.
  const leading = argv.findIndex((word) => !word.startsWith('-'))
  const before = argv.slice(0, leading < 0 ? argv.length : leading)
  const after = argv.slice(before.length)
  if (before.includes('--version')) return { kind: 'version' }
  const unknown = before.find((word) => word !== '--json' && !isHelp(word))
  if (unknown !== undefined) throw usage(`"${unknown}" stands before a command.`, 'Write the noun and the verb first: certloop certificate list --json')
  if (after[0] === 'help') return helpOn(after.slice(1), commands)
  if (before.some(isHelp)) return helpOn(after, commands)
  if (after[0] === undefined) throw usage('No command was given.', 'See "certloop --help".')
  const found = findCommand(after, commands)
  if ('command' in found) return parseOptions(found.command, [...before, ...found.rest])
  if (found.rest.some(isHelp)) return { kind: 'help', topic: found.topic }
  throw usage(`"certloop ${after[0]}" needs a verb: ${found.topic.map(({ verb }) => verb).join(', ')}.`, `See "certloop ${after[0]} --help".`)
}

const isHelp = (word: string) => word === '--help' || word === '-h'

function helpOn(words: readonly string[], commands: readonly Command[]): Parsed {
  if (words[0] === undefined || words[0].startsWith('-')) return { kind: 'help', topic: commands }
  const found = findCommand(words, commands)
  return { kind: 'help', topic: 'command' in found ? [found.command] : found.topic }
}

type Found = { command: Command; rest: readonly string[] } | { topic: readonly Command[]; rest: readonly string[] }

function findCommand([noun = '', ...rest]: readonly string[], commands: readonly Command[]): Found {
  const topic = commands.filter((command) => command.noun === noun)
  const [only] = topic
  if (only === undefined) throw usage(`There is no "${noun}".${guess(noun, unique(commands.map((c) => c.noun)))}`, 'See "certloop --help".')
  if (only.verb === undefined) return { command: only, rest }
  const [verb, ...after] = rest
  if (verb === undefined || verb.startsWith('-')) return { topic, rest }
  const command = topic.find((one) => one.verb === verb)
  if (!command) throw usage(`"${noun}" has no verb "${verb}".${guess(verb, topic.map((one) => one.verb ?? ''))}`, `See "certloop ${noun} --help".`)
  return { command, rest: after }
}

/** How options are handed to parseArgs; -h stands for --help everywhere. */
function parserOptions(specs: OptionSpecs): ParseArgsOptionsConfig {
  return Object.fromEntries(Object.entries(specs).map(([name, { type, multiple }]) => [name, { type, ...(multiple ? { multiple } : {}), ...(name === 'help' ? { short: 'h' } : {}) }]))
}

function parseOptions(command: Command, words: readonly string[]): Parsed {
  const specs: OptionSpecs = { ...command.options, ...commonOptions }
  const see = `See "certloop ${nameOf(command)} --help".`
  const options = parserOptions(specs)
  refuseUnknown(specs, words, options, see)
  let parsed: { values: Record<string, unknown>; positionals: string[] }
  try {
    parsed = parseArgs({ args: [...words], options, allowPositionals: true, allowNegative: true, strict: true })
  } catch (error) {
    throw usage((error as Error).message, see)
  }
  const { json, help, ...values } = parsed.values
  if (help === true) return { kind: 'help', topic: [command] }
  for (const [name, spec] of Object.entries(command.options)) checkChoice(name, spec, values, see)
  return { kind: 'run', command, json: json === true, given: { args: argumentsOf(command, parsed.positionals, see), options: values as Given['options'] } }
}

/** Work on one thing is waited for, work on many is followed. */
const alike = (name: string, names: readonly string[]) => [['wait', 'follow'], ['follow', 'wait']].find(([given, meant = '']) => given === name && names.includes(meant))?.[1]

/** Looks before parseArgs does, which can't say what was meant. */
function refuseUnknown(specs: OptionSpecs, words: readonly string[], options: ParseArgsOptionsConfig, see: string): void {
  const { tokens } = parseArgs({ args: [...words], options, allowPositionals: true, strict: false, tokens: true })
  const names = Object.keys(specs)
  const negatives = names.filter((name) => specs[name]?.type === 'boolean' && name !== 'help').map((name) => `no-${name}`)
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    refuseDash(token, see)
    if (names.includes(token.name) || negatives.includes(token.name)) continue
    const near = alike(token.name, names) ?? nearest(token.name, [...names, ...negatives])
    throw usage(`There is no option ${token.rawName}.${near === undefined ? '' : ` Did you mean --${near}?`}`, see)
  }
}

/** A value that begins with "-" may be an option whose value was forgotten before it. */
function refuseDash({ rawName, value, inlineValue }: { rawName: string; value: string | undefined; inlineValue: boolean | undefined }, see: string): void {
  if (value === undefined || inlineValue || !/^-./.test(value)) return
  if (/^-\d/.test(value)) throw usage(`${rawName} takes no negative number, such as ${value}.`, see)
  throw usage(`${rawName} needs a value, and "${value}" looks like the next option.`, `If it is the value, write ${rawName}=${value}. ${see}`)
}

function checkChoice(name: string, { choices }: OptionSpec, values: Record<string, unknown>, see: string): void {
  const value = values[name]
  for (const one of [value].flat()) {
    if (choices && typeof one === 'string' && !choices.includes(one)) throw usage(`--${name} takes one of ${choices.join(', ')}, not "${one}".${guess(one, choices)}`, see)
  }
}

function argumentsOf(command: Command, positionals: readonly string[], see: string): Given['args'] {
  const values: Record<string, string | string[]> = {}
  let left = [...positionals]
  for (const [name, { many, none }] of Object.entries(command.args)) {
    const [next, ...after] = left
    if (next === '' || (next === undefined && !none)) throw usage(`"certloop ${nameOf(command)}" needs ${name.toUpperCase()}.`, see)
    values[name] = many ? left : next ?? ''
    left = many ? [] : after
  }
  if (left[0] !== undefined) throw usage(`"${left[0]}" is one word too many for "certloop ${nameOf(command)}".`, see)
  return values as Given['args']
}

/** A whole number of an option. @throws Failure */
export function wholeNumber(option: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text) || Number(text) < least || Number(text) > most) throw usage(`--${option} takes a whole number from ${least} to ${most}, not "${text}".`)
  return Number(text)
}
