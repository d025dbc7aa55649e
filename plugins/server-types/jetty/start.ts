import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import { type JettyProcess, pair } from './process.ts'

/** What start.jar makes of its command line, its ini files and its modules. */
export interface StartConfiguration {
  properties: ReadonlyMap<string, string>
  /** Enabled modules, also those that others need. */
  modules: ReadonlySet<string>
  /** XML files that are applied, in order, with their texts. */
  xmls: ConfigurationFile[]
  /** Ini files, in order. */
  inis: ConfigurationFile[]
}
export interface ConfigurationFile { path: string; text: string }

const limitBytes = 2 << 20

/**
 * The configuration as start.jar of Jetty 9 to 12 puts it together: start.ini, then start.d/*.ini by name, then the
 * command line, where the later wins; then the modules named there and all that they need, as far as they may concern
 * TLS. Each file is taken from the base, or else from the home of Jetty. The server's own word for the same is "start.jar --list-config", which starts a
 * virtual machine.
 * @throws CertloopError FILE_UNWRITABLE when a file may not be read
 */
export async function readStart(host: Host, command: JettyProcess): Promise<StartConfiguration> {
  const inis = await iniFiles(host, command.base)
  const said = new Said(command)
  const files = filesOf(host, command)
  for (const { text } of inis) said.lines(text)
  for (const word of command.arguments) said.word(word)
  const { modules, xmls } = await readModules(files, said)
  const texts = await Promise.all([...new Set([...xmls, ...said.xmls].map((name) => said.expanded(name)))].map((name) => files(name)))
  return { properties: said.properties, modules, xmls: texts.filter((file) => file !== undefined), inis }
}

async function readText(host: Host, file: string): Promise<string | undefined> {
  const content = await host.readFile(file, limitBytes)
  return content && Buffer.from(content).toString('utf8')
}

async function iniFiles(host: Host, base: string): Promise<ConfigurationFile[]> {
  const folder = path.posix.join(base, 'start.d')
  const names = (await host.list(folder)).filter((name) => name.toLowerCase().endsWith('.ini')).toSorted(byName)
  const files = [path.posix.join(base, 'start.ini'), ...names.map((name) => path.posix.join(folder, name))]
  const texts = await Promise.all(files.map(async (file) => ({ path: file, text: await readText(host, file) })))
  return texts.flatMap(({ path: file, text }) => (text === undefined ? [] : [{ path: file, text }]))
}

const order = new Intl.Collator('en', { sensitivity: 'base' })
const byName = (a: string, b: string) => order.compare(a, b)

/** What was said so far, the latest word counting. */
class Said {
  readonly properties: Map<string, string>
  readonly modules = new Set<string>()
  readonly xmls: string[] = []

  constructor({ home, base, java }: JettyProcess) {
    this.properties = new Map([...java.properties, ['jetty.home', home], ['jetty.base', base], ['jetty.home.uri', `file://${home}`], ['jetty.base.uri', `file://${base}`]])
  }

  lines(text: string): void {
    for (const line of text.split(/\r?\n/)) {
      const word = line.trim()
      if (word !== '' && !word.startsWith('#')) this.word(word)
    }
  }

  word(word: string): void {
    const [name, value] = pair(word)
    if (name === '--module' || name === '--modules') for (const one of value.split(',')) this.modules.add(one.trim())
    else if (word.startsWith('-D')) this.properties.set(...pair(word.slice(2)))
    else if (word.startsWith('-')) return
    else if (word.includes('=')) this.#set(name.trim(), value)
    else if (word.toLowerCase().endsWith('.xml')) this.xmls.push(word)
  }

  /** "name+=value" adds, "name?=value" is for want of another. */
  #set(name: string, value: string): void {
    const bare = name.replace(/[+?]$/, '')
    const before = this.properties.get(bare)
    if (name.endsWith('?') && before !== undefined) return
    this.properties.set(bare, name.endsWith('+') ? (before ?? '') + (before ? value : value.replace(/^,/, '')) : value)
  }

  /** With ${names} replaced by their values, as far as they are known. */
  expanded(text: string, depth = 0): string {
    if (depth > 10) return text
    return text.replaceAll(/\$\{([^}]+)\}/g, (whole, name: string) => {
      const value = this.properties.get(name)
      return value === undefined ? whole : this.expanded(value, depth + 1)
    })
  }
}

/** Modules of the distribution that neither settle anything about TLS nor need one that does: not worth a way to the host. */
const withoutTls = /^(?:threadpool|scheduler|bytebufferpool|http-config|logging|resources|jvm|ext|jsp|jstl|jndi|plus|annotations|webapp|deploy|requestlog|console-capture|stat|servlet|security|websocket|session|ee\d+-)/

interface Module { depend: string[]; xml: string[]; ini: string }

/** All modules that are on, and their XML files: what a module needs comes before it. */
async function readModules(files: Files, said: Said): Promise<{ modules: Set<string>; xmls: string[] }> {
  const known = new Map<string, Module>()
  let wanted = [...said.modules]
  while (wanted.length > 0) {
    const found = await Promise.all(wanted.map(async (name) => ({ name, file: await files(`modules/${said.expanded(name)}.mod`, !withoutTls.test(name)) })))
    for (const { name, file } of found) known.set(name, parseModule(file?.text ?? ''))
    wanted = [...new Set(found.flatMap(({ name }) => known.get(name)?.depend ?? []))].filter((name) => !known.has(name))
  }
  const modules = new Set<string>()
  const xmls: string[] = []
  const add = (name: string) => {
    if (modules.has(name)) return
    modules.add(name)
    const module = known.get(name)
    for (const needed of module?.depend ?? []) add(needed)
    said.lines(module?.ini ?? '')
    xmls.push(...module?.xml ?? [])
  }
  for (const name of said.modules) add(name)
  return { modules, xmls }
}

/** "[section]" and lines; a needed module with "?" is one that need not be there. */
function parseModule(text: string): Module {
  const sections = new Map<string, string[]>()
  let lines: string[] = []
  for (const line of text.split(/\r?\n/).map((one) => one.trim())) {
    const section = /^\[([^\]]+)\]$/.exec(line)?.[1]
    if (section !== undefined) sections.set(section, lines = sections.get(section) ?? [])
    else if (line !== '' && !line.startsWith('#')) lines.push(line)
  }
  return { depend: sections.get('depend') ?? [], xml: sections.get('xml') ?? [], ini: (sections.get('ini') ?? []).join('\n') }
}

/** A file of the base, or else of the home where that is asked for; undefined when there is none. */
type Files = (name: string, ofHome?: boolean) => Promise<ConfigurationFile | undefined>

function filesOf(host: Host, { home, base }: JettyProcess): Files {
  const listed = new Map<string, Promise<string[]>>()
  const isIn = async (file: string) => {
    const folder = path.posix.dirname(file)
    return (await listed.getOrInsertComputed(folder, () => host.list(folder))).includes(path.posix.basename(file))
  }
  return async (name, ofHome = true) => {
    const [near, far] = [path.posix.resolve(base, name), path.posix.resolve(home, name)]
    const file = await isIn(near) ? near : far
    const text = file === far && !ofHome ? undefined : await readText(host, file)
    return text === undefined ? undefined : { path: file, text }
  }
}
