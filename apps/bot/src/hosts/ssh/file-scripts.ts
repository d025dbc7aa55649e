import type { Ownership } from '@certloop/contract'
import { posix } from 'node:path'
import { quoted } from './script.ts'

/** How a script ends when it is not an error of the system; those end with other codes and say so on standard error. */
export const endings = { linkOnTheWay: 90, gone: 91, notAFile: 92, cutOff: 94, noContext: 95, notReplaceable: 96, notOurs: 97 } as const

/**
 * Goes into a folder by its real path, and stays in this very folder whatever is put in its place later: all that
 * follows names entries of the current folder. A link on the way is written to standard output.
 */
const hold = `hold() {
if cd -P -- "$1" 2>/dev/null; then
[ "$(env pwd -P; echo x)" = "$1\${n}x" ] && return
else ls -d -- "$1/." >/dev/null || a=1
fi
q=; r=\${1#/}
while [ "$r" ]; do
q=$q/\${r%%/*}
if [ -L "$q" ]; then printf '%s' "$q"; exit ${endings.linkOnTheWay}; fi
case $r in */*) r=\${r#*/};; *) r=;; esac
done
[ "$a" ] && exit 1
printf '%s' "$1"; exit ${endings.linkOnTheWay}
}
`

/**
 * put NAME UID GID MODE CONTEXT: a new entry of the current folder from standard input, on disk when it returns. Owner and
 * mode are set through the open file, so that no link can be slipped under them, and before there is any content. "set -C"
 * keeps a shell from files alone: a pipe that somebody put there would be opened.
 */
const put = `put() {
s=./$1
rm -f -- "$s" || exit 1
trap '[ "$done" ] || rm -f -- "$s"' EXIT
trap 'exit 1' HUP INT TERM PIPE
set -C
exec 3>"$s" || exit 1
set +C
case $(stat -L -c %f /proc/self/fd/3) in 8???) ;; *) exit ${endings.notAFile};; esac
[ "$(stat -L -c %u:%g /proc/self/fd/3)" = "$2:$3" ] || chown "$2:$3" /proc/self/fd/3 || exit 1
chmod "$4" /proc/self/fd/3 || exit 1
if [ "$5" ] && [ -e /sys/fs/selinux/enforce ]; then chcon -- "$5" /proc/self/fd/3 || exit ${endings.noContext}; fi
dd bs=65536 conv=fsync >&3 || exit 1
}
`
const settled = 'done=1\nexec 3>&-\nsync . 2>/dev/null\n'
const onDisk = 'sync . 2>/dev/null\nexit 0\n'

const folderOf = (file: string) => quoted(posix.dirname(file))
const entryOf = (file: string) => quoted(`./${posix.basename(file)}`)
const nameOf = (file: string) => quoted(posix.basename(file))
const octal = (mode: number) => (mode & 0o7777).toString(8).padStart(4, '0')

export const readScript = (file: string, limitBytes: number): string => `f=${quoted(file)}
t=$(stat -L -c '%f %s' -- "$f") || exit 1
case $t in 8???' '*) ;; *) exit ${endings.notAFile};; esac
printf '%s\\n' "\${t#* }"
[ "\${t#* }" -gt ${limitBytes} ] || head -c ${limitBytes + 1} -- "$f"
`

/** Raw mode (hex), size, uid, gid, then what a link says. */
export const statScript = (file: string): string => `f=${quoted(file)}
stat -c '%f %s %u %g' -- "$f" || exit 1
if [ -L "$f" ]; then readlink -n -- "$f"; fi
`

/** BusyBox does not follow a last link that leads to nothing, so that one is followed here. */
export const realPathScript = (file: string): string => `f=${quoted(file)}
[ "$f" = / ] && { printf /; exit; }
i=0
while [ $i -le 40 ]; do
if r=$(readlink -n -v -f -- "$f" && echo x); then printf '%s' "\${r%x}"; exit 0; fi
[ -L "$f" ] || exit 1
t=$(readlink -n -- "$f" && echo x) || exit 1
t=\${t%x}
case $t in /*) f=$t;; *) f=\${f%/*}/$t;; esac
i=$((i+1))
done
exit 1
`

export const listScript = (folder: string): string => `f=${quoted(folder)}
[ -d "$f" ] || { ls -d -- "$f/." >/dev/null || exit 1; }
cd -- "$f" 2>/dev/null && [ -r . ] || { ls -- "$f/." >/dev/null || exit 1; }
for e in * .[!.]* ..?*; do if [ -e "$e" ] || [ -L "$e" ]; then printf '%s\\0' "$e"; fi; done
exit 0
`

/**
 * Whether the present file can be replaced shows where it is opened for writing; through what was opened for reading, as
 * a link that somebody puts in its place must not lead to a new file elsewhere.
 * @param size of the content that comes in; another size means that the connection was cut
 */
