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

/** "<Name args>" or "</Name>"; undefined for other lines. @param text without white space at its ends */
export function sectionOf(text: string): { name: string; args: string; closes: boolean } | undefined {
  const [start, slash, name] = /^<(\/?)([A-Za-z]\w*)/.exec(text) ?? []
  if (start === undefined || name === undefined) return undefined
  const args = text.slice(start.length, text.endsWith('>') ? -1 : undefined).trim()
  return { name: name.toLowerCase(), args, closes: slash === '/' }
}
