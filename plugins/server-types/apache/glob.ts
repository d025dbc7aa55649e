type Token = '*' | '?' | { not: boolean; chars: string }

/** A shell's pattern, matched in time that grows with the product of both lengths and no faster. */
export interface Glob { tokens: Token[] }

/** @param sets whether [a-z] means one of these; else brackets are letters */
export function parseGlob(pattern: string, { sets }: { sets: boolean }): Glob {
  const tokens: Token[] = []
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? ''
    const close = sets && char === '[' ? pattern.indexOf(']', at + 2) : -1
    if (char === '*' || char === '?') tokens.push(char)
    else if (close === -1) tokens.push({ not: false, chars: char })
    else {
      const body = pattern.slice(at + 1, close)
      const not = body.startsWith('!') || body.startsWith('^')
      tokens.push({ not, chars: expandRanges(not ? body.slice(1) : body) })
      at = close
    }
  }
  return { tokens }
}

const maxRange = 256

function expandRanges(body: string): string {
  return body.replaceAll(/([^])-([^])/g, (_all, from: string, to: string) => {
    const [first, last] = [from.charCodeAt(0), to.charCodeAt(0)]
    return Array.from({ length: Math.min(Math.max(last - first + 1, 0), maxRange) }, (_, i) => String.fromCharCode(first + i)).join('')
  })
}

const fits = (token: Token, char: string) => token === '?' || (token !== '*' && token.chars.includes(char) !== token.not)

export function globMatches({ tokens }: Glob, text: string): boolean {
  let [at, position, star, starAt] = [0, 0, -1, 0]
  while (position < text.length) {
    const token = tokens[at]
    if (token === '*') {
      star = at++
      starAt = position
    } else if (token !== undefined && fits(token, text[position] ?? '')) {
      at++
      position++
    } else if (star !== -1) {
      // The last star takes one letter more.
      at = star + 1
      position = ++starAt
    } else {
      return false
    }
  }
  return tokens.slice(at).every((token) => token === '*')
}
