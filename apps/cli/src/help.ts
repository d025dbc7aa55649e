import { nameOf, type Command, type OptionSpecs } from './command.ts'
import { commonOptions } from './parse.ts'

const columns = (rows: readonly (readonly [string, string])[]) => {
  const width = Math.max(0, ...rows.map(([left]) => left.length)) + 2
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`)
}
const argumentWord = ([name, { many, none }]: [string, { many?: true; none?: true }]) => {
  const word = many ? `${name.toUpperCase()}...` : name.toUpperCase()
  return none ? `[${word}]` : word
}
const usageOf = (command: Command) => ['certloop', nameOf(command), ...Object.entries(command.args).map(argumentWord)].join(' ')

const outro = [
  'Sign in once with "certloop login", or set CERTLOOP_URL and CERTLOOP_TOKEN. CERTLOOP_CA names a root certificate to trust.',
  'What can not be taken back asks first. Where nobody can be asked, as in a script, it needs --yes, and ends with 2 without it.',
  'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not signed in or not allowed. NO_COLOR turns colours off.',
]

/** All commands by noun. */
function overview(commands: readonly Command[]): string[] {
  const nouns = [...new Set(commands.map(({ noun }) => noun))]
  return [
    'certloop: certificates found, issued, deployed, proven, renewed and rolled back.', '',
    'certloop <noun> <verb> [words] [options]', '',
    ...columns(commands.map((command) => [nameOf(command) + Object.entries(command.args).map((entry) => ` ${argumentWord(entry)}`).join(''), command.summary] as const)),
    '', `More about one: certloop help <noun> [<verb>]. Nouns: ${nouns.join(', ')}.`,
    'Where an id is asked for, a name will do as long as only one thing has it. Every command takes --json.',
    ...outro,
  ]
}

function optionRows(specs: OptionSpecs): [string, string][] {
  return Object.entries(specs).map(([name, { type, value, choices, help }]) => [
    type === 'boolean' ? `--${name}` : `--${name} ${value ?? 'VALUE'}`,
    choices ? `${help}: ${choices.join(', ')}` : help,
  ])
}

function explain(command: Command): string[] {
  const args = Object.entries(command.args)
  return [
    `${usageOf(command)} [options]`, `  ${command.summary}.`, '',
    ...columns([...args.map((entry) => [argumentWord(entry), entry[1].help] as const), ...optionRows({ ...command.options, ...commonOptions })]),
    ...(command.notes ?? []).flatMap((note) => ['', note]),
    '', 'Examples:', ...command.examples.map((line) => `  certloop ${line}`),
  ]
}

/** Help for all commands, one noun, or one command. */
export function helpText(topic: readonly Command[], all: readonly Command[]): string {
  const [first] = topic
  const lines = topic === all ? overview(all)
    : topic.length === 1 && first ? explain(first)
      : [...columns(topic.map((command) => [usageOf(command), command.summary] as const)), '', `More about one: certloop ${first?.noun} <verb> --help`]
  return `${lines.join('\n')}\n`
}
