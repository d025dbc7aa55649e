/** One virtual host on one socket, as httpd itself understood it. */
export interface DumpedHost { place: string; name: string; aliases: string[]; wildAliases: string[] }

/** All virtual hosts of one address and port; the first one is the default. "*" for all. */
export interface DumpedSocket { address: string; port: string; hosts: DumpedHost[] }

export interface Dump { sockets: DumpedSocket[]; includes: string[]; modules: string[] }

const socketLine = /^(\*|\[[^\]]+\]|[^\s:[]+):(\d+|\*)\s+(.*)$/
const hostLine = /^(\S*) \(([^]*:\d+)\)$/

/** Reads what `-t -D DUMP_VHOSTS -D DUMP_INCLUDES -D DUMP_MODULES` prints. Lines of other kinds are passed over. */
export function parseDump(text: string): Dump {
  const dump: Dump = { sockets: [], includes: [], modules: [] }
  for (const line of text.split('\n')) {
    const include = /^\s+\((?:\*|\d+)\) (.+)$/.exec(line)?.[1]
    const module = /^ (\w+) \((?:static|shared)\)$/.exec(line)?.[1]
    if (include !== undefined) dump.includes.push(include)
    else if (module !== undefined) dump.modules.push(module)
    else addHostLine(dump.sockets, line)
  }
  return dump
}

function addHostLine(sockets: DumpedSocket[], line: string): void {
  const opened = openedSocket(line)
  if (opened !== undefined) {
    sockets.push(opened)
    return
  }
  const socket = sockets.at(-1)
  const host = socket?.hosts.at(-1)
  const named = /^\s+port \S+ namevhost (\S*) \(([^]*:\d+)\)$/.exec(line)
  const alias = /^\s+(wild )?alias (\S+)$/.exec(line)
  if (named !== null) socket?.hosts.push(dumpedHost(named[1], named[2]))
  if (alias !== null) (alias[1] === undefined ? host?.aliases : host?.wildAliases)?.push((alias[2] ?? '').toLowerCase())
}

const dumpedHost = (name = '', place = ''): DumpedHost => ({ name: name.toLowerCase(), place, aliases: [], wildAliases: [] })

/** A socket with several hosts, which follow, or with one in the same line. */
function openedSocket(line: string): DumpedSocket | undefined {
  const [, address, port = '', rest = ''] = socketLine.exec(line) ?? []
  const single = hostLine.exec(rest)
  if (address === undefined || (single === null && rest !== 'is a NameVirtualHost')) return undefined
  return { address: address.replace(/^\[(.*)\]$/, '$1'), port, hosts: single === null ? [] : [dumpedHost(single[1], single[2])] }
}
