import { CertloopError } from '@certloop/contract'
import { fileErrorFor } from '../file-errors.ts'
import type { Answer, FarSide } from './ask.ts'
import { deniedScript, endings } from './file-scripts.ts'

/** As the C library words them in the locale C; coreutils, BusyBox and the shells all pass them on. */
const words: readonly [RegExp, string][] = [
  [/No space left on device/i, 'ENOSPC'],
  [/quota exceeded/i, 'EDQUOT'],
  [/Read-only file system/i, 'EROFS'],
  [/Permission denied/i, 'EACCES'],
  [/Operation not permitted/i, 'EPERM'],
  [/No such file or directory|Directory nonexistent|nonexistent directory/i, 'ENOENT'],
  [/Not a directory/i, 'ENOTDIR'],
  [/Is a directory|cannot overwrite directory/i, 'EISDIR'],
  [/Too many levels of symbolic links|Symbolic link loop/i, 'ELOOP'],
  [/Text file busy/i, 'ETXTBSY'],
  [/(Device or )?resource busy/i, 'EBUSY'],
  [/Invalid cross-device link/i, 'EXDEV'],
]

/** The error code of the system behind what a command said; "silent" when it said nothing. */
export function reasonCode(said: string): string | undefined {
  if (said.trim() === '') return 'silent'
  return words.find(([pattern]) => pattern.test(said))?.[1]
}

/** A failed file script as an error, in the words of the local host. */
export async function farFileError(far: FarSide, { exitCode, stdout, stderr }: Answer, file: string, doing: string): Promise<CertloopError> {
  const said = stderr.toString('utf8').trim()
  const about = { path: file }
  switch (exitCode) {
    case endings.linkOnTheWay: {
      const entry = stdout.toString('utf8')
      return new CertloopError('FILE_UNWRITABLE', `${entry} is a link. The bot writes by real paths alone, or whoever owns a folder on the way could lead it elsewhere; name the folder that the link leads to, or make the plan again if the link is new.`, { path: entry })
    }
    case endings.gone: return new CertloopError('FILE_UNWRITABLE', `${file}: the file it is to replace is gone, and no owner and mode were given for a new file.`, about)
    case endings.notAFile: return new CertloopError('FILE_UNWRITABLE', `${file} is not a regular file.`, about)
    case endings.cutOff: return new CertloopError('HOST_UNREACHABLE', `${file}: could not ${doing}: its content did not arrive whole.`, about)
    case endings.notOurs: return new CertloopError('FILE_UNWRITABLE', `${file}: could not ${doing}: it is there and not a folder of the account alone. Look who made it, and remove it.`, about)
    case endings.noContext: return new CertloopError('FILE_UNWRITABLE', `${file}: could not take over the SELinux context of the present file: ${said}`, about)
    case endings.notReplaceable: {
      const present = stdout.toString('utf8')
      return fileErrorFor({ code: 'EPERM', words: said }, present, 'replace it', () => deniedReason(far, present))
    }
  }
  if (/(unrecognized|invalid|illegal|unknown) option/i.test(said)) return new CertloopError('FILE_UNWRITABLE', `${file}: could not ${doing}: the commands of this host are not those of Linux (GNU coreutils or BusyBox), and no others are known: ${said.slice(0, 300)}`, about)
  const code = reasonCode(said)
  return fileErrorFor({ code: code ?? 'unknown error', words: said.slice(-300) || `exit code ${exitCode}` }, file, doing, () => deniedReason(far, file))
}

/** root is stopped by flags and security modules only, everybody else by owner and mode too. */
async function deniedReason(far: FarSide, file: string): Promise<string> {
  const { stdout } = await far.ask({ script: deniedScript(file) })
  const [name = '?', uid = '?', own = '', above = ''] = stdout.toString('utf8').split('\n')
  if (uid === '0') return 'it or its folder has the immutable or append-only flag (see lsattr), or a security module such as SELinux or AppArmor forbids it'
  const folder = file.slice(0, Math.max(1, file.lastIndexOf('/')))
  return `the bot runs as ${name} (${uid}); ${[ownerOf(file, own), ownerOf(folder, above)].filter(Boolean).join(', ') || `${folder} can not be looked into`}`
}

function ownerOf(entry: string, facts: string): string {
  const [uid, gid, mode] = facts.split(' ')
  return mode === undefined ? '' : `${entry} belongs to user ${uid}, group ${gid}, mode ${mode.padStart(4, '0')}`
}
