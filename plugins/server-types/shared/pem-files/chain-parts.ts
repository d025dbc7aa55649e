import { CertloopError, type MaterialPart } from '@certloop/contract'
import type { PlanMaterial } from '@certloop/plugin-kit'
import type { LinkedFile } from './linked-file.ts'
import type { ReadableSlot, Slot } from './slots.ts'

export interface PartFile { part: MaterialPart; file: LinkedFile }

/**
 * What goes into which file. Servers that take intermediates from a file of their own prefer those behind the leaf, so
 * a chain file that other certificates need as well stays as it is and the chain goes behind the leaf.
 * @throws CertloopError PLAN_FAILED when a chain file would have to be empty, which servers refuse
 */
export function partsOf(slot: ReadableSlot, slots: readonly Slot[], material: PlanMaterial): PartFile[] {
  const { certificate, key, chains } = slot.files
  const others = new Set(slots.filter((other) => other !== slot).flatMap(({ files }) => (files === undefined ? [] : [files.certificate, files.key, ...files.chains].map(({ realPath }) => realPath))))
  const own = chains.filter(({ realPath }) => !others.has(realPath))
  const [first] = chains
  if (first !== undefined && material.chainPem.length < 2) {
    throw new CertloopError('PLAN_FAILED', `The new certificate comes without intermediate certificates, so nothing would be left for ${first.path}; the previous ones would go on being sent. Take the line that names this file out of the configuration first.`, { path: first.path })
  }
  const apart = chains.length > 0 && own.length === chains.length && slot.pair.uses.every(({ chainPath }) => chainPath !== null)
  return [
    ...(certificate.realPath === key.realPath
      ? [{ part: slot.pair.keyFirst ? 'key-and-full-chain' as const : 'full-chain-and-key' as const, file: certificate }]
      : [{ part: apart && !namesItself(slot) ? 'certificate' as const : 'full-chain' as const, file: certificate }]),
    ...own.map((file) => ({ part: 'chain' as const, file })),
    ...(certificate.realPath === key.realPath ? [] : [{ part: 'key' as const, file: key }]),
  ]
}

/** Somewhere the certificate file is named as its own chain file. */
const namesItself = ({ pair, files }: ReadableSlot) => pair.uses.some(({ chainPath }) => chainPath !== null && !files.chains.some((file) => file.path === chainPath))
