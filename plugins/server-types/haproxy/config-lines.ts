/** One line of a configuration, taken apart. */
export interface ConfigLine { file: string; line: number; words: string[] }

export type Variables = Readonly<Record<string, string>>

const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t' }

/**
 * The words of a line (configuration manual 2.2 and 2.3, "Quoting and escaping", "Environment variables"): "#" ends it,
 * variables count in double quotes alone.
 */
export function wordsOf(text: string, variables: Variables): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at)
    if (char === '\\' && quote !== "'") {
      const { value, length } = escaped(text.slice(at + 1))
      word = (word ?? '') + value
      at += length
    } else if (quote !== '' && char === quote) quote = ''
    else if (quote === '' && (char === '"' || char === "'")) {
      quote = char
      word ??= ''
    } else if (quote === '"' && char === '$') {
      const { value, length } = variable(text.slice(at), variables)
      word = (word ?? '') + value
      at += length - 1
    } else if (quote === '' && char === '#') break
    else if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + char
  }
  return word === undefined ? words : [...words, word]
}

function escaped(rest: string): { value: string; length: number } {
  const [hex, digits] = /^x([0-9a-fA-F]{2})/.exec(rest) ?? []
  if (hex !== undefined && digits !== undefined) return { value: String.fromCharCode(Number.parseInt(digits, 16)), length: 3 }
  const char = rest.charAt(0)
  return { value: escapes[char] ?? char, length: 1 }
}

/** "$NAME", "${NAME}" and "${NAME-instead}". */
function variable(rest: string, variables: Variables): { value: string; length: number } {
  const [whole, long, instead, short] = /^\$(?:\{([A-Za-z_]\w*)(?:\[\*\])?(?:-([^}]*))?\}|([A-Za-z_]\w*))/.exec(rest) ?? []
  if (whole === undefined) return { value: '$', length: 1 }
  return { value: variables[long ?? short ?? ''] ?? instead ?? '', length: whole.length }
}

/** Names of the variables that a text asks for. */
export const variablesIn = (text: string): string[] => [...new Set([...text.matchAll(/\$\{?([A-Za-z_]\w*)/g)].map(([, name = '']) => name))]
