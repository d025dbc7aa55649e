import { access } from 'node:fs/promises'
import { CertloopError } from '@certloop/contract'
import { runProgram } from './local-run.ts'

/** There only while SELinux is on. */
const selinuxMark = '/sys/fs/selinux/enforce'

/**
 * Gives `to` the SELinux context of `from`; does nothing where SELinux is off.
 * @throws CertloopError FILE_UNWRITABLE when the context can't be set: the server could not read the file
 */
export const keepSecurityContext = (from: string, to: string): Promise<void> => changeContext(to, `--reference=${seenFromOutside(from)}`, `the SELinux context of ${from}`)

/** The same with a context that is named, e.g. "system_u:object_r:cert_t:s0". */
export const setSecurityContext = (context: string, to: string): Promise<void> => changeContext(to, context, `the SELinux context ${context}`)

async function changeContext(to: string, how: string, what: string): Promise<void> {
  const on = await access(selinuxMark).then(() => true, () => false)
  if (!on) return
  const result = await runProgram('/usr/bin/chcon', ['chcon', '--no-dereference', how, seenFromOutside(to)], { timeoutSeconds: 10 })
  if (result.exitCode !== 0) throw new CertloopError('FILE_UNWRITABLE', `${to}: could not set ${what}: ${result.stderr.trim()}`, { path: to })
}

/** A path through a file that this process holds open, for another process. */
const seenFromOutside = (file: string) => file.replace(/^\/proc\/self\//, `/proc/${process.pid}/`)
