import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'

/**
 * A UNC path ("\\server\share\folder\file") as the path under which this host has mounted the share; other paths as they
 * are. Linux names the share as the source of a cifs mount (mount.cifs(8)).
 * @throws CertloopError PLAN_FAILED when the share is not mounted
 */
export async function localPath(host: Host, file: string): Promise<string> {
  if (!file.startsWith('\\\\')) return file
  const [server = '', share = '', ...rest] = file.slice(2).split('\\')
  const mounts = await mountsOf(host)
  const mounted = mounts.filter(({ source }) => source.toLowerCase() === `//${server}/${share}`.toLowerCase()).at(-1)
  if (mounted === undefined || rest.includes('..')) {
    throw new CertloopError('PLAN_FAILED', `The share \\\\${server}\\${share} is not mounted on this host. Mount it (mount -t cifs //${server}/${share} …), or choose a bot on a Windows host.`, { path: file })
  }
  return path.posix.join(mounted.folder, ...rest)
}

interface Mount { source: string; folder: string }

/** /proc/self/mounts writes blanks and backslashes as octal (proc(5)). */
async function mountsOf(host: Host): Promise<Mount[]> {
  const text = Buffer.from(await host.readFile('/proc/self/mounts') ?? []).toString('utf8')
  const plain = (word: string) => word.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
  return text.split('\n').flatMap((line) => {
    const [source, folder, type = ''] = line.split(' ')
    return source !== undefined && folder !== undefined && /^(?:cifs|smb3)$/.test(type) ? [{ source: plain(source), folder: plain(folder) }] : []
  })
}
