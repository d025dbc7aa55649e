import { type Account, CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Static } from 'typebox'
import { trusted } from '../shared/pem-files/program.ts'
import type { Instance } from './instance.ts'
import type { fields as fieldSchema } from './manifest.ts'
import { valueOf } from './options.ts'

type Fields = Static<typeof fieldSchema>

/** How the server's own client is called. */
export interface Client {
  argv: (statement: string) => string[]
  /** null: as the bot. */
  runAs: Account | null
}

const clients = { names: /^(mariadb|mysql)$/, otherwise: 'neither mariadb nor mysql' }
const usualSockets = ['/run/mysqld/mysqld.sock', '/var/lib/mysql/mysql.sock', '/tmp/mysql.sock']
const failed = (message: string, facts: Record<string, string> = {}) => new CertloopError('PLAN_FAILED', message, facts)

/** @throws CertloopError PLAN_FAILED, PROGRAM_NOT_TRUSTED */
export async function clientOf(host: Host, instance: Instance, fields: Fields): Promise<Client> {
  const [program, socket] = await Promise.all([clientProgram(host, instance, fields), socketOf(host, instance, fields)])
  const { databaseUser = 'root', optionFile } = fields
  if (optionFile !== undefined) await checkOptionFile(host, optionFile)
  const asServer = optionFile === undefined && instance.runAs !== undefined && databaseUser === instance.process.user
  const sudo = instance.sudo ? ['sudo', '-n', ...(asServer ? ['-u', databaseUser] : [])] : []
  const login = optionFile === undefined ? ['--no-defaults', `--user=${databaseUser}`] : [`--defaults-file=${optionFile}`]
  // Without local-infile a server can not ask the client for files of the account it runs under.
  const common = ['--protocol=socket', `--socket=${socket}`, '--local-infile=0', '--connect-timeout=10', '--batch', '--skip-column-names']
  return { argv: (statement) => [...sudo, program, ...login, ...common, `--execute=${statement}`], runAs: asServer && !instance.sudo ? instance.runAs ?? null : null }
}

async function clientProgram(host: Host, { program, isMariaDb }: Instance, { clientPath }: Fields): Promise<string> {
  const names = isMariaDb ? ['mariadb', 'mysql'] : ['mysql']
  const folders = [path.posix.dirname(program), path.posix.resolve(path.posix.dirname(program), '../bin'), '/usr/bin', '/usr/local/bin']
  const candidates = clientPath === undefined ? folders.flatMap((folder) => names.map((name) => path.posix.join(folder, name))) : [clientPath]
  let doubt = ''
  for (const candidate of candidates) {
    const trust = await trusted(host, candidate, clients)
    if (trust.program !== undefined) return trust.program
    doubt = trust.doubt
  }
  if (clientPath !== undefined) throw new CertloopError('PROGRAM_NOT_TRUSTED', `${clientPath} is not run: ${doubt}.`, { program: clientPath })
  throw failed(`No ${names.join(' or ')} that belongs to root was found in ${folders.join(', ')}. Install the client, name it, or let the server be restarted.`)
}

async function socketOf(host: Host, { options, dataFolder }: Instance, { socketPath }: Fields): Promise<string> {
  const configured = socketPath ?? valueOf(options, 'socket')
  if (configured !== undefined) return path.posix.resolve(dataFolder, configured)
  for (const candidate of [...usualSockets, path.posix.join(dataFolder, 'mysql.sock')]) if (await host.stat(candidate) !== undefined) return candidate
  throw failed(`No option names the Unix socket of the server, and it is not in a usual place (${usualSockets.join(', ')}). Name it in the target.`)
}

/** Options can name plug-ins that the client loads, so nobody but root may have a hand in this file. */
async function checkOptionFile(host: Host, file: string): Promise<void> {
  const { doubt } = await trusted(host, file, { names: /./, otherwise: 'something else' })
  if (doubt !== undefined) throw failed(`The option file ${file} is not used: ${doubt}.`, { path: file })
}

/**
 * Signs in, and compares what the running server uses with what its options say: they may have been changed since.
 * @param certificatePaths as the options say
 * @throws CertloopError PLAN_FAILED
 */
export async function checkLogin(host: Host, { argv, runAs }: Client, { dataFolder, product }: Instance, certificatePaths: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await host.run(argv('SELECT @@datadir, @@ssl_cert'), { timeoutSeconds: 30, runAs: runAs ?? undefined })
  if (exitCode !== 0) throw failed(`${product} did not let the bot in over its Unix socket: ${stderr.trim().slice(0, 500)} Choose an account that signs in by unix_socket or auth_socket, name an option file of the client, or let the server be restarted.`)
  const [folder = '', certificate = ''] = stdout.trimEnd().split('\t')
  if (path.posix.relative(folder, dataFolder) !== '' && await host.realPath(folder) !== await host.realPath(dataFolder)) throw failed(`Behind the socket is the server of ${folder}, not that of ${dataFolder}. Name the right socket in the target.`)
  const used = path.posix.resolve(dataFolder, certificate)
  if (!certificatePaths.includes(used)) throw failed(`The running ${product} uses the certificate ${certificate === '' || certificate === 'NULL' ? '(none)' : used}, and its options say ${certificatePaths.join(', ')}. Restart it, or mend its options.`, { path: used })
}
