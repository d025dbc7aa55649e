import { CertloopError, type Ownership } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'

/** Owner, group and mode as a target may name them; what is absent stays as it is. */
export interface WantedOwnership { owner?: string | undefined; group?: string | undefined; mode?: string | undefined; context?: string | undefined }

/** `differs`: the file is there with others. */
export interface FileOwnership { wanted: Ownership | null; differs: boolean }

/**
 * What a file is to have: what is named, else what it has, else what its folder has with the usual mode.
 * @returns `wanted` null when the file is there and keeps what it has
 * @throws CertloopError PLAN_FAILED naming an account that the host does not know
 */
export async function ownershipFor(host: Host, present: Ownership | undefined, folder: Ownership, usualMode: number, named: WantedOwnership): Promise<FileOwnership> {
  const { owner, group, mode, context } = named
  const base = present ?? { ...folder, mode: usualMode }
  const wanted = {
    mode: mode === undefined ? base.mode : Number.parseInt(mode, 8),
    uid: owner === undefined ? base.uid : await numberOf(host, owner, '/etc/passwd', 'user'),
    gid: group === undefined ? base.gid : await numberOf(host, group, '/etc/group', 'group'),
  }
  const differs = present !== undefined && (wanted.mode !== present.mode || wanted.uid !== present.uid || wanted.gid !== present.gid)
  if (present !== undefined && !differs && context === undefined) return { wanted: null, differs }
  return { wanted: { mode: wanted.mode, uid: wanted.uid, gid: wanted.gid, ...(context === undefined ? {} : { context }) }, differs }
}

/** passwd(5) and group(5) have the number in the third field; accounts of a directory are named by their number. */
async function numberOf(host: Host, name: string, file: string, what: 'user' | 'group'): Promise<number> {
  if (/^\d+$/.test(name)) return Number(name)
  const lines = Buffer.from(await host.readFile(file) ?? []).toString('utf8').split('\n')
  const number = lines.map((line) => line.split(':')).find(([first]) => first === name)?.[2]
  if (number === undefined) throw new CertloopError('PLAN_FAILED', `The host has no ${what} "${name}" in ${file}. Write its number, if it comes from a directory.`, { path: file })
  return Number(number)
}
