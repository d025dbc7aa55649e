import { characterOf, declaredEntities, type Entities } from './entities.ts'
import { lineCounter, XmlProblem, type XmlToken, xmlTokens } from './tokens.ts'

export interface XmlElement {
  /** As written, with its prefix. */
  name: string
  /** Values with their entities resolved, and white space as one space each (XML 1.0, 3.3.3). */
  attributes: ReadonlyMap<string, string>
  children: XmlElement[]
  /** All text directly in it, CDATA included. */
  text: string
  /** Elements and text in their order, for formats whose meaning is in it. */
  content: (XmlElement | string)[]
  /** Of its tag, from 1, in the file it stands in. */
  line: number
}

/** Files that entities name, by their system identifier as written: text, or undefined for one that is not there. */
export type ExternalText = (systemId: string) => string | undefined

// What entities may grow to together, and how deep they may go: more is an attack, not a configuration.
const textLimit = 1 << 20
const depthLimit = 200

/** The system identifiers of the files that a text takes in as entities. @throws XmlProblem */
export function externalFiles(text: string): string[] {
  return [...entitiesOf(text).values()].flatMap((entity) => ('systemId' in entity ? [entity.systemId] : []))
}

function entitiesOf(text: string): Entities {
  for (const { kind, start, end } of xmlTokens(text)) if (kind === 'doctype') return declaredEntities(text.slice(start, end))
  return new Map()
}

/** Reads a whole document and gives its root. @throws XmlProblem with the line */
export function parseXml(text: string, external: ExternalText = () => undefined): XmlElement {
  const top: XmlElement = { name: '', attributes: new Map(), children: [], text: '', content: [], line: 1 }
  new Reader(entitiesOf(text), external).read(text, top, 0)
  const [root, second] = top.children
  if (root === undefined) throw new XmlProblem('it holds no element', 1)
  if (second !== undefined || top.text.trim() !== '') throw new XmlProblem('there is something behind its last tag', second?.line ?? lineCounter(text)(text.length))
  return root
}

const openTag = /^<([^\s/>"'=<]+)((?:\s+[^\s/>"'=<]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>$/
const attribute = /\s+([^\s/>"'=<]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/g
const closeTag = /^<\/([^\s/>"'=<]+)\s*>$/
const reference = /&([^;&\s]*);?/g

class Reader {
  readonly #entities: Entities
  readonly #external: ExternalText
  #expanded = 0
  constructor(entities: Entities, external: ExternalText) {
    this.#entities = entities
    this.#external = external
  }

  /** Puts the content of a text into an element; all that begins in the text has to end in it. */
  read(text: string, into: XmlElement, depth: number): void {
    const open: XmlElement[] = [into]
    const lines = lineCounter(text)
    for (const token of xmlTokens(text)) {
      const parent = open.at(-1) ?? into
      if (open.length + depth > depthLimit) throw new XmlProblem('its elements are nested too deep', lines(token.start))
      if (token.kind === 'open') this.#begin(text.slice(token.start, token.end), lines(token.start), open, parent)
      else if (token.kind === 'close') end(text.slice(token.start, token.end), lines(token.start), open)
      else this.#content(text, token, { parent, lines, depth: depth + open.length })
    }
    const [, left] = open
    if (left !== undefined) throw new XmlProblem(`<${open.at(-1)?.name ?? left.name}> is not closed`, open.at(-1)?.line ?? left.line)
  }

  #begin(tag: string, line: number, open: XmlElement[], parent: XmlElement): void {
    const [, name, attributes = '', closed] = openTag.exec(tag) ?? []
    if (name === undefined) throw new XmlProblem(`the tag ${tag.slice(0, 60)} is not well-formed`, line)
    const element: XmlElement = { name, attributes: this.#attributes(attributes, name, line), children: [], text: '', content: [], line }
    parent.children.push(element)
    parent.content.push(element)
    if (closed !== '/') open.push(element)
  }

  #attributes(text: string, element: string, line: number): ReadonlyMap<string, string> {
    const found = new Map<string, string>()
    for (const [, name = '', double, single] of text.matchAll(attribute)) {
      if (found.has(name)) throw new XmlProblem(`<${element}> has the attribute ${name} twice`, line)
      found.set(name, this.#value((double ?? single ?? '').replaceAll(/\r\n?|[\n\t]/g, ' '), line, 0))
    }
    return found
  }

  #value(raw: string, line: number, depth: number): string {
    return raw.replaceAll(reference, (written, name: string) => characterOf(name) ?? this.#value(this.#entity(written, name, line, depth), line, depth + 1))
  }

  #content(text: string, { kind, start, end: stop }: XmlToken, { parent, lines, depth }: { parent: XmlElement; lines: (offset: number) => number; depth: number }): void {
    if (kind === 'cdata') addText(parent, text.slice(start + '<![CDATA['.length, stop - ']]>'.length))
    if (kind !== 'text') return
    const raw = text.slice(start, stop)
    let from = 0
    for (const match of raw.matchAll(reference)) {
      addText(parent, raw.slice(from, match.index))
      from = match.index + match[0].length
      const name = match[1] ?? ''
      const character = characterOf(name)
      if (character === undefined) this.read(this.#entity(match[0], name, lines(start + match.index), depth), parent, depth + 1)
      else addText(parent, character)
    }
    addText(parent, raw.slice(from))
  }

  #entity(written: string, name: string, line: number, depth: number): string {
    const entity = written.endsWith(';') ? this.#entities.get(name) : undefined
    if (entity === undefined) throw new XmlProblem(`${written} is no entity that is known`, line)
    const text = 'text' in entity ? entity.text : this.#external(entity.systemId)
    if (text === undefined) throw new XmlProblem(`the file ${'systemId' in entity ? entity.systemId : ''} of ${written} is not there`, line)
    this.#expanded += text.length
    if (depth > depthLimit || this.#expanded > textLimit) throw new XmlProblem(`${written} grows without end`, line)
    return text.replace(/^\uFEFF?<\?xml[^>]*\?>/, '')
  }
}

function addText(element: XmlElement, text: string): void {
  element.text += text
  if (text !== '') element.content.push(text)
}

function end(tag: string, line: number, open: XmlElement[]): void {
  const name = closeTag.exec(tag)?.[1]
  const element = open.length > 1 ? open.pop() : undefined
  if (name === undefined || element?.name !== name) throw new XmlProblem(`${tag.slice(0, 60)} closes ${element === undefined ? 'nothing' : `<${element.name}> of line ${element.line}`}`, line)
}

/** Elements at the end of a path of names below one, in order: descendants(server, 'Service', 'Connector'). */
export function descendants(element: XmlElement, ...names: readonly string[]): XmlElement[] {
  return names.reduce<XmlElement[]>((found, name) => found.flatMap(({ children }) => children.filter((child) => child.name === name)), [element])
}
