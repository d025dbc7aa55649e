import { hostname } from 'node:os'
import { isIP } from 'node:net'
import { createHash } from 'node:crypto'
import type { IssuerId } from '@certloop/contract'
import { createCsr, generateKey, readCertificate } from '@certloop/pki'
import type { TlsIdentity } from './listener/index.ts'
import { chainAbove } from './local-ca/issue.ts'
import type { Issuer } from './local-ca/issuer.ts'
import type { LocalCa } from './local-ca/local-ca.ts'
import { endsTooSoon } from './local-ca/profiles.ts'

export interface OwnTls {
  /** The identity in use, made when there is none. */
  identity(): Promise<TlsIdentity>
  /** True when two thirds of its life are over and a new one should be taken up. */
  isDue(): boolean
  renew(): void
}

/** Names under which this control plane is called; what can't stand in a certificate is left out. */
export function ownNames(host: string, publicUrl: string | null): string[] {
  const fromUrl = publicUrl ? new URL(publicUrl).hostname.replace(/^\[|\]$/g, '') : ''
  const candidates = ['localhost', '127.0.0.1', '::1', hostname().toLowerCase(), host, fromUrl]
  const usable = (name: string) => (isIP(name) ? !['0.0.0.0', '::'].includes(name) : /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(name))
  return [...new Set(candidates.filter(usable))]
}

/**
 * Who signs it. Bots trust the root of the slot alone, and the names are what they are: when the intermediate in use
 * stands under another root, is limited to some names or signs nothing any more, the root itself signs: whatever
 * happens to the intermediate, the control plane starts, and another can be put in its place. Undefined: the one in use.
 */
export function ownIssuer(issuers: readonly Issuer[], now: Date): IssuerId | undefined {
  const [root, inUse] = (['root', 'intermediate'] as const).map((slot) => issuers.find((issuer) => issuer.slot === slot))
  if (!root?.certificate || !inUse) return undefined
  const chain = chainAbove(inUse, issuers)
  const isLimited = issuers.some(({ certificate, settings }) => certificate && chain.includes(certificate.certificatePem) && settings.nameConstraints !== null)
  const isUsable = inUse.status === 'active' && inUse.certificate !== null && !endsTooSoon(inUse.certificate, now)
  return isUsable && chain.at(-1) === root.certificate.certificatePem && !isLimited ? undefined : root.id
}

/** The TLS certificate of the control plane itself, from the built-in CA; a new key at each start and renewal, in memory only. */
export function createOwnTls({ localCa, names, now }: { localCa: LocalCa; names: string[]; now: () => Date }): OwnTls {
  let current: Promise<TlsIdentity> | undefined
  let renewAt = 0
  const make = async (): Promise<TlsIdentity> => {
    const keyPem = await generateKey('ec-256')
    const csrPem = await createCsr({ privateKeyPem: keyPem, commonName: null, names })
    const reference = `control-plane:${createHash('sha256').update(csrPem).digest('hex').slice(0, 32)}`
    const issuerId = ownIssuer(await localCa.issuers(), now())
    const { chainPem, rootPem } = await localCa.issue({ ...(issuerId === undefined ? {} : { issuerId }), reference, csrPem, names, commonName: null, validityDays: null, profile: 'control-plane' })
    const { notAfter } = readCertificate(chainPem[0] ?? '')
    renewAt = now().getTime() + (notAfter.getTime() - now().getTime()) * (2 / 3)
    return { keyPem, certPem: [...chainPem, rootPem].map((pem) => pem.trim()).join('\n') }
  }
  return {
    identity: () => (current ??= make()),
    isDue: () => now().getTime() >= renewAt,
    renew: () => { current = undefined },
  }
}
