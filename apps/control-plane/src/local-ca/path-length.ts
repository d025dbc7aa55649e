import { CertloopError } from '@certloop/contract'
import type { Issuer, IssuerSettings } from './issuer.ts'

/** @throws CertloopError PROFILE_VIOLATION when the path length of the parent leaves no room for a CA below it */
export function checkParent(parent: Pick<Issuer, 'name' | 'settings'>, { settings }: { settings?: Partial<Pick<IssuerSettings, 'pathLength'>> }): void {
  const { pathLength } = parent.settings
  if (pathLength === 0) throw new CertloopError('PROFILE_VIOLATION', `"${parent.name}" may not have CAs below it: its path length is 0.`, { issuer: parent.name, fields: ['signedBy: its path length is 0'] })
  const wanted = settings?.pathLength ?? null
  if (pathLength !== null && (wanted === null || wanted >= pathLength)) throw new CertloopError('PROFILE_VIOLATION', `Below "${parent.name}" the path length can be ${pathLength - 1} at most.`, { issuer: parent.name, fields: [`pathLength: at most ${pathLength - 1}`] })
}
