/** A TXT value as zone files write it: quoted, in strings of at most 255 characters. */
export function quoted(value: string): string {
  const parts = value.match(/[^]{1,255}/g) ?? ['']
  return parts.map((part) => `"${part.replaceAll(/["\\]/g, String.raw`\$&`)}"`).join(' ')
}

/** The value of a TXT record that a provider may give back with or without quotes. */
export function unquoted(text: string): string {
  const trimmed = text.trim()
  if (!/^"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*$/.test(trimmed)) return text
  const parts = trimmed.match(/"(?:[^"\\]|\\.)*"/g) ?? []
  return parts.map((part) => part.slice(1, -1).replaceAll(/\\(\d{3}|.)/g, (_, escaped: string) => (escaped.length === 3 ? String.fromCharCode(Number(escaped)) : escaped))).join('')
}
