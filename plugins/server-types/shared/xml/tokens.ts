/** A piece of an XML text. All of them one after the other are the text, so nothing is lost and each offset is that of the file. */
export interface XmlToken {
  kind: 'text' | 'comment' | 'cdata' | 'instruction' | 'doctype' | 'open' | 'close'
  /** Offsets in the text, in UTF-16 units. */
  start: number
  end: number
}

/** What is wrong with a text. `line`: from 1. */
export class XmlProblem extends Error {
  readonly line: number
  constructor(message: string, line: number) {
    super(message)
    this.line = line
  }
}

/** Lines from 1 by offset; asked with growing offsets it goes through the text once. */
export function lineCounter(text: string): (offset: number) => number {
  let known = { offset: 0, line: 1 }
  return (offset) => {
    if (offset < known.offset) known = { offset: 0, line: 1 }
    let { line } = known
    for (let at = text.indexOf('\n', known.offset); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++
    known = { offset, line }
    return line
  }
}

const problemAt = (text: string, offset: number, message: string) => new XmlProblem(message, lineCounter(text)(offset))

const ends = [
  { begin: '<!--', kind: 'comment', end: '-->', name: 'comment' },
  { begin: '<![CDATA[', kind: 'cdata', end: ']]>', name: 'CDATA section' },
  { begin: '<?', kind: 'instruction', end: '?>', name: 'processing instruction' },
] as const

/** @throws XmlProblem for a piece that does not end */
export function* xmlTokens(text: string): Generator<XmlToken> {
  for (let start = 0; start < text.length;) {
    const token = tokenAt(text, start)
    yield token
    start = token.end
  }
}

function tokenAt(text: string, start: number): XmlToken {
  if (text[start] !== '<') {
    const next = text.indexOf('<', start)
    return { kind: 'text', start, end: next < 0 ? text.length : next }
  }
  for (const { begin, kind, end, name } of ends) {
    if (!text.startsWith(begin, start)) continue
    const at = text.indexOf(end, start + begin.length)
    if (at < 0) throw problemAt(text, start, `a ${name} does not end`)
    return { kind, start, end: at + end.length }
  }
  if (text.startsWith('<!DOCTYPE', start)) return { kind: 'doctype', start, end: endOf(text, start, doctypeEnd, 'the DOCTYPE') }
  return { kind: text[start + 1] === '/' ? 'close' : 'open', start, end: endOf(text, start, tagEnd, 'a tag') }
}

// A > within quotes does not end a tag; a DOCTYPE may hold declarations, comments and quotes between brackets.
const tagEnd = /<(?:"[^"]*"|'[^']*'|[^"'>])*>/y
const doctypeEnd = /<!DOCTYPE(?:"[^"]*"|'[^']*'|[^"'>[])*(?:\[(?:"[^"]*"|'[^']*'|<!--[^]*?-->|<\?[^]*?\?>|[^"'\]])*\]\s*)?>/y

function endOf(text: string, start: number, pattern: RegExp, name: string): number {
  const matcher = new RegExp(pattern)
  matcher.lastIndex = start
  if (!matcher.test(text)) throw problemAt(text, start, `${name} does not end`)
  return matcher.lastIndex
}
