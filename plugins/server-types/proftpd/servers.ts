import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import { globPattern, type Line, logicalLines, readLine } from './words.ts'

/** The main server, or one <VirtualHost>. */
export interface Server {
  isMain: boolean
  /** As in <VirtualHost …>; of the main server: DefaultAddress. */
  addresses: string[]
  /** What stands in it, by name in lower case: the words of each occurrence. */
  own: Map<string, string[][]>
}

export interface Configuration {
  /** Main server first. */
  servers: Server[]
  global: Map<string, string[][]>
  /** Every file that was read. */
  texts: { name: string; text: string }[]
  /** Sections that count only under conditions that nobody outside can see, where they hold TLS or servers. */
  unclear: string[]
}

const fileLimitBytes = 8 << 20
const maxDepth = 20

type Section = 'open' | 'skip' | 'unclear'

interface Reading extends Configuration {
  host: Host
  modules: Set<string>
  sections: { name: string; how: Section; before: Map<string, string[][]> }[]
  target: Map<string, string[][]>
}

/**
 * Reads a configuration with all it includes.
 * @param modules those that are compiled in, e.g. "mod_core.c"
 * @throws what `host` throws
 */
export async function readServers(host: Host, file: string, modules: ReadonlySet<string>): Promise<Configuration> {
  const main: Server = { isMain: true, addresses: [], own: new Map() }
  const reading: Reading = { host, modules: new Set(modules), servers: [main], global: new Map(), texts: [], unclear: [], sections: [], target: main.own }
  await readFile(reading, file, 0)
  main.addresses = main.own.get('defaultaddress')?.at(-1) ?? []
  const { servers, global, texts, unclear } = reading
  return { servers, global, texts, unclear: [...new Set(unclear)] }
}

async function readFile(reading: Reading, file: string, depth: number): Promise<void> {
  const content = depth > maxDepth ? undefined : await reading.host.readFile(file, fileLimitBytes)
  if (content === undefined) return
  const text = Buffer.from(content).toString('utf8')
  if (reading.texts.some(({ name }) => name === file)) reading.texts = reading.texts.filter(({ name }) => name !== file)
  reading.texts.push({ name: file, text })
  for (const line of logicalLines(text)) await take(reading, readLine(line), file, depth)
}

async function take(reading: Reading, line: Line, file: string, depth: number): Promise<void> {
  if (line.kind === 'begin') return begin(reading, line)
  if (line.kind === 'end') {
    const section = reading.sections.pop()
    if (section !== undefined) reading.target = section.before
    return
  }
  const unsure = reading.sections.find(({ how }) => how === 'unclear')
  if (unsure !== undefined && /^(tls|include$)/.test(line.name)) reading.unclear.push(`${line.name} in <${unsure.name}> of ${file}`)
  if (reading.sections.some(({ how }) => how !== 'open')) return
  if (line.name === 'include') return includeAll(reading, line.words[0] ?? '', depth)
  if (line.name === 'loadmodule') reading.modules.add(line.words[0] ?? '')
  reading.target.set(line.name, [...reading.target.get(line.name) ?? [], line.words])
}

function begin(reading: Reading, { name, words }: Line): void {
  reading.sections.push({ name: [name, ...words].join(' '), how: howToTake(reading, name, words), before: reading.target })
  if (reading.sections.some(({ how }) => how !== 'open')) return
  if (name === 'global') reading.target = reading.global
  if (name !== 'virtualhost') return
  const server: Server = { isMain: false, addresses: words, own: new Map() }
  reading.servers.push(server)
  reading.target = server.own
}

function howToTake({ modules }: Reading, name: string, words: readonly string[]): Section {
  if (name === 'global' || name === 'virtualhost') return 'open'
  // The options of the running process can't be seen: it gives itself another title.
  if (name === 'ifdefine' || name === 'ifversion') return 'unclear'
  if (name !== 'ifmodule') return 'skip'
  const [word = ''] = words
  return modules.has(word.replace(/^!/, '')) === word.startsWith('!') ? 'skip' : 'open'
}

/** A file, all files of a folder, or a name with wildcards. */
async function includeAll(reading: Reading, named: string, depth: number): Promise<void> {
  const facts = await reading.host.stat(await reading.host.realPath(named) ?? named)
  const files = facts?.type === 'directory' ? await listed(reading.host, named, () => true) : await matching(reading.host, named)
  for (const file of files) await readFile(reading, file, depth + 1)
}

async function listed(host: Host, folder: string, fits: (name: string) => boolean): Promise<string[]> {
  return (await host.list(folder)).filter((name) => !name.startsWith('.') && fits(name)).map((name) => path.posix.join(folder, name))
}

async function matching(host: Host, named: string): Promise<string[]> {
  let found = ['/']
  for (const part of named.split('/').filter((word) => word !== '')) {
    if (!/[*?[]/.test(part)) {
      found = found.map((folder) => path.posix.join(folder, part))
      continue
    }
    const pattern = globPattern(part)
    found = (await Promise.all(found.map((folder) => listed(host, folder, (name) => pattern.test(name))))).flat()
  }
  return found
}

/** All occurrences that count for a server: its own, else those of <Global>. */
export function occurrences({ global }: Pick<Configuration, 'global'>, { own }: Server, name: string): string[][] {
  return own.get(name) ?? global.get(name) ?? []
}
