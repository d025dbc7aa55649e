/** Entities that a DOCTYPE declares: their text, or the file that holds it. */
export type Entities = ReadonlyMap<string, { text: string } | { systemId: string }>

const declaration = /<!ENTITY\s+([^\s%"']+)\s+(?:(?:SYSTEM|PUBLIC\s+(?:"[^"]*"|'[^']*'))\s+("[^"]*"|'[^']*')|("[^"]*"|'[^']*'))/g
const unquoted = (text: string) => text.slice(1, -1)

/** @param doctype the whole declaration; the first of several of one name counts */
export function declaredEntities(doctype: string): Entities {
  const found = new Map<string, { text: string } | { systemId: string }>()
  for (const [, name = '', systemId, text = '""'] of doctype.replaceAll(/<!--[^]*?-->/g, '').matchAll(declaration)) {
    if (!found.has(name)) found.set(name, systemId === undefined ? { text: unquoted(text) } : { systemId: unquoted(systemId) })
  }
  return found
}

const predefined: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** The character of "#38", "#x26" or "amp"; undefined for entities of a DOCTYPE. */
export function characterOf(name: string): string | undefined {
  if (!name.startsWith('#')) return Object.hasOwn(predefined, name) ? predefined[name] : undefined
  const code = name.startsWith('#x') ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10)
  return Number.isInteger(code) && code > 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : undefined
}
