import type { HostListener, HostProcess } from '@certloop/plugin-kit'
import { choosePid, parseSocketTable } from '../linux-listeners.ts'
import { assembleProcess, parseUsers } from '../linux-processes.ts'
import type { FarSide } from './ask.ts'

/**
 * All of /proc with a handful of commands. Each line or record names the file it is from, and nothing that a process can
 * choose itself may stand at the beginning of one: arguments end with zero bytes, which they can't hold, and of links
 * only records that end with zero bytes are taken (GNU find), or one command each (elsewhere).
 */
const processScript = `cd /proc || exit 1
cat /etc/passwd 2>/dev/null
printf '\\n%s\\n' "$m"
grep -HE '^(Name|State|PPid|Uid|Gid):' [0-9]*/status 2>/dev/null
printf '\\n%s\\n' "$m"
grep -H '' [0-9]*/cgroup 2>/dev/null
printf '\\n%s\\n' "$m"
stat -L -c '%n %d:%i' / [0-9]*/root 2>/dev/null
printf '\\n%s\\n' "$m"
if grep -zaqe '' /proc/version 2>/dev/null; then grep -zaHe '' [0-9]*/cmdline 2>/dev/null
else grep -zHe '' [0-9]*/cmdline 2>/dev/null; fi
printf '\\n%s\\n' "$m"
if find /proc/self/exe -maxdepth 0 -printf '' 2>/dev/null; then
find [0-9]*/exe [0-9]*/cwd -maxdepth 0 -type l -printf '%p:%l\\0' 2>/dev/null
else
for d in [0-9]*; do for f in exe cwd; do if l=$(readlink -n "$d/$f" 2>/dev/null && echo x); then printf '%s:%s\\0' "$d/$f" "\${l%x}"; fi; done; done
fi
exit 0
`

/** See linuxProcesses: the same of the far host. */
export async function farProcesses(far: FarSide): Promise<HostProcess[]> {
  const { stdout, mark } = await far.ask({ script: processScript })
  const [passwd = '', statuses = '', groups = '', roots = '', argvs = '', links = ''] = stdout.toString('utf8').split(`\n${mark}\n`)
  const users = parseUsers(passwd)
  const cgroups = collected(groups.split('\n'), '/cgroup:', '\n')
  const argv = collected(argvs.split('\0'), '/cmdline:', '\0')
  const executables = collected(links.split('\0'), '/exe:', '')
  const folders = collected(links.split('\0'), '/cwd:', '')
  const places = new Map(roots.split('\n').map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]))
  return [...collected(statuses.split('\n'), '/status:', '\n')].flatMap(([pid, status]) => assembleProcess({
    pid, status, users, cmdline: argv.get(pid) ?? '', cgroup: cgroups.get(pid) ?? '', executable: executables.get(pid) ?? '', workingDirectory: folders.get(pid) ?? '',
    root: places.get('/'), ownRoot: places.get(`${pid}/root`),
  }) ?? []).toSorted((a, b) => a.pid - b.pid)
}

/** Records "123/status:text" by process; several of one are put together. */
function collected(records: readonly string[], infix: string, joint: string): Map<number, string> {
  const found = new Map<number, string>()
  for (const record of records) {
    const at = record.indexOf(infix)
    const pid = Number(record.slice(0, at))
    if (at <= 0 || !Number.isInteger(pid)) continue
    const before = found.get(pid)
    const text = record.slice(at + infix.length)
    found.set(pid, before === undefined ? text : before + joint + text)
  }
  return found
}

const listenerScript = `cd /proc || exit 1
uname -m
printf '%s\\n' "$m"
cat net/tcp net/tcp6 2>/dev/null
printf '%s\\n' "$m"
grep -HE '^PPid:' [0-9]*/status 2>/dev/null
printf '%s\\n' "$m"
if find /proc/self/exe -maxdepth 0 -printf '' 2>/dev/null; then find [0-9]*/fd -maxdepth 1 -lname 'socket:*' -printf '%p %l\\n' 2>/dev/null
else for d in [0-9]*/fd; do ls -l "$d" 2>/dev/null | while IFS= read -r l; do case $l in *' -> socket:['*']') printf '%s/ %s\\n' "$d" "\${l##* -> }";; esac; done; done
fi
exit 0
`

const bigEndian = /^(s390x?|ppc|ppc64|mips|mips64|sparc64|sparc|m68k|parisc.*|armeb|aarch64_be)$/

/** See linuxListeners. */
export async function farListeners(far: FarSide): Promise<HostListener[]> {
  const { stdout, mark } = await far.ask({ script: listenerScript })
  const [machine = '', tables = '', parents = '', sockets = ''] = stdout.toString('utf8').split(`${mark}\n`)
  const found = parseSocketTable(tables, bigEndian.test(machine.trim()) ? 'BE' : 'LE')
  const parentOf = new Map([...collected(parents.split('\n'), '/status:PPid:', '')].map(([pid, text]) => [pid, Number(text)]))
  const holders = new Map<string, number[]>()
  for (const line of sockets.split('\n')) {
    const [, pid, inode] = /^(\d+)\/fd\/\d* socket:\[(\d+)\]$/.exec(line) ?? []
    if (pid !== undefined && inode !== undefined) holders.set(inode, [...(holders.get(inode) ?? []), Number(pid)])
  }
  return found.map((socket) => ({ ...socket, pid: choosePid(holders.get(socket.inode) ?? [], (pid) => parentOf.get(pid) ?? 0) ?? null }))
}
