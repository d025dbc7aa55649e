/** What ${…} is resolved from. */
export interface Names { properties: ReadonlyMap<string, string>; environment: ReadonlyMap<string, string> | undefined }

const depthLimit = 20

/**
 * The value of an attribute with its expressions resolved: ${name}, ${one,other:default}, ${env.NAME}, nested.
 * A property may also come from the variable of its name in capitals (WildFly 25 on). Undefined when a name is not
 * known and has no default, or where the value is encrypted (ENC::, VAULT::).
 */
export function resolved(text: string, names: Names, depth = 0): string | undefined {
  const inner = /\$\{([^${}]*)\}/.exec(text)
  if (inner === null) return text.includes('${') ? undefined : text
  const [whole, expression = ''] = inner
  const value = depth > depthLimit ? undefined : valueOf(expression, names)
  return value === undefined ? undefined : resolved(text.slice(0, inner.index) + value + text.slice(inner.index + whole.length), names, depth + 1)
}

function valueOf(expression: string, { properties, environment }: Names): string | undefined {
  const [, keys = '', fallback] = /^([^:]*)(?::(.*))?$/s.exec(expression) ?? []
  if (fallback?.startsWith(':') === true) return undefined
  for (const key of keys.split(',').map((name) => name.trim())) {
    const value = key.startsWith('env.') ? environment?.get(key.slice(4)) : properties.get(key) ?? environment?.get(key.replaceAll(/[^\w]/g, '_').toUpperCase())
    if (value !== undefined) return value
  }
  return fallback
}
