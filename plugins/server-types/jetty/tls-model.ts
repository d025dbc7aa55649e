import { UnknownValue, valueOf, type ValueSources } from './xml-values.ts'
import type { XmlElement } from '../shared/xml/document.ts'

/** A SslContextFactory: one keystore. Values as configured; `unknown` names those that can't be told. */
export interface ConfiguredContext {
  id: string
  /** By name in lower case: keystorepath, keystorepassword, keymanagerpassword, certalias. */
  values: Map<string, string>
  unknown: Set<string>
}
export interface ConfiguredConnector { host: string | undefined; port: number; contexts: string[] }

export interface TlsModel {
  contexts: ConfiguredContext[]
  connectors: ConfiguredConnector[]
  /** Seconds between two looks at the keystore, by the id of the context that is looked after. */
  scans: Map<string, number>
}

const contextClass = /\.SslContextFactory(\$Server)?$/
const connectorClass = /\.ServerConnector$/
const scannerClass = /\.KeyStoreScanner$/

interface Connector { values: Map<string, string>; refs: Set<string> }

/** Contexts and connectors of all XML files together: a file may go on with what another one began, by its id. */
export function tlsModel(roots: readonly XmlElement[], sources: ValueSources): TlsModel {
  const contexts = new Map<string, ConfiguredContext>()
  const connectors = new Map<string, Connector>()
  const scans = new Map<string, number>()
  const parts = roots.flatMap(withinOf).filter(({ name }) => name === 'Configure' || name === 'New')
  for (const [index, element] of parts.entries()) {
    const kind = element.attributes.get('class') ?? ''
    const id = element.attributes.get('id') ?? `#${index}`
    if (contextClass.test(kind) || contexts.has(id)) settle(element, sources, contexts.getOrInsertComputed(id, () => ({ id, values: new Map<string, string>(), unknown: new Set<string>() })))
    else if (connectorClass.test(kind) || connectors.has(id)) addConnector(element, sources, connectors.getOrInsertComputed(id, () => ({ values: new Map<string, string>(), refs: new Set<string>() })))
    else if (scannerClass.test(kind)) scans.set(refsOf(element)[0] ?? '', Number(setsOf(element, sources).get('scaninterval') ?? 1))
  }
  return {
    contexts: [...contexts.values()], scans,
    connectors: [...connectors.values()].flatMap(({ values, refs }) => {
      const used = [...refs].filter((id) => contexts.has(id))
      return used.length === 0 ? [] : [{ host: values.get('host'), port: Number(values.get('port') ?? 0), contexts: used }]
    }),
  }
}

/** The element and all within, in order. */
const withinOf = (element: XmlElement): XmlElement[] => [element, ...element.children.flatMap(withinOf)]

const refsOf = (element: XmlElement) => withinOf(element).flatMap((part) => (part.name === 'Ref' ? part.attributes.get('refid') ?? part.attributes.get('id') ?? [] : []))

function addConnector(element: XmlElement, sources: ValueSources, connector: Connector): void {
  for (const [name, value] of setsOf(element, sources)) connector.values.set(name, value)
  for (const ref of refsOf(element)) connector.refs.add(ref)
}

function settle(element: XmlElement, sources: ValueSources, context: ConfiguredContext): void {
  for (const [name, value] of setsOf(element, sources, context.unknown)) {
    context.values.set(name, value)
    context.unknown.delete(name)
  }
}

/** Values of the Set elements right within, by names in lower case. */
function setsOf(element: XmlElement, sources: ValueSources, unknown = new Set<string>()): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of element.children.filter(({ name }) => name === 'Set')) {
    const name = (part.attributes.get('name') ?? '').toLowerCase()
    try {
      const value = valueOf(part, sources)
      if (value !== undefined) found.set(name, value)
    } catch (error) {
      if (!(error instanceof UnknownValue)) throw error
      unknown.add(name)
    }
  }
  return found
}
