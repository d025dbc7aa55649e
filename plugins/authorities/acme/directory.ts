import { CertloopError } from '@certloop/contract'
import { plainText } from './problem.ts'
import { isUrl, partsOf } from './reading.ts'
import type { Asking, Wire } from './wire.ts'

/** What an ACME server can do and where (RFC 8555, 7.1.1). */
export interface Directory {
  newNonce: string
  newAccount: string
  newOrder: string
  revokeCert: string
  keyChange: string | undefined
  /** RFC 9773 */
  renewalInfo: string | undefined
  termsOfService: string | undefined
  caaIdentities: string[]
  externalAccountRequired: boolean
  /** Name and description; empty: it has none to choose from. */
  profiles: Map<string, string>
}

const needed = ['newNonce', 'newAccount', 'newOrder', 'revokeCert'] as const
/** Asked again after this: profiles and terms change. */
const keptMs = 3_600_000

const urlOf = (value: unknown): string | undefined => (isUrl(value) ? value : undefined)

/** @throws CertloopError AUTHORITY_ANSWER_INVALID: it lacks what every ACME server has */
export function readDirectory(value: Record<string, unknown>, url: string): Directory {
  const missing = needed.filter((key) => urlOf(value[key]) === undefined)
  if (missing.length > 0) throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${url} is no ACME directory: it does not name ${missing.join(', ')}.`)
  const meta = partsOf(value['meta'])
  const { caaIdentities, profiles } = meta
  const address = (key: string) => urlOf(value[key])
  return {
    newNonce: address('newNonce') ?? '', newAccount: address('newAccount') ?? '', newOrder: address('newOrder') ?? '', revokeCert: address('revokeCert') ?? '',
    keyChange: address('keyChange'), renewalInfo: address('renewalInfo'),
    termsOfService: plainText(meta['termsOfService'], 500) || undefined,
    caaIdentities: Array.isArray(caaIdentities) ? caaIdentities.filter((one): one is string => typeof one === 'string' && /^[A-Za-z0-9.-]{1,253}$/.test(one)).slice(0, 50) : [],
    externalAccountRequired: meta['externalAccountRequired'] === true,
    profiles: new Map(Object.entries(partsOf(profiles)).slice(0, 200).map(([name, description]) => [name, plainText(description, 500)])),
  }
}

export type ReadDirectory = (asking?: Asking) => Promise<Directory>
/** Reads it once, and again after an hour. */
export function directoryReader({ url, wire, now }: { url: string; wire: () => Wire; now: () => Date }): ReadDirectory {
  let kept: { directory: Directory; until: number } | undefined
  return async (asking) => {
    if (kept && now().getTime() < kept.until) return kept.directory
    const answer = await wire().get(url, asking)
    if (!answer.ok) throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${url} is no ACME directory: it answered ${answer.status}.`, { sent: 'no' })
    kept = { directory: readDirectory(answer.json(), url), until: now().getTime() + keptMs }
    return kept.directory
  }
}
