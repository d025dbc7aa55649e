const patterns: [RegExp, string][] = [
  [/((?:clear-text|[\w-]*password|credential)\s*=\s*)("[^"]*"|'[^']*')/gi, '$1"***"'],
  [/(<property\s+name="[^"]*(?:password|secret)[^"]*"\s+value=)("[^"]*"|'[^']*')/gi, '$1"***"'],
  [/(<(?:[\w-]*password)>)[^<]*/gi, '$1***'],
]

/** The text of a configuration without the passwords in it: what is kept of it can be read by people. */
export const redacted = (text: string): string => patterns.reduce((result, [pattern, replacement]) => result.replaceAll(pattern, replacement), text)
