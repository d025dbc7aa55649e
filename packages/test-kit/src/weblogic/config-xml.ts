/** An element of config.xml as the simulator keeps it; it reads and writes the file by itself, apart from the reader of the product. */
export interface ConfigElement { name: string; attributes: string; children: ConfigElement[]; text: string }

const token = /<!--[^]*?-->|<\?[^]*?\?>|<(\/?)([\w:-]+)([^>]*?)(\/?)>|([^<]+)/g
const decoded = (text: string) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&amp;', '&')
const encoded = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

export function readConfig(xml: string): ConfigElement {
  const top: ConfigElement = { name: '', attributes: '', children: [], text: '' }
  const open = [top]
  for (const [, slash, name, attributes = '', single, text] of xml.matchAll(token)) {
    const parent = open.at(-1) ?? top
    if (text !== undefined) parent.text += text.trim()
    else if (name !== undefined && slash === '/') open.pop()
    else if (name !== undefined) {
      const element = { name, attributes, children: [], text: '' }
      parent.children.push(element)
      if (single !== '/') open.push(element)
    }
  }
  const [root] = top.children
  if (root?.name !== 'domain') throw new Error('config.xml is not the configuration of a domain')
  return root
}

/** As the server writes it: without comments, one element a line. */
export function writeConfig({ name, attributes, children, text }: ConfigElement, indent = ''): string {
  const head = `${indent}<${name}${attributes}>`
  if (children.length === 0) return `${head}${text}</${name}>\n`
  return `${head}\n${children.map((child) => writeConfig(child, `${indent}  `)).join('')}${indent}</${name}>\n`
}

export const childrenOf = (element: ConfigElement, name: string): ConfigElement[] => element.children.filter((child) => child.name === name)
/** Text of a child; undefined where it is missing or empty. */
export function valueOf(element: ConfigElement | undefined, name: string): string | undefined {
  const text = element === undefined ? '' : decoded(childrenOf(element, name)[0]?.text ?? '')
  return text === '' ? undefined : text
}

export function setValue(element: ConfigElement, name: string, value: string): void {
  const [present] = childrenOf(element, name)
  if (present === undefined) element.children.push({ name, attributes: '', children: [], text: encoded(value) })
  else present.text = encoded(value)
}

export function serverOf(domain: ConfigElement, name: string): ConfigElement | undefined {
  return childrenOf(domain, 'server').find((server) => valueOf(server, 'name') === name)
}
