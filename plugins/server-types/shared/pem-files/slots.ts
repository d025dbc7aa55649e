import { CertloopError, type Endpoint, type WireError, toCertloopError } from '@certloop/contract'
import { readCertificates } from '@certloop/pki'
import { type Host, certificateBlocks, inParallel } from '@certloop/plugin-kit'
import { type LinkedFile, readLinked } from './linked-file.ts'
import { type ConfiguredPair, joinPairs, withKeyTypes } from './pairs.ts'
import type { SlotFiles } from './replaceable.ts'

/** A pair of files as it is on the host now. */
export interface Slot {
  pair: ConfiguredPair
  /** undefined when a file can't be read: then `problem` says why. */
  files: SlotFiles | undefined
  /** Leaf and chain as installed. */
  installedPem: string | null
  keyType: 'rsa' | 'ec' | null
  endpoints: Endpoint[]
  problem: WireError | null
}

/** A slot whose files could be read. */
export type ReadableSlot = Slot & { files: SlotFiles }

const atOnce = 16

/** The pairs as slots, with what their files hold now. Two names of the same two files are one slot. */
export async function readSlots(host: Host, pairs: readonly ConfiguredPair[]): Promise<Slot[]> {
  return joinSameFiles(await inParallel(pairs, atOnce, (pair) => readSlot(host, pair)))
}

async function readSlot(host: Host, pair: ConfiguredPair): Promise<Slot> {
  try {
    const chainPaths = [...new Set(pair.uses.flatMap(({ chainPath }) => chainPath ?? []))]
    const [certificate, key, ...chains] = await Promise.all([readLinked(host, pair.certificatePath), readLinked(host, pair.keyPath), ...chainPaths.map((file) => readLinked(host, file))])
    const installedPem = installed(certificate, chains)
    const algorithm = readCertificates(installedPem)[0]?.keyAlgorithm ?? ''
    const keyType = algorithm.startsWith('rsa') ? 'rsa' : algorithm.startsWith('ec') ? 'ec' : null
    return {
      pair, keyType, files: { certificate, key, chains: ownFiles(chains, certificate) }, installedPem: installedPem === '' ? null : installedPem,
      endpoints: withKeyTypes(pair, keyType), problem: refused(pair) ?? unprovable(pair),
    }
  } catch (error) {
    return { pair, files: undefined, installedPem: null, keyType: null, endpoints: withKeyTypes(pair, null), problem: toCertloopError(error).toWire() }
  }
}

const blocksOf = ({ content }: LinkedFile) => certificateBlocks(Buffer.from(content ?? []).toString('latin1'))

/** What follows the leaf comes from its own file, or else from the chain file. */
function installed(certificate: LinkedFile, chains: readonly LinkedFile[]): string {
  const own = blocksOf(certificate)
  const [chain] = chains
  return chain === undefined || own.match(/^-----BEGIN/gm)?.length !== 1 ? own : own + blocksOf(chain)
}

/** A chain file that is the certificate file under another name is no file of its own; nor are two names of one. */
function ownFiles(chains: readonly LinkedFile[], certificate: LinkedFile): LinkedFile[] {
  return [...new Map(chains.map((chain) => [chain.realPath, chain])).values()].filter(({ realPath }) => realPath !== certificate.realPath)
}

function refused({ refusal, certificatePath }: ConfiguredPair): WireError | null {
  return refusal === null ? null : new CertloopError('PLACE_UNSUPPORTED', refusal, { path: certificatePath }).toWire()
}

function unprovable({ endpoints, left, certificatePath }: ConfiguredPair): WireError | null {
  if (endpoints.length > 0) return null
  return new CertloopError('PLACE_UNSUPPORTED', `Nothing could prove what is served from ${certificatePath}: ${left.join('; ')}.`, { path: certificatePath }).toWire()
}

function joinSameFiles(slots: readonly Slot[]): Slot[] {
  const joined = new Map<string, Slot>()
  for (const slot of slots) {
    const id = slot.files === undefined ? JSON.stringify([slot.pair.certificatePath, slot.pair.keyPath]) : JSON.stringify([slot.files.certificate.realPath, slot.files.key.realPath])
    const first = joined.get(id)
    joined.set(id, first === undefined ? slot : join(first, slot))
  }
  return [...joined.values()]
}

function join(first: Slot, second: Slot): Slot {
  const pair = joinPairs(first.pair, second.pair)
  const files = first.files === undefined ? undefined : { ...first.files, chains: ownFiles([...first.files.chains, ...second.files?.chains ?? []], first.files.certificate) }
  return { ...first, pair, files, endpoints: withKeyTypes(pair, first.keyType), problem: first.problem?.code === 'PLACE_UNSUPPORTED' || first.problem === null ? refused(pair) ?? unprovable(pair) : first.problem }
}

/** The slot that these two paths name, as configured or at the end of their links. */
export function findSlot(slots: readonly Slot[], certificatePath: string, keyPath: string): Slot | undefined {
  return slots.find(({ pair, files }) => [pair, ...pair.aliases].some((names) => names.certificatePath === certificatePath && names.keyPath === keyPath)
    || (files?.certificate.realPath === certificatePath && files.key.realPath === keyPath))
}
