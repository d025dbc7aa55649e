import { CertloopError } from '@certloop/contract'

export type Token = { kind: 'word'; text: string; line: number } | { kind: 'end' | 'open' | 'close'; line: number }

interface Cursor { readonly text: string; readonly file: string; at: number; line: number }

const isSpace = (char: string | undefined) => char === ' ' || char === '\t' || char === '\n' || char === '\r'

export function configurationError(file: string, line: number, what: string): CertloopError {
  return new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${file}, line ${line}: ${what}.`, { path: file, line })
}

/**
 * Words, ends of statements and braces of one nginx configuration file, by nginx's own rules: a quote or # counts only
 * at the beginning of a word, "${" does not open a block, and what follows a closing quote must be white space or ; { ).
 * The Lua of "…_by_lua_block { … }" (OpenResty) is passed over.
 * @throws CertloopError SERVER_CONFIGURATION_UNREADABLE with file and line
 */
export function* tokens(text: string, file: string): Generator<Token> {
  const cursor: Cursor = { text, file, at: 0, line: 1 }
  let firstWord: string | null = null
  for (;;) {
    skipBlanks(cursor)
    const char = text[cursor.at]
    if (char === undefined) return
    const { line } = cursor
    const kind = marks[char]
    if (kind === undefined) {
      const word = char === '"' || char === '\'' ? quotedWord(cursor, char) : plainWord(cursor)
      firstWord ??= word
      yield { kind: 'word', text: word, line }
      continue
    }
    cursor.at++
    yield { kind, line }
    if (kind === 'open' && firstWord?.endsWith('_by_lua_block')) {
      skipLua(cursor)
      yield { kind: 'close', line: cursor.line }
    }
    firstWord = null
  }
}

const marks: Record<string, 'end' | 'open' | 'close'> = { ';': 'end', '{': 'open', '}': 'close' }

/** White space and comments. */
function skipBlanks(cursor: Cursor): void {
  const { text } = cursor
  for (;;) {
    const char = text[cursor.at]
    if (isSpace(char)) step(cursor)
    else if (char === '#') skipTo(cursor, text.indexOf('\n', cursor.at))
    else return
  }
}

/** One character on; undefined at the end. */
function step(cursor: Cursor): string | undefined {
  const char = cursor.text[cursor.at]
  if (char === undefined) return undefined
  if (char === '\n') cursor.line++
  cursor.at++
  return char
}

/** To an index found with indexOf; -1 is the end of the text. */
function skipTo(cursor: Cursor, index: number): void {
  const end = index === -1 ? cursor.text.length : index
  while (cursor.at < end) step(cursor)
}

const escapes: Record<string, string> = { '"': '"', '\'': '\'', '\\': '\\', t: '\t', r: '\r', n: '\n' }

/** After a backslash: what both characters stand for. Other pairs stay as they are, as regular expressions need them. */
function escaped(cursor: Cursor): string {
  const char = step(cursor)
  if (char === undefined) return '\\'
  return escapes[char] ?? `\\${char}`
}

function quotedWord(cursor: Cursor, quote: string): string {
  const { line, text } = cursor
  let word = ''
  step(cursor)
  for (;;) {
    const char = step(cursor)
    if (char === undefined) throw configurationError(cursor.file, line, `a text in ${quote} quotes has no end`)
    if (char === quote) break
    word += char === '\\' ? escaped(cursor) : char
  }
  const next = text[cursor.at]
  if (next === undefined || isSpace(next) || next === ';' || next === '{' || next === ')') return word
  throw configurationError(cursor.file, cursor.line, `unexpected "${next}" after a closing quote`)
}

function plainWord(cursor: Cursor): string {
  let word = ''
  let variable = false
  for (;;) {
    const char = cursor.text[cursor.at]
    if (char === undefined || isSpace(char) || char === ';' || (char === '{' && !variable)) return word
    step(cursor)
    if (char !== '{') variable = char === '$'
    word += char === '\\' ? escaped(cursor) : char
  }
}

/** To behind the brace that closes a block of Lua; braces in its strings and comments don't count. */
function skipLua(cursor: Cursor): void {
  const { line, text } = cursor
  let depth = 1
  while (depth > 0) {
    const char = text[cursor.at]
    if (char === undefined) throw configurationError(cursor.file, line, 'a block of Lua has no end')
    if (skipLuaText(cursor, char)) continue
    if (char === '{') depth++
    if (char === '}') depth--
    step(cursor)
  }
}

/** A string or comment that begins here; false when none does. */
function skipLuaText(cursor: Cursor, char: string): boolean {
  const { text } = cursor
  const isComment = char === '-' && text[cursor.at + 1] === '-'
  const from = isComment ? cursor.at + 2 : cursor.at
  const equals = longBracket(text, from)
  if (equals !== undefined) {
    const close = `]${equals}]`
    const end = text.indexOf(close, from)
    skipTo(cursor, end === -1 ? -1 : end + close.length)
  } else if (isComment) {
    skipTo(cursor, text.indexOf('\n', from))
  } else if (char === '"' || char === '\'') {
    skipLuaString(cursor, char)
  } else {
    return false
  }
  return true
}

/** The equals signs of "[[", "[=[", "[==[" … at this place. */
function longBracket(text: string, from: number): string | undefined {
  if (text[from] !== '[') return undefined
  let at = from + 1
  while (text[at] === '=') at++
  return text[at] === '[' ? text.slice(from + 1, at) : undefined
}

function skipLuaString(cursor: Cursor, quote: string): void {
  step(cursor)
  for (;;) {
    const char = step(cursor)
    if (char === undefined || char === quote) return
    if (char === '\\') step(cursor)
  }
}
