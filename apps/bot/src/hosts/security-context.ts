import { access } from 'node:fs/promises'
import { CertloopError } from '@certloop/contract'
import { runProgram } from './local-run.ts'

/** There only while SELinux is on. */
const selinuxMark = '/sys/fs/selinux/enforce'

/**
 * Gives `to` the SELinux context of `from`; does nothing where SELinux is off.
 * @throws CertloopError FILE_UNWRITABLE when the context can't be set: the server could not read the file
 */
export async function keepSecurityContext(from: string, to: string): Promise<void> {
  const on = await access(selinuxMark).then(() => true, () => false)
  if (!on) return
  const result = await runProgram('/usr/bin/chcon', ['chcon', '--no-dereference', `--reference=${seenFromOutside(from)}`, seenFromOutside(to)], { timeoutSeconds: 10 })
  if (result.exitCode !== 0) throw new CertloopError('FILE_UNWRITABLE', `${to}: could not take over the SELinux context of ${from}: ${result.stderr.trim()}`, { path: to })
}

/** A path through a file that this process holds open, for another process. */
const seenFromOutside = (file: string) => file.replace(/^\/proc\/self\//, `/proc/${process.pid}/`)
