import path from 'node:path'
import type { XmlElement } from '../shared/xml/document.ts'

export interface ValueSources { properties: ReadonlyMap<string, string>; systemProperties: ReadonlyMap<string, string>; environment: ReadonlyMap<string, string> | undefined }

/** A value that can't be told without running Jetty. */
export class UnknownValue extends Error {}

/**
 * What stands in an element of Jetty's XML (configure.dtd), as far as settings of TLS use it: text, Property,
 * SystemProperty, Env, Default, and the call that joins a path to the base. undefined: a property that nobody set.
 * @throws UnknownValue for other calls and references
 */
export function valueOf(element: XmlElement, sources: ValueSources): string | undefined {
  const set = element.attributes.get('property')
  if (set !== undefined) return sources.properties.get(set)
  const parts = element.content.map((child) => (typeof child === 'string' ? child : resultOf(child, sources)))
  if (parts.every((part) => part === undefined || part.trim() === '') && parts.some((part) => part === undefined)) return undefined
  return parts.map((part) => part ?? '').join('').trim()
}

function resultOf(element: XmlElement, sources: ValueSources): string | undefined {
  switch (element.name) {
    case 'Property': return named(element, sources, sources.properties)
    case 'SystemProperty': return named(element, sources, sources.systemProperties)
    case 'Env': return named(element, sources, sources.environment ?? new Map())
    case 'Call': return resolvedPath(element, sources)
    default: throw new UnknownValue(`<${element.name}>`)
  }
}

/** By its name, or else by its former names; else the default, as attribute or element. */
function named(element: XmlElement, sources: ValueSources, values: ReadonlyMap<string, string>): string | undefined {
  const parts = element.children
  const of = (name: string) => element.attributes.get(name.toLowerCase()) ?? joined(parts.filter((part) => part.name === name), sources)
  const names = [of('Id'), of('Name'), ...(of('Deprecated') ?? '').split(',')].flatMap((name) => name?.trim() || [])
  const found = names.map((name) => values.get(name)).find((value) => value !== undefined)
  return found ?? of('Default')
}

const joined = (elements: readonly XmlElement[], sources: ValueSources) => (elements.length === 0 ? undefined : elements.map((element) => valueOf(element, sources) ?? '').join(','))

/** XmlConfiguration.resolvePath(folder, file), of Jetty 10 on. */
function resolvedPath(element: XmlElement, sources: ValueSources): string | undefined {
  const name = element.attributes.get('name')
  if (name !== 'resolvePath') throw new UnknownValue(`<Call name="${name ?? ''}">`)
  const [folder, file] = element.children.filter((part) => part.name === 'Arg').map((part) => valueOf(part, sources))
  return file === undefined || folder === undefined ? undefined : path.posix.resolve(folder, file)
}
