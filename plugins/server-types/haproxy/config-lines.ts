/** One line of a configuration, taken apart. */
export interface ConfigLine { file: string; line: number; words: string[] }

export type Variables = Readonly<Record<string, string>>

/** In this order: space, comment, strong quotes, weak quotes, escape, anything else. */
const pieces = /(\s+)|(#.*)|'([^']*)'?|"((?:\\.|[^"\\])*)"?|(\\(?:x[0-9a-fA-F]{2}|.?))|([^\s#'"\\]+)/gs

/**
 * The words of a line (configuration manual 2.2 and 2.3, "Quoting and escaping", "Environment variables"): "#" ends it,
 * variables count in double quotes alone.
 */
export function wordsOf(text: string, variables: Variables): string[] {
  const words: string[] = []
  let word: string | undefined
  for (const [, space, comment, strong, weak, escape, plain] of text.matchAll(pieces)) {
    if (comment !== undefined) break
    if (space === undefined) word = (word ?? '') + (strong ?? (weak === undefined ? undefined : expanded(weak, variables)) ?? (escape === undefined ? plain : unescaped(escape)))
    else if (word !== undefined) {
      words.push(word)
      word = undefined
    }
  }
  return word === undefined ? words : [...words, word]
}

const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t' }

/** "\n", "\x41", "\#" */
function unescaped(escape: string): string {
  const [first = '', ...digits] = escape.slice(1)
  return first === 'x' && digits.length === 2 ? String.fromCharCode(Number.parseInt(digits.join(''), 16)) : escapes[first] ?? first
}

/** "$NAME", "${NAME}" and "${NAME-instead}". */
function expanded(text: string, variables: Variables): string {
  return text.replaceAll(/(\\(?:x[0-9a-fA-F]{2}|.))|\$(?:\{([A-Za-z_]\w*)(?:\[\*\])?(?:-([^}]*))?\}|([A-Za-z_]\w*))/g,
    (_whole, escape?: string, long?: string, instead?: string, short?: string) => (escape === undefined ? variables[long ?? short ?? ''] ?? instead ?? '' : unescaped(escape)))
}

/** Names of the variables that a text asks for. */
export const variablesIn = (text: string): string[] => [...new Set([...text.matchAll(/\$\{?([A-Za-z_]\w*)/g)].map(([, name = '']) => name))]
