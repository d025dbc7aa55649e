import type { Account } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import { throughSudo } from '../host/sudo.ts'
import { type JavaCommand, javaWords, parseJavaCommand } from './command-line.ts'

const limitBytes = 1 << 20

/** A running JVM, as far as the host shows it. */
export interface JavaProcess extends JavaCommand {
  process: HostProcess
  /** The folder with bin/java; null when the program can't be seen. */
  javaHome: string | null
  /** Its variables; undefined when the bot may not read them (another account, not root). */
  environment: ReadonlyMap<string, string> | undefined
  /** The account it runs under, where that is not root: what it loads must not run with more rights. */
  runAs: Account | undefined
}

const isJvm = ({ name, executable, argv }: HostProcess) => /^(java|jsvc(\.exec)?)$/.test(path.posix.basename(executable || (argv[0] ?? ''))) || name === 'java' || name === 'jsvc'

/**
 * JVMs whose command line holds the main class, jar or module as one argument. A service started by jsvc has a
 * controller of root above the JVM with the same command line: that one is left out.
 * @param isMain e.g. (arg) => arg === 'org.apache.catalina.startup.Bootstrap'
 */
export function findJava(processes: readonly HostProcess[], isMain: (arg: string) => boolean): HostProcess[] {
  const found = processes.filter((process) => isJvm(process) && process.argv.slice(1).some(isMain))
  return found.filter(({ pid, executable, argv }) => !(path.posix.basename(executable || (argv[0] ?? '')).startsWith('jsvc') && found.some(({ parentPid }) => parentPid === pid)))
}

/** Reads what a JVM was started with: its command line, argument files, and options from its environment. */
export async function readJava(host: Host, process: HostProcess): Promise<JavaProcess> {
  const environment = await environmentOf(host, process.pid)
  const [program = '', ...args] = process.argv
  const fromEnvironment = ['JDK_JAVA_OPTIONS', 'JAVA_TOOL_OPTIONS'].flatMap((name) => javaWords(environment?.get(name) ?? ''))
  const command = parseJavaCommand([...fromEnvironment, ...await withArgumentFiles(host, process, args)])
  return { ...command, process, environment, javaHome: javaHomeOf(process.executable || program), runAs: process.uid === 0 ? undefined : { uid: process.uid, gid: process.gid } }
}

function javaHomeOf(program: string): string | null {
  return path.posix.isAbsolute(program) && path.posix.basename(program) === 'java' ? path.posix.dirname(path.posix.dirname(program)) : null
}

/** The variables of a process; undefined when they may not be read. */
async function environmentOf(host: Host, pid: number): Promise<ReadonlyMap<string, string> | undefined> {
  const content = await host.readFile(`/proc/${pid}/environ`, limitBytes).catch(() => undefined)
  if (content === undefined) return undefined
  return new Map(Buffer.from(content).toString('utf8').split('\0').flatMap((line) => {
    const at = line.indexOf('=')
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : []
  }))
}

/** `@file` before the main class stands for the words in the file; they are not looked into for further files. */
async function withArgumentFiles(host: Host, { workingDirectory }: HostProcess, args: readonly string[]): Promise<string[]> {
  const words = await Promise.all(args.map(async (arg) => {
    if (!/^@[^@]/.test(arg)) return [arg]
    const content = await host.readFile(path.posix.resolve(workingDirectory || '/', arg.slice(1)), limitBytes).catch(() => undefined)
    return content === undefined ? [arg] : javaWords(Buffer.from(content).toString('utf8'))
  }))
  return words.flat()
}

/**
 * The home of an account as Java's user.home has it: -Duser.home, or the entry in /etc/passwd.
 * undefined for an account that only a directory service knows.
 */
export async function userHome(host: Host, { properties, process }: Pick<JavaProcess, 'properties' | 'process'>): Promise<string | undefined> {
  const given = properties.get('user.home')
  if (given !== undefined) return given
  const content = await host.readFile('/etc/passwd', limitBytes).catch(() => undefined)
  const line = Buffer.from(content ?? []).toString('utf8').split('\n').map((entry) => entry.split(':')).find(([, , uid]) => uid === String(process.uid))
  return line?.[5]
}

/** argv that restarts and starts a systemd unit; harmless to start what runs. */
export function unitCommands(unit: string, { sudo }: { sudo: boolean }): { restart: string[]; start: string[] } {
  const call = (verb: string) => throughSudo(sudo, ['systemctl', verb, unit])
  return { restart: call('restart'), start: call('start') }
}
