const wholeKey = /-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----[\s\S]*?(?:-----END \1PRIVATE KEY-----|$)/g
const tailOfKey = /^[\s\S]*-----END [A-Z0-9 ]*PRIVATE KEY-----/
const secretWords = /pass(?:word|phrase|wd)?\b|password|secret|token|credential|authorization|\bauth\b|bearer|api[-_]?key|private[-_]?key\b/i
const longRandomText = /[A-Za-z0-9+_=-]{32,}/g

/** Text without private keys, not even parts of one that was cut off before or after. */
export function withoutPrivateKeys(text: string): string {
  const hidden = '[private key hidden]'
  return text.replace(wholeKey, hidden).replace(tailOfKey, hidden)
}

/** Output of a command as it may be logged: no private keys, and its beginning and end when it is long. */
export function forLog(text: string, limit = 4000): string | null {
  const clean = withoutPrivateKeys(text).trim()
  if (clean === '') return null
  if (clean.length <= limit) return clean
  const half = Math.floor(limit / 2)
  return `${clean.slice(0, half)}\n… ${clean.length - 2 * half} characters left out …\n${clean.slice(-half)}`
}

/**
 * One line of a configuration file as it may be shown: when a word in it smells of a secret, only the
 * first word stays; long random-looking text is hidden anywhere.
 */
export function configurationLine(line: string): string {
  const named = secretWords.test(line) ? line.replace(/^(\s*[^\s=:]+[\s=:]*).*$/, '$1[hidden]') : line
  return named.replace(longRandomText, '[hidden]')
}
