/** How an HAProxy was started (management guide, chapter 3). */
export interface CommandLine {
  /** Of -f and after "--": files and folders, in order, as named. */
  configuration: string[]
  /** -W or -Ws. */
  masterWorker: boolean
  /** -S: address and options of the master's own socket. */
  masterSocket: string | null
  /** What decides how the configuration is read, without -f and -C: for a test with the same result. */
  reading: string[]
}

const single = new Set(['-f', '-C', '-L', '-N', '-n', '-m', '-p', '-S', '-x'])
const keptForReading = new Set(['-L', '-N', '-n', '-m'])

export function readCommandLine(argv: readonly string[]): CommandLine {
  const found: CommandLine = { configuration: [], masterWorker: false, masterSocket: null, reading: [] }
  const words = argv.slice(1)
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '--') {
      found.configuration.push(...words.splice(0))
    } else if (word === '-W' || word === '-Ws') found.masterWorker = true
    else if (word === '-sf' || word === '-st') {
      // The master adds the workers it is to replace: pids up to the next option.
      while (/^\d+$/.test(words[0] ?? '')) words.shift()
    } else if (single.has(word)) take(found, word, words.shift() ?? '')
  }
  return found
}

function take(found: CommandLine, flag: string, value: string): void {
  if (flag === '-f') found.configuration.push(value)
  else if (flag === '-S') found.masterSocket = value
  else if (keptForReading.has(flag)) found.reading.push(flag, value)
}

/** `haproxy -c` and `-v` end by themselves. */
export const isShortCall = (argv: readonly string[]): boolean => argv.slice(1).some((word) => /^-(c|v|vv|h|cc)$/.test(word))
