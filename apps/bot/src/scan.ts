import { toCertloopError, type DetectedServer, type HostScan, type WireError } from '@certloop/contract'
import type { DriverContext, HostListener, HostProcess, ServerTypeDriver } from '@certloop/plugin-kit'

export interface NamedDriver { id: string; driver: () => Promise<ServerTypeDriver> }

/**
 * Looks at the host: facts, listening sockets, and the servers that run now. What can't be seen becomes an entry
 * of `problems`; the rest of the scan goes on. Command lines are left out, as they can hold passwords.
 */
export async function scanHost({ host, probe }: DriverContext, drivers: readonly NamedDriver[], now: () => Date): Promise<HostScan> {
  const problems: WireError[] = []
  const orElse = async <T>(what: string, instead: T, look: () => Promise<T>, about: Record<string, string> = {}): Promise<T> => {
    try {
      return await look()
    } catch (thrown) {
      const { code, message, facts } = toCertloopError(thrown)
      problems.push({ code, message: `${what}: ${message}`, facts: { ...facts, ...about } })
      return instead
    }
  }
  const [facts, listeners, processes, ...servers] = await Promise.all([
    host.facts(),
    orElse<HostListener[]>('Listening sockets', [], () => host.listeners()),
    orElse<HostProcess[]>('Processes', [], () => host.processes()),
    ...drivers.map(({ id, driver }) => orElse<DetectedServer[]>(`Servers of type ${id}`, [], async () => (await driver()).detect({ host, probe }), { serverType: id })),
  ])
  const names = new Map(processes.map((p) => [p.pid, p.name]))
  return {
    at: now().toISOString(), host: facts, servers: servers.flat(), problems,
    listeners: listeners.map(({ address, port, pid }) => ({ address, port, pid, command: pid === null ? null : names.get(pid) ?? null })),
  }
}
