import { programFolders } from '../limits.ts'

/** Where the commands of the far host are. Tests put others here. */
export interface Userland { shell: string; path: string }
export const usualUserland: Userland = { shell: '/bin/sh', path: programFolders.join(':') }

/** One word for a POSIX shell, whatever it holds; only zero bytes can't be had. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
export const quotedList = (words: readonly string[]): string => words.map(quoted).join(' ')

/**
 * What is asked of the account's login shell, which may be anything: csh takes no line breaks and no "!" in quotes, fish
 * no "$(". So this line only starts a POSIX shell, and that one reads what to do from its standard input.
 */
export const startCommand = ({ shell }: Userland, privilege: 'none' | 'sudo'): string =>
  `exec ${privilege === 'sudo' ? 'sudo -n -- ' : ''}${shell} -c 'IFS= read -r s&&eval "$s"'`

/**
 * What goes to that shell: one line that reads the script up to the mark, the script, the mark, then what the script
 * itself reads. "read" takes byte by byte, so nothing of that is lost. A script that came in part is not run. The mark
 * on both outputs separates the answer from what a profile or a message of the day said before.
 */
export function shellInput(script: string, mark: string, { path }: Userland, input: Uint8Array = new Uint8Array()): Buffer {
  const loader = `n=$(printf '\\nx');n=\${n%x};s=;while IFS= read -r l;do if [ "$l" = ${mark} ];then eval "$s";exit;fi;s="$s$l$n";done;exit 98\n`
  const head = `unset CDPATH ENV\nexport LC_ALL=C LANG=C PATH=${quoted(path)}\numask 077\nIFS=" $(printf '\\t')$n"\nm=${mark}\ncd /\nprintf '%s\\n' "$m"\nprintf '%s\\n' "$m" >&2\n`
  return Buffer.concat([Buffer.from(`${loader}${head}${script}\n${mark}\n`), input])
}
