import type { KeyUsage, Purpose } from '@certloop/pki'
import type { Profile } from './local-ca-store.ts'

export interface ProfileRules {
  defaultValidityDays: number
  purposes: readonly Purpose[]
  /** Whether at least one DNS name or IP address is needed; without, the common name identifies. */
  needsNames: boolean
}

export const profiles: Record<Profile, ProfileRules> = {
  server: { defaultValidityDays: 90, purposes: ['serverAuth'], needsNames: true },
  'control-plane': { defaultValidityDays: 30, purposes: ['serverAuth'], needsNames: true },
  'bot-identity': { defaultValidityDays: 365, purposes: ['clientAuth'], needsNames: false },
}

/** keyEncipherment has a meaning for RSA key exchange alone (RFC 5480, 3; RFC 8410, 5). */
export const usagesFor = (keyAlgorithm: string, { purposes }: ProfileRules): KeyUsage[] =>
  keyAlgorithm.startsWith('rsa-') && purposes.includes('serverAuth') ? ['digitalSignature', 'keyEncipherment'] : ['digitalSignature']

const hour = 3_600_000
const day = 24 * hour
/** How long before now a certificate begins, so that a host whose clock is behind accepts it at once. */
const backdatedBy = hour

const wholeSecond = (milliseconds: number) => new Date(Math.floor(milliseconds / 1000) * 1000)

export interface Lifetime { notBefore: Date; notAfter: Date }

/**
 * The lifetime of a certificate that begins an hour ago and lasts exactly `days` times 24 hours: notAfter is its
 * last valid second (RFC 5280, 4.1.2.5). Never reaches beyond the issuer's own lifetime.
 */
export function lifetimeOf(days: number, now: Date, issuer?: Lifetime): Lifetime {
  const begin = Math.max(now.getTime() - backdatedBy, issuer?.notBefore.getTime() ?? Number.NEGATIVE_INFINITY)
  const notBefore = wholeSecond(begin)
  const end = notBefore.getTime() + days * day - 1000
  return { notBefore, notAfter: wholeSecond(Math.min(end, issuer?.notAfter.getTime() ?? end)) }
}

/** True when the issuer ends within a day: what it signed now would be of no use. */
export const endsTooSoon = (issuer: Lifetime, now: Date): boolean => issuer.notAfter.getTime() - now.getTime() < day
