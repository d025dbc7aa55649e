import type { Host } from '@certloop/plugin-kit'

/** Further groups of a running process, such as Debian's ssl-cert: a file may be readable for it through one of these. */
export async function groupsOf(host: Host, pid: number): Promise<number[]> {
  const content = await host.readFile(`/proc/${pid}/status`, 1 << 20).catch(() => undefined)
  const [, line = ''] = /^Groups:(.*)$/m.exec(Buffer.from(content ?? []).toString('latin1')) ?? []
  return line.split(/\s+/).filter(Boolean).map(Number)
}