export function stageScript(file: string, stagePath: string, size: number, ownership: Ownership | null): string {
  const fallback = ownership === null ? `exit ${endings.gone}` : `u=${ownership.uid} g=${ownership.gid} o=${octal(ownership.mode)} c=`
  return `${hold}${put}hold ${folderOf(file)}
e=${entryOf(file)}
if [ -f "$e" ] && [ ! -L "$e" ]; then
x=$(dd if=/dev/null of=/proc/self/fd/6 conv=notrunc 6<"$e" 2>&1) || case $x in *'peration not permitted'*) printf '%s\\n' "$x" >&2; printf '%s' ${quoted(file)}; exit ${endings.notReplaceable};; esac
t=$(stat -c '%u %g %a' -- "$e") || exit 1
set -- $t
u=$1 g=$2 o=0$3 c=
if [ -e /sys/fs/selinux/enforce ]; then c=$(stat -c %C -- "$e") || exit ${endings.noContext}; fi
else ${fallback}
fi
hold ${folderOf(stagePath)}
put ${nameOf(stagePath)} "$u" "$g" "$o" "$c"
[ "$(stat -L -c %s /proc/self/fd/3)" = ${size} ] || exit ${endings.cutOff}
${settled}`
}

/** Both folders: the current one is that of `to`; the other is held open as descriptor 4 where it is another. */
function bothFolders(from: string, to: string): string {
  if (posix.dirname(from) === posix.dirname(to)) return `hold ${folderOf(to)}\na=${entryOf(from)}\nb=${entryOf(to)}\n`
  return `hold ${folderOf(from)}\nexec 4<. || exit 1\nhold ${folderOf(to)}\na=/proc/self/fd/4/${nameOf(from)}\nb=${entryOf(to)}\n`
}

/** @param spare a name for the time until the rename */
export const linkScript = (from: string, to: string, spare: string): string => `${hold}${put}${bothFolders(from, to)}i=$(stat -c %d:%i -- "$a") || exit 1
[ "$(stat -c %d:%i -- "$b" 2>/dev/null)" = "$i" ] && exit 0
k=${quoted(`./${spare}`)}
if ! x=$(ln -- "$a" "$k" 2>&1); then
case $x in *'peration not permitted'*|*'nvalid cross-device link'*|*'oo many links'*|*'not supported'*|*'not implemented'*) ;; *) printf '%s\\n' "$x" >&2; exit 1;; esac
[ -f "$a" ] && [ ! -L "$a" ] || exit ${endings.notAFile}
exec 5<"$a" || exit 1
[ "$(stat -L -c %d:%i /proc/self/fd/5)" = "$i" ] || exit ${endings.notAFile}
t=$(stat -L -c '%u %g %a' /proc/self/fd/5) || exit 1
set -- $t
c=
if [ -e /sys/fs/selinux/enforce ]; then c=$(stat -c %C -- "$a") || exit ${endings.noContext}; fi
put ${quoted(spare)} "$1" "$2" "0$3" "$c" <&5
${settled}fi
mv -f -T -- "$k" "$b" || { rm -f -- "$k"; exit 1; }
${onDisk}`

export const renameScript = (from: string, to: string): string => `${hold}${bothFolders(from, to)}[ "$(stat -c %d -- "$a")" = "$(stat -c %d .)" ] || { ls -d -- "$a" >/dev/null && echo 'Invalid cross-device link' >&2; exit 1; }
mv -f -T -- "$a" "$b" || exit 1
${onDisk}`

const absent = (folder: string) => `[ -e ${quoted(folder)} ] || [ -L ${quoted(folder)} ] || { [ -x ${quoted(posix.dirname(folder))} ] && exit 0; }\n`

export const removeScript = (file: string): string => `${hold}${absent(posix.dirname(file))}hold ${folderOf(file)}
rm -f -- ${entryOf(file)} || exit 1
${onDisk}`

export const makeDirectoryScript = (folder: string, { uid, gid, mode }: Ownership): string => `${hold}hold ${folderOf(folder)}
e=${entryOf(folder)}
[ -d "$e" ] && [ ! -L "$e" ] && exit 0
mkdir -m 700 -- "$e" || exit 1
hold ${quoted(folder)}
[ "$(stat -c %u:%g .)" = ${uid}:${gid} ] || chown ${uid}:${gid} . || exit 1
chmod ${octal(mode)} . || exit 1
sync . .. 2>/dev/null
exit 0
`

export const removeDirectoryScript = (folder: string): string => `${hold}${absent(posix.dirname(folder))}hold ${folderOf(folder)}
e=${entryOf(folder)}
[ -e "$e" ] || [ -L "$e" ] || exit 0
x=$(rmdir -- "$e" 2>&1) || case $x in *'not empty'*) exit 0;; *) printf '%s\\n' "$x" >&2; exit 1;; esac
${onDisk}`

/** @param name of the folder in /tmp; only one that is the account's own and closed to others is used */
export const placeScriptScript = (name: string, size: number): string => `${put}d=/tmp/${name}
mkdir -m 700 "$d" 2>/dev/null
cd -P "$d" || exit 1
[ "$(env pwd -P)" = "$d" ] && [ "$(stat -c %u:%a .)" = "$(id -u):700" ] || exit ${endings.notOurs}
put script "$(id -u)" "$(id -g)" 0700 ''
[ "$(stat -L -c %s /proc/self/fd/3)" = ${size} ] || exit ${endings.cutOff}
${settled}printf '%s' "$d/script"
`
export const removeScriptScript = (name: string): string => `rm -rf /tmp/${name} || exit 1
`

/** Who asks, and whom a file and its folder belong to: for saying why something was refused. */
export const deniedScript = (file: string): string => `id -un; id -u
stat -L -c '%u %g %a' -- ${quoted(file)} 2>/dev/null || echo
stat -L -c '%u %g %a' -- ${quoted(posix.dirname(file))} 2>/dev/null || echo
exit 0
`
