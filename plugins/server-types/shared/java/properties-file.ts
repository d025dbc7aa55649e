/** The entries of a Java properties file (java.util.Properties, load): the last of a name counts. */
export function parseJavaProperties(text: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of logicalLines(text)) {
    const [, name = '', value = ''] = /^((?:\\[^]|[^\\=:\s])*)[ \t\f]*[=:]?[ \t\f]*([^]*)$/.exec(line) ?? []
    found.set(unescaped(name), unescaped(value))
  }
  return found
}

/** Lines that an odd number of backslashes ends go on in the next one, without its leading space. */
function logicalLines(text: string): string[] {
  const lines: string[] = []
  let pending: string | undefined
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = raw.replace(/^[ \t\f]+/, '')
    if (pending === undefined && (line === '' || /^[#!]/.test(line))) continue
    const whole: string = (pending ?? '') + line
    const goesOn = /(?<!\\)(?:\\\\)*\\$/.test(whole)
    pending = goesOn ? whole.slice(0, -1) : undefined
    if (!goesOn) lines.push(whole)
  }
  return pending === undefined ? lines : [...lines, pending]
}

const control: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f' }
const unescaped = (text: string) => text.replaceAll(/\\(?:u([0-9A-Fa-f]{4})|([^]))/g, (_all, code?: string, character = '') => (code === undefined ? control[character] ?? character : String.fromCharCode(Number.parseInt(code, 16))))
