import { CertloopError, type MaterialPart } from '@certloop/contract'
import { certificateBlocks, materialText, type PlanMaterial } from '@certloop/plugin-kit'
import type { LinkedFile } from './linked-file.ts'
import type { ReadableSlot, Slot } from './slots.ts'

export interface PartFile { part: MaterialPart; file: LinkedFile }

/**
 * What goes into which file. A chain file counts before what stands behind the leaf (seen with httpd 2.4 and OpenSSL
 * 3), so it has to hold the new intermediates; one that other certificates need as well has to hold them already.
 * @throws CertloopError PLAN_FAILED when a chain file would have to be empty, which servers refuse, or would break others
 */
export function partsOf(slot: ReadableSlot, slots: readonly Slot[], material: PlanMaterial): PartFile[] {
  const { certificate, key, chains } = slot.files
  const own = ownChains(slot, slots, material)
  const apart = chains.length > 0 && slot.pair.uses.every(({ chainPath }) => chainPath !== null) && !namesItself(slot)
  const chainParts = own.map((file) => ({ part: 'chain' as const, file }))
  if (certificate.realPath === key.realPath) return [{ part: slot.pair.keyFirst ? 'key-and-full-chain' : orderIn(certificate), file: certificate }, ...chainParts]
  return [{ part: apart ? 'certificate' : 'full-chain', file: certificate }, ...chainParts, { part: 'key', file: key }]
}

const blocks = /^-----BEGIN (?:(?:[A-Z]+ )*PRIVATE KEY|(?:X509 |TRUSTED )?CERTIFICATE)-----/gm

/** One file for both keeps the order it has; certificates first where it has none. */
function orderIn({ content }: LinkedFile): MaterialPart {
  const outline = [...Buffer.from(content ?? []).toString('latin1').matchAll(blocks)].map(([label]) => (label.includes('KEY') ? 'k' : 'c')).join('')
  if (outline.startsWith('kc')) return 'key-and-full-chain'
  return outline.startsWith('ckc') ? 'certificate-key-and-chain' : 'full-chain-and-key'
}

/** Chain files that no other certificate needs. */
function ownChains(slot: ReadableSlot, slots: readonly Slot[], material: PlanMaterial): LinkedFile[] {
  const { chains } = slot.files
  const [first] = chains
  if (first !== undefined && material.chainPem.length < 2) {
    throw new CertloopError('PLAN_FAILED', `The new certificate comes without intermediate certificates, so nothing would be left for ${first.path}; the previous ones would go on being sent. Take the line that names this file out of the configuration first.`, { path: first.path })
  }
  const others = new Set(slots.filter((other) => other !== slot).flatMap(({ files }) => (files === undefined ? [] : [files.certificate, files.key, ...files.chains].map(({ realPath }) => realPath))))
  const shared = chains.filter(({ realPath }) => others.has(realPath))
  const wrong = shared.find(({ content }) => certificateBlocks(Buffer.from(content ?? []).toString('latin1')) !== materialText('chain', material.chainPem))
  if (wrong !== undefined) {
    throw new CertloopError('PLAN_FAILED', `${wrong.path} holds the intermediate certificates of other certificates as well, and the new certificate comes with others. Give it a chain file of its own, or none: then the chain goes behind the certificate.`, { path: wrong.path })
  }
  return chains.filter(({ realPath }) => !others.has(realPath))
}

/** Somewhere the certificate file is named as its own chain file. */
const namesItself = ({ pair, files }: ReadableSlot) => pair.uses.some(({ chainPath }) => chainPath !== null && !files.chains.some((file) => file.path === chainPath))
