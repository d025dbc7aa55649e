/** What the command line of a JVM says. */
export interface JavaCommand {
  /** -D options; the last of a name counts. A name without value has ''. */
  properties: ReadonlyMap<string, string>
  /** The main class, the module, or the file behind -jar; null when there is none. */
  main: string | null
  /** What the program itself gets. */
  arguments: readonly string[]
}

/** Options of java (and of jsvc) whose value is the next argument. */
const withValue = new Set([
  '-cp', '-classpath', '--class-path', '-p', '--module-path', '--upgrade-module-path', '--add-modules', '--limit-modules', '--add-exports', '--add-opens', '--add-reads', '--patch-module', '--describe-module', '--source',
  '-user', '-home', '-java-home', '-outfile', '-errfile', '-pidfile', '-procname', '-cwd', '-umask', '-wait', '-jvm',
])
const beforeMain = new Set(['-jar', '-m', '--module'])

/** @param args everything behind the program itself, argument files already put in */
export function parseJavaCommand(args: readonly string[]): JavaCommand {
  const properties = new Map<string, string>()
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ''
    if (beforeMain.has(arg)) return { properties, main: args[i + 1] ?? null, arguments: args.slice(i + 2) }
    if (arg.startsWith('--module=')) return { properties, main: arg.slice('--module='.length), arguments: args.slice(i + 1) }
    if (withValue.has(arg)) i++
    else if (arg.startsWith('-D')) {
      const [name = '', ...value] = arg.slice(2).split('=')
      properties.set(name, value.join('='))
    } else if (!arg.startsWith('-')) return { properties, main: arg, arguments: args.slice(i + 1) }
  }
  return { properties, main: null, arguments: [] }
}

/**
 * The words of an argument file (JDK 9 and later, "java Command-Line Argument Files") or of JDK_JAVA_OPTIONS:
 * parted by white space, single or double quotes keep it; within quotes a backslash takes the next character as it is
 * (n, t, r, f: control characters). A # outside of quotes begins a comment.
 */
export function javaWords(text: string): string[] {
  const words: string[] = []
  const matcher = /#[^\n]*|((?:"(?:\\[^]|[^"\\])*"?|'(?:\\[^]|[^'\\])*'?|[^\s"'#]|(?<=\S)#)+)/g
  for (const [, word] of text.matchAll(matcher)) {
    if (word !== undefined) words.push(word.replaceAll(/"((?:\\[^]|[^"\\])*)"?|'((?:\\[^]|[^'\\])*)'?/g, (_all, double?: string, single?: string) => unescaped(double ?? single ?? '')))
  }
  return words
}

const control: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f', '\n': '' }
const unescaped = (text: string) => text.replaceAll(/\\([^])/g, (_all, character: string) => control[character] ?? character)
