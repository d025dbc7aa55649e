import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import type { HostProcess } from '@certloop/plugin-kit'

/** Entries read at the same time: enough to be quick, few enough for the limit of open files. */
const atOnce = 32
/** kthreadd, the parent of all threads of the kernel. */
const kernelThreads = 2

/**
 * Programs that run now, from /proc; kernel threads are left out. Programs come and go, and much of /proc is closed to
 * other users: what can't be read stays empty.
 */
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

async function readProcess(pid: number, users: Map<number, string>, root: string | undefined): Promise<HostProcess | undefined> {
  const base = `/proc/${pid}`
  const text = (file: string) => readFile(`${base}/${file}`, 'utf8').catch(() => '')
  const link = (file: string) => readlink(`${base}/${file}`).catch(() => '')
  // First and alone: most entries of a large machine are threads of its kernel.
  const statText = await text('stat')
  if (statText === '' || pid === kernelThreads || parseStat(statText).parentPid === kernelThreads) return undefined
  const [status, cmdline, executable, workingDirectory, cgroup, ownRoot] = await Promise.all([
    text('status'), text('cmdline'), link('exe'), link('cwd'), text('cgroup'), inodeOf(`${base}/root/`),
  ])
  return assembleProcess({ pid, status, cmdline, executable, workingDirectory, cgroup, root, ownRoot, users })
}

/** What /proc says of one process, file by file; what can't be read is empty. */
export interface ProcessTexts {
  pid: number
  status: string
  cmdline: string
  executable: string
  workingDirectory: string
  cgroup: string
  /** Device and inode of our root folder and of the process's own. */
  root: string | undefined
  ownRoot: string | undefined
  users: ReadonlyMap<number, string>
}

/** undefined: it has ended, collected by its parent or not, or is a thread of the kernel */
export function assembleProcess({ pid, status, cmdline, executable, workingDirectory, cgroup, root, ownRoot, users }: ProcessTexts): HostProcess | undefined {
  const value = (name: string) => new RegExp(`^${name}:[ \\t]+(.*)$`, 'm').exec(status)?.[1]
  const parentPid = Number(value('PPid'))
  if (status === '' || pid === kernelThreads || parentPid === kernelThreads || /^[ZX]/.test(value('State') ?? '')) return undefined
  const [uid, gid] = [Number(value('Uid')?.split(/\s+/)[1]), Number(value('Gid')?.split(/\s+/)[1])]
  return {
    pid, parentPid, uid, gid, user: users.get(uid) ?? String(uid), name: unescaped(value('Name') ?? ''), workingDirectory,
    executable: executable.replace(/ \(deleted\)$/, ''),
    argv: splitArguments(cmdline),
    service: systemdUnit(cgroup),
    container: containerOf(cgroup, ownRoot, root),
  }
}

/** In /proc/<pid>/status line breaks and backslashes of a name are escaped. */
const unescaped = (name: string) => name.replace(/\\(n|\\)/g, (_, c: string) => (c === 'n' ? '\n' : '\\'))

/** Another root folder is a container's; where the root can't be seen, the control group alone has to tell. */
function containerOf(cgroup: string, ownRoot: string | undefined, root: string | undefined): string | null {
  if (ownRoot === root) return null
  return containerId(cgroup) ?? (ownRoot === undefined ? null : 'unknown')
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
  const facts = await stat(folder).catch(() => undefined)
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
  return parseUsers(await readFile('/etc/passwd', 'utf8').catch(() => ''))
}

/** Names by number from the lines of /etc/passwd; the first of several counts. */
export function parseUsers(text: string): Map<number, string> {
  const users = new Map<number, string>()
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':')
    if (name && uid && !users.has(Number(uid))) users.set(Number(uid), name)
  }
  return users
}
