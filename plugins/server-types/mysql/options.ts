/** Options as the server takes them: name with dashes → value; null for one without a value. The last one wins. */
export type Options = ReadonlyMap<string, string | null>

/** One word of a command line or of --print-defaults: "--ssl_cert=/a" → ssl-cert, /a. */
function optionOf(word: string): [string, string | null] | undefined {
  const [, name, value] = /^--(?:loose[-_])?([^=]+)(?:=([^]*))?$/.exec(word) ?? []
  return name === undefined ? undefined : [name.replaceAll('_', '-').toLowerCase(), value ?? null]
}

/** @param words in the order in which they count: those of the option files first */
export function optionsOf(words: readonly string[]): Options {
  return new Map(words.flatMap((word) => {
    const option = optionOf(word)
    return option === undefined ? [] : [option]
  }))
}

/** The arguments that --print-defaults shows: one line, each begins with two dashes. Values with " --" in them can't be told apart. */
export function printedWords(output: string): string[] {
  const line = output.split('\n').slice(1).join(' ').trim()
  return line === '' ? [] : line.split(/\s+(?=--[A-Za-z])/)
}

const defaultsOption = /^--(defaults-file|defaults-extra-file|defaults-group-suffix)=/

/**
 * The words of a command line that say which option files count; they stand first.
 * @returns none where --no-defaults switches all off
 */
export function defaultsWords(argv: readonly string[]): { words: string[]; noDefaults: boolean } {
  const words: string[] = []
  for (const word of argv.slice(1)) {
    if (word === '--no-defaults') return { words: [], noDefaults: true }
    if (!defaultsOption.test(word)) break
    words.push(word)
  }
  return { words, noDefaults: false }
}

const off = /^(0|off|false|no|disabled)$/i

/** A switch: "--name", "--name=ON", "--skip-name", "--disable-name"; the one that stands last counts. */
export function isOn(options: Options, name: string, otherwise: boolean): boolean {
  let value = otherwise
  for (const [key, given] of options) {
    if (key === name || key === `enable-${name}`) value = given === null || !off.test(given)
    if (key === `skip-${name}` || key === `disable-${name}`) value = given !== null && off.test(given)
  }
  return value
}

export const valueOf = (options: Options, name: string): string | undefined => options.get(name) || undefined
