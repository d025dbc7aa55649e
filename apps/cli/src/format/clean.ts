/**
 * Control characters and characters that turn the reading direction: a terminal would obey them, and they may come
 * from any certificate or server that was scanned. Line feed and tab stay.
 */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
const shown = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Text that is safe to print: what a terminal would obey is shown as \u001b. */
export const cleanText = (text: string): string => text.replace(unsafe, shown)

/** A copy of an answer in which every text is safe to print. */
export function clean<T>(value: T): T {
  if (typeof value === 'string') return cleanText(value) as T
  if (Array.isArray(value)) return value.map(clean) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [cleanText(name), clean(inner)])) as T
}

/** JSON that is safe to print and still the same JSON. */
export const jsonText = (value: unknown): string => JSON.stringify(value ?? null, null, 2).replace(unsafe, (c) => (c === '\r' ? c : shown(c)))
