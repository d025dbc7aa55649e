import { CertloopError } from '@certloop/contract'
import { certificateParts, readCertificate } from '@certloop/pki'
import type { RenewalWindow } from '@certloop/plugin-kit'
import type { Directory } from './directory.ts'
import { dateOf, isUrl, partsOf } from './reading.ts'
import type { Asking, Wire } from './wire.ts'

/** How renewal information names a certificate (RFC 9773, 4.1). undefined: it has no identifier of its issuer's key. */
export function certIdOf(certificatePem: string): string | undefined {
  const { authorityKeyId } = readCertificate(certificatePem)
  if (authorityKeyId === null) return undefined
  const serial = certificateParts(certificatePem).serialNumber.content
  return `${Buffer.from(authorityKeyId, 'hex').toString('base64url')}.${Buffer.from(serial).toString('base64url')}`
}

const [soonestMs, usualMs, latestMs] = [60_000, 6 * 3_600_000, 86_400_000]

/** undefined: the authority has no wish for it. */
export async function renewalWindow({ name, wire, now }: { name: string; wire: Wire; now: () => Date }, directory: Directory, certificatePem: string, asking: Asking = {}): Promise<RenewalWindow | undefined> {
  const id = certIdOf(certificatePem)
  if (directory.renewalInfo === undefined || id === undefined) return undefined
  const answer = await wire.get(`${directory.renewalInfo.replace(/\/$/, '')}/${id}`, asking)
  if ([400, 404, 410].includes(answer.status)) return undefined
  if (!answer.ok) throw wire.refusal(answer, 'other')
  const wait = answer.retryAfter ? answer.retryAfter.getTime() - now().getTime() : usualMs
  return { ...windowOf(name, answer.json()), askAgainAt: new Date(now().getTime() + Math.min(Math.max(wait, soonestMs), latestMs)) }
}

function windowOf(name: string, { suggestedWindow, explanationURL }: Record<string, unknown>): RenewalWindow {
  const { start, end } = partsOf(suggestedWindow)
  const [from, to] = [dateOf(start), dateOf(end)]
  if (!from || !to || to <= from) throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${name} gave a renewal window that is none.`)
  return { start: from, end: to, ...(isUrl(explanationURL) && explanationURL.length <= 2000 ? { explanationUrl: explanationURL } : {}) }
}
