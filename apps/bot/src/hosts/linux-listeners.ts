import { readdir, readFile, readlink } from 'node:fs/promises'
import os from 'node:os'
import type { HostListener } from '@certloop/plugin-kit'
import { parseStat, processIds } from './linux-processes.ts'

const listening = '0A'

/** Listening TCP sockets of this network namespace, with the process that holds them where that may be seen. */
export async function linuxListeners(): Promise<HostListener[]> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')))
  const found = tables.flatMap((table) => parseSocketTable(table))
  const holders = await holdersOf(new Set(found.map((socket) => socket.inode)))
  return found.map((socket) => ({ ...socket, pid: holders.get(socket.inode) ?? null }))
}

/** Lines of /proc/net/tcp and tcp6 in state LISTEN. */
export function parseSocketTable(text: string, byteOrder = os.endianness()): Omit<HostListener, 'pid'>[] {
  const found: Omit<HostListener, 'pid'>[] = []
  for (const line of text.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/)
    const [host, port] = (columns[1] ?? '').split(':')
    const inode = columns[9]
    if (columns[3] !== listening || !host || !port || !inode) continue
    found.push({ address: decodeAddress(host, byteOrder), port: Number.parseInt(port, 16), inode })
  }
  return found
}

/** ::ffff:0:0/96, IPv4-mapped addresses (RFC 4291, 2.5.5.2). */
const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex')

/** Words of 32 bits in the byte order of the machine. */
function decodeAddress(hex: string, byteOrder: 'BE' | 'LE'): string {
  const bytes = Buffer.from(hex, 'hex')
  if (byteOrder === 'LE') bytes.swap32()
  if (bytes.length === 4) return bytes.join('.')
  // Java binds IPv4 addresses to sockets for both: to everybody else these are the IPv4 address.
  if (bytes.subarray(0, mappedPrefix.length).equals(mappedPrefix)) return bytes.subarray(mappedPrefix.length).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':')
  // The URL parser writes IPv6 addresses in their short form (RFC 5952).
  return new URL(`http://[${groups}]`).hostname.slice(1, -1)
}

/** By inode the process that holds a socket. */
async function holdersOf(inodes: ReadonlySet<string>): Promise<Map<string, number>> {
  const all = new Map<string, number[]>()
  for (const pid of await processIds()) {
    for (const inode of await socketsOf(pid)) {
      if (inodes.has(inode)) all.set(inode, [...(all.get(inode) ?? []), pid])
    }
  }
  const chosen = new Map<string, number>()
  for (const [inode, pids] of all) {
    const parents = new Map(await Promise.all(pids.map(async (pid) => [pid, await parentOf(pid)] as const)))
    const top = choosePid(pids, (pid) => parents.get(pid) ?? 0)
    if (top !== undefined) chosen.set(inode, top)
  }
  return chosen
}

/** Of a server and its workers, the one that is not a child of another. */
export const choosePid = (pids: readonly number[], parentOf: (pid: number) => number): number | undefined =>
  pids.find((pid) => !pids.includes(parentOf(pid))) ?? pids[0]

async function socketsOf(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')))
  return links.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? [])
}

const parentOf = async (pid: number) => parseStat(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '() 0 0')).parentPid
