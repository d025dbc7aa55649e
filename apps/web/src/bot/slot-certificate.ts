import type { BotDetail, CertificateSummary } from '@certloop/api-client'

export type Slot = BotDetail['servers'][number]['slots'][number]

/** Whether a certificate of the inventory is the one in this slot: the one served there, or else one with its names. */
export function certificateOf(slot: Slot, certificates: readonly CertificateSummary[]): CertificateSummary | undefined {
  const served = new Set(slot.served.map(({ fingerprint }) => fingerprint))
  return certificates.find(({ fingerprint }) => fingerprint !== null && served.has(fingerprint))
    ?? certificates.find(({ names }) => slot.names.length > 0 && slot.names.every((name) => names.includes(name)))
}
