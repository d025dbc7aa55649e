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

export interface SlotOptions {
  /** Why a pair with an encrypted key is left alone; absent: it is replaced by one that is not. */
  encryptedKey?: string | undefined
}

const atOnce = 16

/** The pairs as slots, with what their files hold now. Two names of the same two files are one slot. */
export async function readSlots(host: Host, pairs: readonly ConfiguredPair[], options: SlotOptions = {}): Promise<Slot[]> {
  return joinSameFiles(await inParallel(pairs, atOnce, (pair) => readSlot(host, pair, options)), options)
}

async function readSlot(host: Host, pair: ConfiguredPair, options: SlotOptions): Promise<Slot> {
  try {
    const chainPaths = [...new Set(pair.uses.flatMap(({ chainPath }) => chainPath ?? []))]
    const [certificate, key, ...chains] = await Promise.all([readLinked(host, pair.certificatePath), readLinked(host, pair.keyPath), ...chainPaths.map((file) => readLinked(host, file))])
    const installedPem = installed(certificate, chains)
    const algorithm = readCertificates(installedPem)[0]?.keyAlgorithm ?? ''
    const keyType = algorithm.startsWith('rsa') ? 'rsa' : algorithm.startsWith('ec') ? 'ec' : null
    return {
      pair, keyType, files: { certificate, key, chains: ownFiles(chains, certificate) }, installedPem: installedPem === '' ? null : installedPem,
      endpoints: withKeyTypes(pair, keyType), problem: problemOf(pair, key, options),
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

/** PKCS#8 has a label of its own, older forms a header. */
const isEncrypted = ({ content }: LinkedFile) => /^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m.test(Buffer.from(content ?? []).toString('latin1'))

const unsupported = (message: string, path: string) => new CertloopError('PLACE_UNSUPPORTED', message, { path }).toWire()

function problemOf(pair: ConfiguredPair, key: LinkedFile, { encryptedKey }: SlotOptions): WireError | null {
  if (pair.refusal !== null) return unsupported(pair.refusal, pair.certificatePath)
  if (encryptedKey !== undefined && isEncrypted(key)) return unsupported(encryptedKey, pair.keyPath)
  return unprovable(pair)
}

function unprovable({ endpoints, left, certificatePath }: ConfiguredPair): WireError | null {
  if (endpoints.length > 0) return null
  return unsupported(`Nothing could prove what is served from ${certificatePath}: ${left.join('; ')}.`, certificatePath)
}

function joinSameFiles(slots: readonly Slot[], options: SlotOptions): Slot[] {
  const joined = new Map<string, Slot>()
  for (const slot of slots) {
    const id = slot.files === undefined ? JSON.stringify([slot.pair.certificatePath, slot.pair.keyPath]) : JSON.stringify([slot.files.certificate.realPath, slot.files.key.realPath])
    const first = joined.get(id)
    joined.set(id, first === undefined ? slot : join(first, slot, options))
  }
  return [...joined.values()]
}

function join(first: Slot, second: Slot, options: SlotOptions): Slot {
  const pair = joinPairs(first.pair, second.pair)
  if (first.files === undefined) return { ...first, pair, endpoints: withKeyTypes(pair, first.keyType) }
  const files = { ...first.files, chains: ownFiles([...first.files.chains, ...second.files?.chains ?? []], first.files.certificate) }
  return { ...first, pair, files, endpoints: withKeyTypes(pair, first.keyType), problem: problemOf(pair, files.key, options) }
}

/** The slot that these two paths name, as configured or at the end of their links. */
export function findSlot(slots: readonly Slot[], certificatePath: string, keyPath: string): Slot | undefined {
  return slots.find(({ pair, files }) => [pair, ...pair.aliases].some((names) => names.certificatePath === certificatePath && names.keyPath === keyPath)
    || (files?.certificate.realPath === certificatePath && files.key.realPath === keyPath))
}
