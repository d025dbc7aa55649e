import { CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemInstance } from '../shared/pem-files/driver.ts'
import { settingLines, type Source, sourcesOf } from './settings.ts'

/** A running vsftpd: its listener, or a session that a super-server started. */
export interface Instance extends PemInstance {
  /** Lines of all sources in the order in which they count. */
  lines: string[]
  texts: { name: string; text: string }[]
}

const fileLimitBytes = 8 << 20
const isVsftpd = ({ name, executable }: HostProcess) => name === 'vsftpd' || executable.endsWith('/vsftpd')

/** Listeners; their sessions are their children and end with them. What has ended and was not collected yet has no words left. */
export function findListeners(processes: readonly HostProcess[]): HostProcess[] {
  const byPid = new Map(processes.filter(isVsftpd).map((entry) => [entry.pid, entry]))
  return [...byPid.values()].filter(({ parentPid, argv }) => !byPid.has(parentPid) && argv.some((word) => word !== ''))
}

const unreadable = (message: string, pid: number) => new CertloopError('SERVER_CONFIGURATION_UNREADABLE', message, { pid })

/** @throws CertloopError SERVER_CONFIGURATION_UNREADABLE */
export async function readInstance(host: Host, listener: HostProcess, { sudo = false }: { sudo?: boolean | undefined }): Promise<Instance> {
  const sources = sourcesOf(listener.argv)
  const read = await Promise.all(sources.map((source) => readSource(host, listener, source)))
  const [first] = read.flatMap(({ file }) => file ?? [])
  const { uid, gid, pid } = listener
  if (first === undefined) throw unreadable('No configuration file could be made out.', pid)
  return {
    process: listener, program: listener.executable, product: 'vsftpd', version: '', configurationPath: first, sudo, ...(uid === 0 ? {} : { runAs: { uid, gid } }),
    lines: read.flatMap(({ lines }) => lines),
    texts: [{ name: 'command line of vsftpd', text: listener.argv.join('\n') }, ...read.flatMap(({ file, text }) => (file === undefined ? [] : [{ name: file, text }]))],
  }
}

async function readSource(host: Host, { workingDirectory, pid }: HostProcess, source: Source): Promise<{ file?: string; text: string; lines: string[] }> {
  if ('setting' in source) return { text: source.setting, lines: [source.setting] }
  if (!path.posix.isAbsolute(source.file) && workingDirectory === '') throw unreadable(`It was started with the configuration ${source.file}, and only root can see in which folder. Start it with the whole path.`, pid)
  const file = path.posix.resolve(workingDirectory === '' ? '/' : workingDirectory, source.file)
  const content = await host.readFile(file, fileLimitBytes)
  if (content === undefined) throw unreadable(`Its configuration ${file} is not there any more.`, pid)
  const text = Buffer.from(content).toString('utf8')
  return { file, text, lines: settingLines(text) }
}
