import { CertloopError, type Endpoint, toCertloopError, type WireError } from '@certloop/contract'
import { type Host, inParallel, keystoreKey, type KeystoreFileEntry } from '@certloop/plugin-kit'
import { openKeystore, type OpenKeystore } from '../shared/keystore/keystore-place.ts'
import { ownAddresses } from '../shared/pem-files/own-addresses.ts'
import { joinUses } from '../shared/pem-files/pairs.ts'
import { plainAddress } from '../shared/pem-files/sockets.ts'
import { findSlot as findPemSlot, type ReadableSlot, readSlots as readPemSlots, type Slot as PemSlot } from '../shared/pem-files/slots.ts'
import type { ConfiguredCertificate, TlsConnector } from './connectors.ts'
import { endpointsOf } from './endpoints.ts'
import type { Tomcat } from './instance.ts'
import { type GivenPasswords, type KeystoreSource, type Source, sourceOf } from './sources.ts'

/** What a slot is served from, as it is on disk. */
export type Content = { kind: 'keystore'; store: OpenKeystore; entry: KeystoreFileEntry & { alias: string } } | { kind: 'pem'; slot: ReadableSlot }

/** A certificate of a connector with what lies on disk for it. */
export interface Slot {
  configured: ConfiguredCertificate
  endpoints: Endpoint[]
  source: Source | undefined
  /** undefined: `problem` says why. */
  content: Content | undefined
  /** Leaf and chain as installed. */
  installedPem: string | null
  problem: WireError | null
}

const atOnce = 4

/** All certificates of an instance, in the order of server.xml. What is wrong with one is told with it. */
export async function readSlots(host: Host, tomcat: Tomcat, given: GivenPasswords): Promise<{ slots: Slot[]; pemSlots: PemSlot[] }> {
  const { certificates } = tomcat.configuration
  const isOwn = await ownAddresses(host) ?? (() => true)
  const found = await inParallel(certificates, atOnce, async (configured): Promise<Slot> => {
    const endpoints = endpointsOf(configured, tomcat.configuration).filter(({ address }) => isOwn(address))
    const slot = { configured, endpoints, source: undefined, content: undefined, installedPem: null, problem: null }
    try {
      return { ...slot, source: await sourceOf(host, tomcat, configured, given) }
    } catch (error) {
      return { ...slot, problem: toCertloopError(error).toWire() }
    }
  })
  const pemSlots = await readPemSlots(host, joinUses(found.flatMap(pemUse)))
  const stores = new Map<string, Promise<OpenKeystore>>()
  const slots = await inParallel(found, atOnce, async (slot) => {
    if (slot.source === undefined) return slot
    try {
      const read = slot.source.kind === 'pem' ? pemContent(slot.source, pemSlots) : await keystoreContent(host, slot.source, stores)
      return { ...slot, ...read, problem: problemOf(slot) }
    } catch (error) {
      return { ...slot, problem: toCertloopError(error).toWire() }
    }
  })
  return { slots, pemSlots }
}

function pemUse({ configured, endpoints, source }: Slot) {
  if (source?.kind !== 'pem') return []
  const { certificatePath, keyPath, chainPath } = source
  return [{ certificatePath, keyPath, chainPath, holder: configured, of: configured.of, names: [configured.hostName], endpoints: endpoints.map(({ keyType: _keyType, ...endpoint }) => ({ ...endpoint, holder: configured })), left: [] }]
}

function problemOf({ endpoints, configured: { connector, hostName } }: Slot): WireError | null {
  if (endpoints.length > 0) return null
  return new CertloopError('PLACE_UNSUPPORTED', `${whyUnseen(connector, hostName)}, so what it serves can not be proven.`).toWire()
}

function whyUnseen({ port, address, defaultHost }: TlsConnector, hostName: string): string {
  if (hostName === '_default_' && defaultHost !== hostName) return `No handshake reaches the host _default_ of the connector on port ${port}: its defaultSSLHostConfigName is ${defaultHost}`
  if (plainAddress(address ?? '*') === undefined) return `The connector on port ${port} listens on the name ${address}, not on an address`
  return `The connector on port ${port} listens on ${address}, which is not an address of this machine now: a handshake would reach another one`
}

type Read = Pick<Slot, 'content' | 'installedPem'>

function pemContent({ certificatePath, keyPath }: Source & { kind: 'pem' }, pemSlots: readonly PemSlot[]): Read {
  const slot = findPemSlot(pemSlots, certificatePath, keyPath)
  if (slot?.files === undefined) throw new CertloopError(slot?.problem?.code ?? 'FILE_UNWRITABLE', slot?.problem?.message ?? `${certificatePath} can not be read.`, slot?.problem?.facts)
  return { content: { kind: 'pem', slot: { ...slot, files: slot.files } }, installedPem: slot.installedPem }
}

async function keystoreContent(host: Host, { path, password, keyPassword, alias }: KeystoreSource, stores: Map<string, Promise<OpenKeystore>>): Promise<Read> {
  const id = JSON.stringify([path, password, keyPassword])
  const opening = stores.get(id) ?? openKeystore(host, { path, password, keyPassword })
  stores.set(id, opening)
  const store = await opening
  const entry = keystoreKey(store.file, alias ?? firstAlias(store), path)
  return { content: { kind: 'keystore', store, entry: { ...entry, alias: entry.alias ?? '' } }, installedPem: entry.chainPem.join('') }
}

/** Without an alias Tomcat takes the first key. Which one that is of several in a JKS is known to Java alone. */
function firstAlias({ keys, file, place: { path } }: OpenKeystore): string {
  const [first, second] = keys
  if (first === undefined) throw new CertloopError('ALIAS_NOT_FOUND', `${path} holds no key.`, { path })
  if (second === undefined || file.format === 'pkcs12') return first.alias
  throw new CertloopError('PLACE_UNSUPPORTED', `${path} holds several keys (${keys.map(({ alias }) => alias).join(', ')}), and server.xml does not say which is meant. Name it in certificateKeyAlias.`, { path })
}

/** Whether two slots are served from the same entry or the same files: they change together. */
export function isSamePlace(a: Slot, b: Slot): boolean {
  if (a.content?.kind === 'pem') return b.content?.kind === 'pem' && a.content.slot.pair === b.content.slot.pair
  if (a.content === undefined || b.content?.kind !== 'keystore') return false
  return a.content.store.realPath === b.content.store.realPath && a.content.entry.alias.toLowerCase() === b.content.entry.alias.toLowerCase()
}

/** One line for people and for telling whether it changed: no passwords. */
export function describePlace({ configured: { connector, hostName, type }, source }: Slot): string {
  const place = source === undefined ? 'unknown' : source.kind === 'pem' ? `certificate ${source.certificatePath}, key ${source.keyPath}, chain ${source.chainPath ?? 'none'}` : `keystore ${source.path}, alias ${source.alias ?? '(first)'}`
  return `${connector.address ?? '*'}:${connector.port} ${hostName} ${type}: ${place}\n`
}
