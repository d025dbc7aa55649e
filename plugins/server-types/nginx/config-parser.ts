import { configurationError, type Token, tokens } from './config-lexer.ts'

/** One statement; `block` is null for those that end with a semicolon. */
export interface Directive {
  name: string
  args: string[]
  block: Directive[] | null
  file: string
  line: number
}

/** One file as `nginx -T` showed it. */
export interface ConfigurationFile { path: string; text: string }

/** Deeper nesting is no configuration. */
const maxDepth = 200
/** As nginx itself gives up on includes that go round. */
const maxIncludes = 100_000

/**
 * The statements of one file, includes not followed.
 * @throws CertloopError SERVER_CONFIGURATION_UNREADABLE with file and line, and nothing else whatever the text
 */
export function parseFile(text: string, file: string): Directive[] {
  const root: Directive[] = []
  const open: OpenBlock[] = [{ statements: root, line: 1 }]
  let words: (Token & { kind: 'word' })[] = []
  for (const token of tokens(text, file)) {
    if (token.kind === 'word') {
      words.push(token)
      continue
    }
    const problem = token.kind === 'close' ? closeBlock(open, words[0]) : addStatement(open, words, token.kind, file)
    if (problem !== undefined) throw configurationError(file, token.line, problem)
    words = []
  }
  const [unfinished] = words
  if (unfinished !== undefined) throw configurationError(file, unfinished.line, `"${unfinished.text}" has no end, a ";" is missing`)
  if (open.length > 1) throw configurationError(file, open.at(-1)?.line ?? 1, 'a block that begins here has no end')
  return root
}

interface OpenBlock { statements: Directive[]; line: number }

/** @returns what is wrong, if anything */
function closeBlock(open: OpenBlock[], unfinished: { text: string } | undefined): string | undefined {
  if (unfinished !== undefined) return `unexpected "}" after "${unfinished.text}", a ";" is missing`
  if (open.length === 1) return 'unexpected "}"'
  open.pop()
  return undefined
}

/** @returns what is wrong, if anything */
function addStatement(open: OpenBlock[], words: readonly { text: string; line: number }[], kind: 'end' | 'open', file: string): string | undefined {
  const [first, ...args] = words
  if (first === undefined) return `unexpected "${kind === 'end' ? ';' : '{'}"`
  const block: Directive[] | null = kind === 'open' ? [] : null
  open.at(-1)?.statements.push({ name: first.text, args: args.map(({ text }) => text), block, file, line: first.line })
  if (block) open.push({ statements: block, line: first.line })
  return open.length > maxDepth ? `more than ${maxDepth} blocks within each other` : undefined
}

const headerMark = '# configuration file '

/**
 * Takes apart what `nginx -T` prints: per file a line "# configuration file /path:", its text, and a line end.
 * A file may itself hold such lines, for instance when somebody saved such a print as nginx.conf. So the text of each
 * file is taken as long as `read` says it is; where it can't be read, up to the next such line.
 * @param read text of a file now, undefined when it can't be had
 */
export async function splitDump(dump: string, read: (path: string) => Promise<string | undefined>): Promise<ConfigurationFile[]> {
  const files: ConfigurationFile[] = []
  let at = dump.startsWith(headerMark) ? 0 : nextHeader(dump, 0)
  while (at < dump.length) {
    const lineEnd = dump.indexOf('\n', at)
    const path = dump.slice(at + headerMark.length, lineEnd).replace(/:$/, '')
    const start = lineEnd + 1
    const text = await read(path)
    const end = start + (text?.length ?? 0)
    const isExact = text !== undefined && dump.startsWith(text, start) && (dump.length <= end + 1 || dump.startsWith(`\n${headerMark}`, end))
    const next = isExact ? Math.min(end + 1, dump.length) : nextHeader(dump, start)
    files.push({ path, text: isExact ? text : dump.slice(start, Math.max(start, next - 1)) })
    at = next
  }
  return files
}

function nextHeader(dump: string, from: number): number {
  const header = /^# configuration file \/[^\n]*:$/gm
  header.lastIndex = from
  return header.exec(dump)?.index ?? dump.length
}

/**
 * The whole configuration: the first file with all includes in their places.
 * @param confFolder relative includes start there: the folder of the main configuration file
 * @throws CertloopError SERVER_CONFIGURATION_UNREADABLE
 */
export function parseConfiguration(files: readonly ConfigurationFile[], confFolder: string): Directive[] {
  const main = files[0]
  if (main === undefined) throw configurationError(confFolder, 1, 'nginx shows no configuration file')
  const texts = new Map(files.map((file) => [file.path, file.text]))
  const parsed = new Map<string, Directive[]>()
  let included = 0

  const load = (path: string, depth: number): Directive[] => {
    const statements = parsed.get(path) ?? parseFile(texts.get(path) ?? '', path)
    parsed.set(path, statements)
    return expand(statements, depth)
  }
  const expand = (statements: readonly Directive[], depth: number): Directive[] => statements.flatMap((statement) => {
    const [pattern] = statement.args
    if (depth > maxDepth || included > maxIncludes) throw configurationError(statement.file, statement.line, 'includes go round or go too deep')
    if (statement.name === 'include' && statement.block === null && pattern !== undefined) {
      included++
      return matching(absolute(pattern, confFolder), texts).flatMap((path) => load(path, depth + 1))
    }
    return [statement.block === null ? statement : { ...statement, block: expand(statement.block, depth + 1) }]
  })
  return load(main.path, 0)
}

/** nginx puts the folder in front of a relative path as text, without normalising. */
export const absolute = (path: string, folder: string): string => (path.startsWith('/') ? path : `${folder.replace(/\/$/, '')}/${path}`)

/** Files of the dump that an include names, in the order of glob(3). */
function matching(pattern: string, texts: ReadonlyMap<string, string>): string[] {
  if (!/[*?[]/.test(pattern)) return texts.has(pattern) ? [pattern] : []
  const expression = globExpression(pattern)
  return [...texts.keys()].filter((path) => expression.test(path)).toSorted((a, b) => (a < b ? -1 : 1))
}

/** As glob(3): *, ? and […] don't match "/", nor a dot at the beginning of a name. */
function globExpression(pattern: string): RegExp {
  let source = ''
  let atNameStart = true
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? ''
    const noDot = atNameStart ? '(?!\\.)' : ''
    const set = char === '[' ? /^\[[!^]?\]?[^\]/]*\]/.exec(pattern.slice(i))?.[0] : undefined
    if (char === '*') source += `${noDot}[^/]*`
    else if (char === '?') source += `${noDot}[^/]`
    else if (set !== undefined) {
      source += `${noDot}${setExpression(set)}`
      i += set.length - 1
    } else source += escapeText(char === '\\' ? pattern[++i] ?? '' : char)
    atNameStart = char === '/'
  }
  return new RegExp(`^${source}$`, 's')
}

/** "[!a-c]" as a set of a regular expression; one that makes no sense matches nothing. */
function setExpression(set: string): string {
  const isNegative = /^\[[!^]/.test(set)
  const body = set.slice(isNegative ? 2 : 1, -1).replace(/[\\\][^]/g, '\\$&')
  const expression = `(?!/)[${isNegative ? '^' : ''}${body}]`
  try {
    new RegExp(expression)
    return expression
  } catch {
    return '(?!)' // a range from high to low
  }
}

const escapeText = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
