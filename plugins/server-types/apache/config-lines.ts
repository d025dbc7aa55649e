/** One line as httpd takes it: continuations joined, white space at both ends gone; no comments and no empty ones. */
export interface ConfigLine { text: string; line: number }

/** Lines with the number of their first one. A backslash at the end goes on with the next line. */
export function* configLines(text: string): Generator<ConfigLine> {
  let joined = ''
  let first = 0
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '')
    if (joined === '') first = index + 1
    if (line.endsWith('\\')) {
      joined += line.slice(0, -1)
      continue
    }
    const whole = (joined + line).trim()
    joined = ''
    if (whole !== '' && !whole.startsWith('#')) yield { text: whole, line: first }
  }
  const rest = joined.trim()
  if (rest !== '' && !rest.startsWith('#')) yield { text: rest, line: first }
}

/** Words of a line. In quotes a backslash makes the quote and itself plain; outside it is a letter. */
export function words(text: string): string[] {
  const found: string[] = []
  const word = /\s*(?:"((?:[^"\\]|\\[^])*)"?|'((?:[^'\\]|\\[^])*)'?|(\S+))/y
  for (;;) {
    const match = word.exec(text)
    if (match === null) return found
    const quoted = match[1] ?? match[2]
    found.push(quoted === undefined ? match[3] ?? '' : quoted.replaceAll(/\\(["'\\])/g, '$1'))
  }
}

/** "<Name args>" or "</Name>"; undefined for other lines. */
export function sectionOf(text: string): { name: string; args: string; closes: boolean } | undefined {
  const [, slash, name, args] = /^<(\/?)([A-Za-z]\w*)\s*(.*?)\s*>?$/.exec(text) ?? []
  return name === undefined ? undefined : { name: name.toLowerCase(), args: args ?? '', closes: slash === '/' }
}

/** A pattern of file names as fnmatch takes it; a leading dot has to be there in the pattern too. */
export function fileNamePattern(pattern: string): RegExp {
  const source = pattern.replaceAll(/\[(!?)([^\]]*)\]|[^]/g, (one, not: string | undefined, set: string | undefined) => {
    if (set !== undefined && set !== '') return `[${not ? '^' : ''}${set.replaceAll(/[\\\]^[]/g, String.raw`\$&`)}]`
    if (one === '*') return '[^/]*'
    if (one === '?') return '[^/]'
    return one.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
  })
  return new RegExp(`^${pattern.startsWith('.') ? '' : String.raw`(?!\.)`}${source}$`, 'u')
}

export const hasWildcard = (text: string): boolean => /[*?[]/.test(text)
