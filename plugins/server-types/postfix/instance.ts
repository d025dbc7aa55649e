import { CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemInstance } from '../shared/pem-files/driver.ts'
import { trusted } from '../shared/pem-files/program.ts'
import { throughSudo } from '../shared/host/sudo.ts'

/** A running Postfix: one master process with its own configuration folder. */
export interface Instance extends PemInstance {
  configFolder: string
  /** Reads the configuration as the daemons do. */
  postconf: string
}

const helpers = { names: /^(postfix|postconf)$/, otherwise: 'neither postfix nor postconf' }
const helperFolders = ['/usr/sbin', '/usr/local/sbin']
const isMasterPath = (file: string) => /\/postfix\/(?:[^/]+\/)*master$/.test(file)

/** Master processes. Only root can start one, so others are something else; in a container root may be mapped. */
export function findMasters(processes: readonly HostProcess[]): HostProcess[] {
  return processes.filter(({ name, executable, argv, uid, container }) =>
    name === 'master' && isMasterPath(executable === '' ? argv[0] ?? '' : executable) && (uid === 0 || container !== null))
}

const unreadable = (message: string, pid: number) => new CertloopError('SERVER_CONFIGURATION_UNREADABLE', message, { pid })

/** @throws CertloopError SERVER_CONFIGURATION_UNREADABLE, PROGRAM_NOT_TRUSTED, COMMAND_NOT_ALLOWED, COMMAND_FAILED */
export async function readInstance(host: Host, master: HostProcess, { sudo = false }: { sudo?: boolean | undefined }): Promise<Instance> {
  const [program, postconf] = await Promise.all([helper(host, master, 'postfix'), helper(host, master, 'postconf')])
  const configFolder = await environmentFolder(host, master) ?? await onlyFolder(host, master, postconf)
  const said = await host.run([postconf, '-c', configFolder, '-h', 'mail_version'], { timeoutSeconds: 30 })
  if (said.exitCode !== 0) throw unreadable(`Postfix does not accept its present configuration: ${said.stderr.trim()}`, master.pid)
  return { process: master, program, postconf, configFolder, product: 'Postfix', version: said.stdout.trim(), configurationPath: path.posix.join(configFolder, 'main.cf'), sudo }
}

async function helper(host: Host, { pid }: HostProcess, name: string): Promise<string> {
  for (const folder of helperFolders) {
    const { program } = await trusted(host, path.posix.join(folder, name), helpers)
    if (program !== undefined) return program
  }
  throw unreadable(`No ${name} that belongs to root was found in ${helperFolders.join(' or ')}.`, pid)
}

/** `postfix -c` and postmulti tell the master its folder in MAIL_CONFIG and nowhere else. Root alone can read it. */
async function environmentFolder(host: Host, { pid }: HostProcess): Promise<string | undefined> {
  const content = await host.readFile(`/proc/${pid}/environ`, 1 << 20).catch(() => undefined)
  const entry = Buffer.from(content ?? []).toString('utf8').split('\0').find((line) => line.startsWith('MAIL_CONFIG='))
  const folder = entry?.slice('MAIL_CONFIG='.length)
  return folder !== undefined && path.posix.isAbsolute(folder) ? path.posix.normalize(folder) : undefined
}

/** A bot that is not root sees no environment; where there is one instance only it must be that. */
async function onlyFolder(host: Host, { pid }: HostProcess, postconf: string): Promise<string> {
  const masters = findMasters(await host.processes()).filter(({ container }) => container === null)
  if (masters.length > 1) throw unreadable('Several Postfix instances run, and only root can see which configuration each of them has.', pid)
  const said = await host.run([postconf, '-h', 'config_directory'], { timeoutSeconds: 30 })
  if (said.exitCode !== 0 || !path.posix.isAbsolute(said.stdout.trim())) throw unreadable(`postconf did not name its configuration folder: ${said.stderr.trim()}`, pid)
  return path.posix.normalize(said.stdout.trim())
}

/** argv of a call of the postfix command for this instance. */
export const commandOf = ({ sudo, program, configFolder }: Instance, verb: string): string[] => throughSudo(sudo, [program, '-c', configFolder, verb])
