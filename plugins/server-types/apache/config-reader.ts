import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import { conditionHolds, type Conditions, moduleFile } from './conditions.ts'
import { configLines, sectionOf, words } from './config-lines.ts'
import { includedFiles } from './includes.ts'

/** One directive of the main server or directly within a virtual host. */
export interface Directive { name: string; args: string[] }
/** The main server, or one <VirtualHost>. `place` is as DUMP_VHOSTS names it: "/etc/apache2/a.conf:12". */
export interface ServerBlock { place: string; directives: Directive[] }

export interface ParsedConfiguration {
  serverRoot: string
  main: ServerBlock
  hosts: ServerBlock[]
  /** In order of reading; a file may be read several times. */
  files: { path: string; text: string }[]
  /** Names of ${…} that came from the environment. */
  variables: Set<string>
}

export interface ReadStart {
  configurationPath: string
  serverRoot: string
  defines: readonly string[]
  /** Directives of the command line before (-C) and after (-c) the files. */
  before: readonly string[]
  after: readonly string[]
  environment: Readonly<Record<string, string>>
  /** Compiled in: file names such as "mod_so.c". */
  staticModules: readonly string[]
  version: string
}

const maxFiles = 10_000
/** httpd itself gives up at 20 files within each other. */
const maxDepth = 25
const fileLimitBytes = 16 * 1024 * 1024
const maxLines = 1_000_000
const maxLineLength = 1024 * 1024
const maxBytes = 64 * 1024 * 1024

interface Macro { parameters: string[]; lines: { text: string; line: number }[]; place: string }
interface Reader extends ParsedConfiguration {
  host: Host
  conditions: Conditions
  environment: Readonly<Record<string, string>>
  macros: Map<string, Macro>
  current: ServerBlock
  /** Sections around, that decide what is skipped and what is ours. */
  depth: number
  /** Read so far, macros and repeated files included. */
  spent: { lines: number; bytes: number }
}
interface Source { name: string; lines: Iterable<{ text: string; line: number }>; depth: number }

/**
 * Reads a configuration in the order and with the rules of httpd: variables are put in when a line is read, conditions
 * know the modules and defines so far.
 * @throws CertloopError SERVER_CONFIGURATION_UNREADABLE with file and line; FILE_UNWRITABLE when a file can't be read
 */
export async function readConfigurationFiles(host: Host, start: ReadStart): Promise<ParsedConfiguration> {
  const main: ServerBlock = { place: 'main server', directives: [] }
  const reader: Reader = {
    host, main, current: main, hosts: [], files: [], serverRoot: start.serverRoot, variables: new Set(), macros: new Map(), depth: 0, spent: { lines: 0, bytes: 0 }, environment: start.environment,
    conditions: { defines: new Map(start.defines.map((name) => [name, ''])), modules: new Set(start.staticModules), version: start.version },
  }
  await readLines(reader, { name: 'the command line', depth: 0, lines: start.before.map((text, i) => ({ text, line: i + 1 })) })
  await readOne(reader, start.configurationPath, 0)
  await readLines(reader, { name: 'the command line', depth: 0, lines: start.after.map((text, i) => ({ text, line: i + 1 })) })
  return reader
}

