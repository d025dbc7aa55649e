import { isAbsolute } from 'node:path/posix'

export interface CommandLine {
  /** All options but -D, as given. */
  options: string[]
  /** What -D names; null: PGDATA. */
  dataOption: string | null
}

/** Of postgres(1): these take a value, behind them or as the next word; "-" is the one of --name=value. */
const takesValue = new Set('BCcDdfhkNprStvW')

/** The options a server was started with. Several flags without a value may share one word (getopt). */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const found: CommandLine = { options: [], dataOption: null }
  const words = argv.slice(1)
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const flag = valueFlag(word)
    if (flag === undefined) {
      found.options.push(word)
      continue
    }
    const separate = flag.value === '' ? words.shift() : undefined
    if (flag.letter !== 'D') found.options.push(word, ...(separate === undefined ? [] : [separate]))
    else found.dataOption = separate ?? flag.value
  }
  return found
}

/** The flag of a word that takes a value, and what stands behind it. */
function valueFlag(word: string): { letter: string; value: string } | undefined {
  if (!word.startsWith('-') || word.startsWith('--')) return undefined
  const at = [...word].findIndex((letter, i) => i > 0 && takesValue.has(letter))
  return at === -1 ? undefined : { letter: word[at] ?? '', value: word.slice(at + 1) }
}

/** Calls that end by themselves: `postgres -C name`, `--version` and those for a single user. */
export function isShortCall(argv: readonly string[]): boolean {
  return argv.slice(1).some((word) => /^(-C.*|-V|-\?|--(single|boot|check|version|help|describe-config))$/.test(word))
}

/** A configuration file named by a relative path began in a folder that the server has left. */
export function relativeConfiguration({ options }: CommandLine): string | undefined {
  for (const [i, word] of options.entries()) {
    const setting = word.startsWith('--') ? word.slice(2) : word.startsWith('-c') ? (word === '-c' ? options[i + 1] ?? '' : word.slice(2)) : ''
    const [, file] = /^config[_-]file=(.*)$/.exec(setting) ?? []
    if (file !== undefined && !isAbsolute(file)) return file
  }
  return undefined
}
