import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import type { HostProcess } from '@certloop/plugin-kit'

/** Entries read at the same time: enough to be quick, few enough for the limit of open files. */
const atOnce = 32

/** Programs that run now, from /proc; kernel threads are left out. What may not be read stays empty. */
export async function linuxProcesses(): Promise<HostProcess[]> {
  const [pids, users, root] = await Promise.all([processIds(), userNames(), inodeOf('/')])
  const found: HostProcess[] = []
  for (let i = 0; i < pids.length; i += atOnce) {
    const part = await Promise.all(pids.slice(i, i + atOnce).map((pid) => readProcess(pid, users, root)))
    found.push(...part.filter((entry) => entry !== undefined))
  }
  return found
}

export async function processIds(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number).toSorted((a, b) => a - b)
}

/** Programs come and go, and much of /proc is closed to others: what can't be read is undefined. */
const attempt = <T>(work: Promise<T>): Promise<T | undefined> => work.catch(() => undefined)

async function readProcess(pid: number, users: Map<number, string>, root: string | undefined): Promise<HostProcess | undefined> {
  const base = `/proc/${pid}`
  const [statText, status, cmdline, executable, cwd, cgroup, ownRoot] = await Promise.all([
    attempt(readFile(`${base}/stat`, 'utf8')), attempt(readFile(`${base}/status`, 'utf8')), attempt(readFile(`${base}/cmdline`, 'utf8')),
    attempt(readlink(`${base}/exe`)), attempt(readlink(`${base}/cwd`)), attempt(readFile(`${base}/cgroup`, 'utf8')), attempt(inodeOf(`${base}/root/`)),
  ])
  if (statText === undefined || status === undefined) return undefined
  const { name, parentPid } = parseStat(statText)
  if (pid === 2 || parentPid === 2) return undefined
  const uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? 0)
  return {
    pid, parentPid, uid, user: users.get(uid) ?? String(uid), name,
    executable: (executable ?? '').replace(/ \(deleted\)$/, ''),
    argv: splitArguments(cmdline ?? ''),
    workingDirectory: cwd ?? '',
    service: systemdUnit(cgroup ?? ''),
    container: ownRoot === undefined || ownRoot === root ? null : containerId(cgroup ?? '') ?? 'unknown',
  }
}

/** "pid (name) state parent …"; the name may hold spaces and brackets. */
export function parseStat(text: string): { name: string; parentPid: number } {
  const close = text.lastIndexOf(')')
  return { name: text.slice(text.indexOf('(') + 1, close), parentPid: Number(text.slice(close + 2).split(' ')[1]) }
}

/** Programs that rewrite their title leave one text with zero bytes behind it. */
function splitArguments(cmdline: string): string[] {
  const text = cmdline.replace(/\0+$/, '')
  return text === '' ? [] : text.split('\0')
}

/**
 * Device and inode of the root folder tell a container from a service that merely has a mount namespace
 * of its own, as systemd gives for PrivateTmp.
 */
async function inodeOf(folder: string): Promise<string | undefined> {
  const facts = await attempt(stat(folder))
  return facts && `${facts.dev}:${facts.ino}`
}

/** The innermost service in the control group path (both hierarchies), without the service manager of a user. */
export function systemdUnit(cgroup: string): string | null {
  const line = cgroup.split('\n').find((l) => l.startsWith('0::') && l.includes('.service')) ?? cgroup.split('\n').find((l) => l.includes(':name=systemd:'))
  const units = (line ?? '').split('/').filter((part) => part.endsWith('.service') && !/^user@\d+\.service$/.test(part))
  return units.at(-1) ?? null
}

/** Docker, podman, containerd and CRI-O put 64 hex digits into the control group path; LXC and nspawn a name. */
export function containerId(cgroup: string): string | null {
  const hex = /[0-9a-f]{64}/.exec(cgroup)?.[0]
  if (hex !== undefined) return hex
  return /lxc(?:\.payload\.|\/)([^/\n]+)/.exec(cgroup)?.[1] ?? /machine-([^/\n]+)\.scope/.exec(cgroup)?.[1] ?? null
}

async function userNames(): Promise<Map<number, string>> {
  const text = (await attempt(readFile('/etc/passwd', 'utf8'))) ?? ''
  const users = new Map<number, string>()
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':')
    if (name && uid && !users.has(Number(uid))) users.set(Number(uid), name)
  }
  return users
}
