import { toCertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'

/**
 * The systemd unit whose main process this is. A control group alone proves nothing: a server started by hand lies in
 * that of the shell or job that started it, and restarting that would end something else.
 * @param starters pids of processes above it that may be the main one, such as a script that started it and stays
 * @returns null where there is none, or no systemd
 * @throws CertloopError COMMAND_NOT_ALLOWED, COMMAND_TIMEOUT
 */
export async function unitOf(host: Host, { pid, service }: Pick<HostProcess, 'pid' | 'service'>, starters: readonly number[] = []): Promise<string | null> {
  if (service === null) return null
  const said = await host.run(['systemctl', 'show', '--property=MainPID', service], { timeoutSeconds: 30 }).catch((error: unknown) => {
    if (toCertloopError(error).code === 'COMMAND_FAILED') return undefined // there is no systemctl
    throw error
  })
  return said?.exitCode === 0 && [pid, ...starters].some((main) => said.stdout.trim() === `MainPID=${main}`) ? service : null
}