const unreadable = (place: string, what: string) => new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${place}: ${what}.`, { path: place })

async function readOne(reader: Reader, file: string, depth: number): Promise<void> {
  if (depth > maxDepth || reader.files.length >= maxFiles) throw unreadable(file, 'too many includes within each other')
  const content = await reader.host.readFile(file, fileLimitBytes)
  if (content === undefined) throw unreadable(file, 'there is no such file')
  const text = Buffer.from(content).toString('utf8')
  reader.files.push({ path: file, text })
  await readLines(reader, { name: file, depth, lines: configLines(text) })
}

/** Sections whose content counts or not as a whole, so that they leave no trace. */
const conditional = new Set(['ifdefine', 'ifmodule', 'ifversion', 'iffile', 'ifdirective', 'ifsection'])

async function readLines(reader: Reader, source: Source): Promise<void> {
  const lines = source.lines[Symbol.iterator]()
  const next = () => { const step = lines.next(); return step.done === true ? undefined : step.value }
  for (let raw = next(); raw !== undefined; raw = next()) {
    const place = `${source.name}:${raw.line}`
    const text = resolve(reader, raw.text)
    countLine(reader, text, place)
    const section = sectionOf(text)
    if (section === undefined) {
      await readDirective(reader, text, place, source)
    } else if (section.name === 'macro' && !section.closes) {
      const [name = '', ...parameters] = words(section.args)
      reader.macros.set(name.toLowerCase(), { parameters, lines: takeSection(next, 'macro', place), place: `macro '${name.toLowerCase()}' (defined on line ${raw.line} of "${source.name}")` })
    } else if (conditional.has(section.name)) {
      if (!section.closes && !await holds(reader, section.name, section.args)) takeSection(next, section.name, place)
    } else if (section.name === 'virtualhost' && reader.depth === 0) {
      enterOrLeave(reader, section.closes, place)
    } else {
      reader.depth += section.closes ? -1 : 1
    }
  }
}

/** Variables and macros can make a long text of a short one. */
function countLine({ spent }: Reader, text: string, place: string): void {
  spent.lines++
  spent.bytes += text.length
  if (text.length > maxLineLength || spent.lines > maxLines || spent.bytes > maxBytes) throw unreadable(place, 'the configuration is too long')
}

const holds = async (reader: Reader, name: string, args: string): Promise<boolean> =>
  conditionHolds(name, words(args).join(' '), reader.conditions, async (file) => await reader.host.realPath(path.posix.resolve(reader.serverRoot, file)) !== undefined && await reader.host.stat(path.posix.resolve(reader.serverRoot, file)) !== undefined)

function enterOrLeave(reader: Reader, closes: boolean, place: string): void {
  reader.current = closes ? reader.main : { place, directives: [] }
  if (!closes) reader.hosts.push(reader.current)
}

/** Lines up to the end of a section, others of its kind within it included. */
function takeSection(next: () => { text: string; line: number } | undefined, name: string, place: string): { text: string; line: number }[] {
  const taken: { text: string; line: number }[] = []
  let open = 1
  for (let line = next(); line !== undefined; line = next()) {
    const section = sectionOf(line.text)
    if (section?.name === name) open += section.closes ? -1 : 1
    if (open === 0) return taken
    taken.push(line)
  }
  throw unreadable(place, `<${name}> has no end`)
}

/** ${NAME}: what Define says, or else the environment; unknown names stay as they are. */
function resolve(reader: Reader, text: string): string {
  return text.replaceAll(/\$\{([^}]+)\}/g, (all, name: string) => {
    const defined = reader.conditions.defines.get(name)
    if (defined !== undefined && defined !== '') return defined
    const value = reader.environment[name]
    if (value === undefined) return all
    reader.variables.add(name)
    return value
  })
}

async function readDirective(reader: Reader, text: string, place: string, source: Source): Promise<void> {
  const [first = '', ...args] = words(text)
  const name = first.toLowerCase()
  const [value = ''] = args
  switch (name) {
    case 'define': reader.conditions.defines.set(value, args[1] ?? ''); break
    case 'undefine': reader.conditions.defines.delete(value); break
    case 'serverroot': reader.serverRoot = value; break
    case 'loadmodule': for (const module of [value, moduleFile(value, args[1] ?? '')]) reader.conditions.modules.add(module); break
    case 'include': case 'includeoptional':
      for (const file of await includedFiles(reader.host, path.posix.resolve(reader.serverRoot, value))) await readOne(reader, file, source.depth + 1)
      break
    case 'use': await useMacro(reader, args, place, source); break
    default: if (reader.depth === 0) reader.current.directives.push({ name, args })
  }
}

async function useMacro(reader: Reader, [name = '', ...values]: string[], place: string, source: Source): Promise<void> {
  const macro = reader.macros.get(name.toLowerCase())
  if (macro === undefined) throw unreadable(place, `there is no macro ${name}`)
  if (source.depth > maxDepth) throw unreadable(place, 'too many macros within each other')
  const [, file = source.name, line = ''] = /^([^]*):(\d+)$/.exec(place) ?? []
  // The longest name first: $name would take the beginning of $names.
  const given = macro.parameters.map((parameter, i) => ({ parameter, value: values[i] ?? '' })).toSorted((a, b) => b.parameter.length - a.parameter.length)
  const first = (macro.lines[0]?.line ?? 1) - 1
  const lines = macro.lines.map((entry) => ({ line: entry.line - first, text: given.reduce((text, { parameter, value }) => text.replaceAll(parameter, () => value), entry.text) }))
  await readLines(reader, { name: `${macro.place} used on line ${line} of "${file}"`, depth: source.depth + 1, lines })
}
