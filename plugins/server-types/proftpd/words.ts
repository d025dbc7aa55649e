/** Joins lines that end with a backslash, and takes comments and empty lines away. */
export function logicalLines(text: string): string[] {
  return text.replaceAll(/\\\r?\n/g, ' ').split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
}

/** The words of a line; double quotes hold one together, and a backslash takes the next quote for itself. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) => (quoted === undefined ? plain ?? '' : quoted.replaceAll(/\\(["\\])/g, '$1')))
}

/** A line as ProFTPD takes it: a directive, or the begin or end of a section. Names in lower case. */
export type Line = { kind: 'directive' | 'begin' | 'end'; name: string; words: string[] }

export function readLine(line: string): Line {
  const [, slash, inner] = /^<(\/?)([^>]*)>?$/.exec(line) ?? []
  const [name = '', ...words] = wordsOf(inner ?? line)
  return { kind: inner === undefined ? 'directive' : slash === '/' ? 'end' : 'begin', name: name.toLowerCase(), words }
}

/** A file name with * and ? as a regular expression for the whole name. */
export function globPattern(name: string): RegExp {
  return new RegExp(`^${name.replaceAll(/[.+^${}()|\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`)
}
