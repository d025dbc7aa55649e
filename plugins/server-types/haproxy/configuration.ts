import { CertloopError } from '@certloop/contract'
import { type Host, inParallel } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemConfiguration } from '../shared/pem-files/driver.ts'
import { socketsOf } from './addresses.ts'
import { type CertificateReader, certificateReader, type Content } from './certificates.ts'
import { type ConfigLine, variablesIn, wordsOf } from './config-lines.ts'
import { type Instance, testCommand } from './instance.ts'
import { type Bind, readSections, type Settings } from './sections.ts'
import { type LoadedBind, pairsOf, takenSockets } from './uses.ts'

export interface Configuration extends PemConfiguration {
  settings: Settings
  binds: LoadedBind[]
  taken: ReadonlySet<string>
  contents: ReadonlyMap<string, Content>
  /** Variables that it asks for, with the values of the running process. */
  variables: string[]
  environment: Record<string, string>
}

const fileLimitBytes = 16 << 20
const atOnce = 16

/** The files that the running process names, as HAProxy reads them. @throws CertloopError SERVER_CONFIGURATION_UNREADABLE */
export async function readConfiguration(host: Host, instance: Instance): Promise<Configuration> {
  const files = (await inParallel(instance.named, atOnce, (file) => filesAt(host, file))).flat()
  const texts = await inParallel(files, atOnce, async (file) => ({ name: file, text: await textOf(host, file) }))
  const variables = [...new Set(texts.flatMap(({ text }) => variablesIn(text)))]
  const environment = variables.length === 0 ? {} : await environmentOf(host, instance)
  await test(host, instance, Object.fromEntries(variables.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]]))))
  const settings = readSections(linesOf(texts, environment))
  const reader = certificateReader(host, settings, instance.workingDirectory)
  const { binds, problems } = await loadBinds(settings.binds, reader)
  const taken = takenSockets(settings.binds.flatMap(({ addresses }) => addresses.flatMap((address) => sockets(address).sockets)))
  const certificates = [...new Set(binds.flatMap((bind) => bind.certificates.map(({ certificatePath }) => certificatePath)))]
  const contents = new Map(await inParallel(certificates, atOnce, async (file) => [file, await reader.contentOf(file)] as const))
  return {
    texts: [...texts, ...reader.texts], problems: [...settings.problems, ...problems], settings, binds, taken, contents, variables, environment,
    pairs: pairsOf(binds, taken, (file) => contents.get(file) ?? { names: [], keyType: null }),
  }
}

/** What HAProxy itself would not start with is not worth reading. */
async function test(host: Host, instance: Instance, environment: Record<string, string>): Promise<void> {
  const argv = testCommand(instance)
  const { exitCode, stdout, stderr } = await host.run(argv, { timeoutSeconds: 60, environment, runAs: instance.runAs })
  if (exitCode !== 0) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `HAProxy does not accept its present configuration: ${complaints(stdout + stderr)}`, { command: argv.join(' ') })
}

/** "[ALERT]    (4711) : config : parsing […]", without the number of a process that is gone, and without notices. */
function complaints(said: string): string {
  const lines = said.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('[NOTICE]'))
  return lines.map((line) => line.replace(/^\[ALERT\][\s/:\d]*\(\d+\) : /, '')).join(' ')
}

/** A file, or those of a folder whose names end in .cfg. */
async function filesAt(host: Host, named: string): Promise<string[]> {
  const real = await host.realPath(named)
  if (real === undefined || (await host.stat(real))?.type !== 'directory') return [named]
  const names = (await host.list(named)).filter((name) => name.endsWith('.cfg') && !name.startsWith('.'))
  return names.toSorted((a, b) => (a < b ? -1 : 1)).map((name) => path.posix.join(named, name))
}

async function textOf(host: Host, file: string): Promise<string> {
  const content = await host.readFile(file, fileLimitBytes)
  if (content === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `HAProxy was started with ${file}, which is not there any more.`, { path: file })
  return Buffer.from(content).toString('utf8')
}

async function environmentOf(host: Host, { process: { pid }, workingDirectory }: Instance): Promise<Record<string, string>> {
  const content = await host.readFile(`/proc/${pid}/environ`, 1 << 20).catch((cause: unknown) => {
    throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The configuration uses variables, and the environment of process ${pid} can not be read. Let the bot run as root.`, { pid }, cause)
  })
  const entries = Buffer.from(content ?? []).toString('utf8').split('\0').flatMap((line) => {
    const at = line.indexOf('=')
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : []
  })
  return { PWD: workingDirectory, ...Object.fromEntries(entries) }
}

/** setenv and presetenv in the global section count from their line on. */
function linesOf(texts: readonly { name: string; text: string }[], environment: Readonly<Record<string, string>>): ConfigLine[] {
  const variables = { ...environment }
  return texts.flatMap(({ name: file, text }) => text.split('\n').flatMap((line, i): ConfigLine[] => {
    const words = wordsOf(line, variables)
    const [word, name = '', value = ''] = words
    if (word === 'setenv' || (word === 'presetenv' && variables[name] === undefined)) variables[name] = value
    if (word === 'unsetenv') for (const gone of words.slice(1)) delete variables[gone]
    return words.length === 0 ? [] : [{ file, line: i + 1, words }]
  }))
}

const sockets = (address: string) => {
  const found = socketsOf(address)
  return 'sockets' in found ? { sockets: found.sockets, left: [] } : { sockets: [], left: [found.reason] }
}

async function loadBinds(binds: readonly Bind[], reader: CertificateReader): Promise<Pick<Configuration, 'binds' | 'problems'>> {
  const problems: Configuration['problems'] = []
  const withTls = binds.filter(({ ssl, certificates }) => ssl && certificates.length > 0)
  const loaded = await inParallel(withTls, atOnce, async ({ where, addresses, certificates, strictSni, unreachable }): Promise<LoadedBind> => {
    const found = addresses.map(sockets)
    const stored = certificates.filter(({ path: name }) => name.startsWith('@'))
    for (const { path: name } of stored) problems.push({ where, reason: `${name} comes from a crt-store, which is not read; name its file behind crt` })
    const files = await Promise.all(certificates.filter((name) => !stored.includes(name)).map((name) => reader.load(name)))
    const left = unreachable === null ? found.flatMap((one) => one.left) : [unreachable]
    return { where, strictSni, sockets: unreachable === null ? found.flatMap((one) => one.sockets) : [], left: left.map((reason) => `${where}: ${reason}`), certificates: files.flat() }
  })
  return { binds: loaded, problems }
}
