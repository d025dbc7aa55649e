import { type Account, CertloopError, type ReloadServiceStep } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import { groupsOf } from '../shared/pem-files/groups.ts'
import { trusted } from '../shared/pem-files/program.ts'
import type { Tomcat } from './instance.ts'

const stepSeconds = 120
const limitBytes = 1 << 20
const failed = (message: string, base: string) => new CertloopError('PLAN_FAILED', message, { path: base })

/**
 * Stop and start with catalina.sh, for an instance without a unit.
 * @throws CertloopError PLAN_FAILED where it would come back otherwise than it was, or end with the bot; PROGRAM_NOT_TRUSTED
 */
export async function catalinaSteps(host: Host, tomcat: Tomcat, { botUnit }: { botUnit: string | null }): Promise<ReloadServiceStep[]> {
  const { base, home, java: { runAs, javaHome, environment } } = tomcat
  if (botUnit !== null) throw failed(`This Tomcat has no systemd unit. Started by the bot it would belong to ${botUnit} and end with it. Make a unit for it, give a user of its manager, or a restart command.`, base)
  const program = path.posix.join(home, 'bin/catalina.sh')
  if (runAs === undefined) {
    const { doubt } = await trusted(host, program, { names: /^catalina\.sh$/, otherwise: 'otherwise' })
    if (doubt !== undefined) throw new CertloopError('PROGRAM_NOT_TRUSTED', `${program} is not run as root: ${doubt}.`, { program })
  }
  if (runAs !== undefined) await checkGroups(host, tomcat, runAs)
  const lost = await lostOptions(host, tomcat)
  if (lost.length > 0) throw failed(`This Tomcat was started with ${lost.join(' and ')} in its environment, which a restart by the bot would lose. Put them into ${base}/bin/setenv.sh, or give a restart command.`, base)
  const pidFile = environment?.get('CATALINA_PID')
  const common = {
    kind: 'reload-service', service: `Tomcat (${base})`, timeoutSeconds: stepSeconds, ...(runAs === undefined ? {} : { runAs }),
    environment: { CATALINA_HOME: home, CATALINA_BASE: base, ...(javaHome === null ? {} : { JAVA_HOME: javaHome }), ...(pidFile === undefined ? {} : { CATALINA_PID: pidFile }) },
  } as const
  const start = [program, 'start']
  return [{ ...common, argv: [program, 'stop'], frees: await portsOf(host, tomcat) }, { ...common, argv: start, start }]
}

/** What the bot starts for an account has the group of that account alone: files that it reads through others would be closed to it. */
async function checkGroups(host: Host, { base, java: { process: { pid } } }: Tomcat, { gid }: Account): Promise<void> {
  const further = (await groupsOf(host, pid)).filter((group) => group !== gid)
  if (further.length > 0) throw failed(`This Tomcat has further groups (${further.join(', ')}), which a start by the bot would lose, and with them what it may read. Make a systemd unit for it, give a user of its manager, or a restart command.`, base)
}

/** The ports that this process alone listens on: once nothing does, the next one can have them. */
async function portsOf(host: Host, { java: { process: { pid } }, configuration }: Tomcat): Promise<number[]> {
  const listeners = await host.listeners()
  const own = configuration.connectors.map(({ port }) => port).filter((port) => listeners.some((socket) => socket.port === port && socket.pid === pid))
  return [...new Set(own)].filter((port) => listeners.every((socket) => socket.port !== port || socket.pid === pid)).toSorted((a, b) => a - b)
}

/** Options that came with the environment and not from setenv.sh. Their values may be secret, so they can't go into a plan. */
async function lostOptions(host: Host, { base, home, java: { environment } }: Tomcat): Promise<string[]> {
  const given = ['CATALINA_OPTS', 'JAVA_OPTS'].filter((name) => (environment?.get(name) ?? '').trim() !== '')
  if (given.length === 0) return []
  const texts = await Promise.all([base, home].map(async (folder) => Buffer.from(await host.readFile(path.posix.join(folder, 'bin/setenv.sh'), limitBytes).catch(() => undefined) ?? []).toString('utf8')))
  return given.filter((name) => !texts.some((text) => text.includes(name)))
}
