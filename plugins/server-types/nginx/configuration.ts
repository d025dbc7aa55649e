import { CertloopError, type Endpoint, type WireError, toCertloopError } from '@certloop/contract'
import { readCertificates } from '@certloop/pki'
import { type Host, certificateBlocks, inParallel } from '@certloop/plugin-kit'
import path from 'node:path'
import { type ConfigurationFile, type Directive, parseConfiguration, splitDump } from './config-parser.ts'
import { type LinkedFile, readLinked } from './files.ts'
import { type Instance, commandOf } from './instance.ts'
import { findServers } from './servers.ts'
import { type ConfiguredPair, type PairProblem, findPairs, withKeyTypes } from './slots.ts'

/** A pair of files as it is on the host now. */
export interface Slot {
  pair: ConfiguredPair
  /** undefined when a file can't be read: then `problem` says why. */
  files: { certificate: LinkedFile; key: LinkedFile } | undefined
  /** Leaf and chain as installed. */
  installedPem: string | null
  keyType: 'rsa' | 'ec' | null
  endpoints: Endpoint[]
  problem: WireError | null
}

export interface Configuration {
  files: ConfigurationFile[]
  root: Directive[]
  slots: Slot[]
  /** Pairs that are no files. */
  problems: PairProblem[]
}

const dumpLimitBytes = 64 * 1024 * 1024
const atOnce = 16

/**
 * The configuration as the files say it now, with all places that hold a certificate.
 * @throws CertloopError SERVER_CONFIGURATION_UNREADABLE with nginx's own words when it does not pass nginx's test
 */
export async function readConfiguration(host: Host, instance: Instance): Promise<Configuration> {
  const files = await dumpFiles(host, instance)
  const confFolder = path.posix.dirname(instance.configurationPath)
  const root = parseConfiguration(files, confFolder)
  const { hostName } = await host.facts()
  const { pairs, problems } = findPairs(findServers(root, { confFolder, hostName }))
  const slots = await inParallel(pairs, atOnce, (pair) => readSlot(host, pair))
  return { files, root, slots: joinSameFiles(slots), problems }
}

async function dumpFiles(host: Host, instance: Instance): Promise<ConfigurationFile[]> {
  const argv = commandOf(instance, '-T')
  const dump = await host.run(argv, { timeoutSeconds: 60, outputLimitBytes: dumpLimitBytes, runAs: instance.runAs })
  if (dump.exitCode !== 0) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${instance.product} does not accept its present configuration: ${dump.stderr.trim() || `exit code ${dump.exitCode}`}`, { command: argv.join(' ') })
  if (dump.truncated) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The configuration is longer than ${dumpLimitBytes} bytes.`, { command: argv.join(' ') })
  return splitDump(dump.stdout, async (file) => {
    // Not ours to read (the bot is not root): the dump alone has to do.
    const content = await host.readFile(file, dumpLimitBytes).catch(() => undefined)
    return content && Buffer.from(content).toString('utf8')
  })
}

async function readSlot(host: Host, pair: ConfiguredPair): Promise<Slot> {
  const empty = { pair, files: undefined, installedPem: null, keyType: null, endpoints: withKeyTypes(pair, null) }
  try {
    const [certificate, key] = await Promise.all([readLinked(host, pair.certificatePath), readLinked(host, pair.keyPath)])
    const installedPem = certificateBlocks(Buffer.from(certificate.content ?? []).toString('latin1'))
    const algorithm = readCertificates(installedPem)[0]?.keyAlgorithm ?? ''
    const keyType = algorithm.startsWith('rsa') ? 'rsa' : algorithm.startsWith('ec') ? 'ec' : null
    return { pair, files: { certificate, key }, installedPem: installedPem === '' ? null : installedPem, keyType, endpoints: withKeyTypes(pair, keyType), problem: unprovable(pair) }
  } catch (error) {
    return { ...empty, problem: toCertloopError(error).toWire() }
  }
}

function unprovable({ endpoints, left, certificatePath }: ConfiguredPair): WireError | null {
  if (endpoints.length > 0) return null
  return new CertloopError('PLACE_UNSUPPORTED', `Nothing could prove what is served from ${certificatePath}: ${left.join('; ')}.`, { path: certificatePath }).toWire()
}

/** Two names of the same two files, through links, are one place. */
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
  const [a, b] = [first.pair, second.pair]
  const pair: ConfiguredPair = {
    ...a, names: [...new Set([...a.names, ...b.names])], uses: [...a.uses, ...b.uses], endpoints: [...a.endpoints, ...b.endpoints], left: [...a.left, ...b.left],
    aliases: [...a.aliases, { certificatePath: b.certificatePath, keyPath: b.keyPath }, ...b.aliases],
  }
  return { ...first, pair, endpoints: withKeyTypes(pair, first.keyType), problem: first.problem?.code === 'PLACE_UNSUPPORTED' ? unprovable(pair) : first.problem }
}

/** The slot that these two paths name, as configured or at the end of their links. */
export function findSlot(slots: readonly Slot[], certificatePath: string, keyPath: string): Slot | undefined {
  return slots.find(({ pair, files }) => [pair, ...pair.aliases].some((names) => names.certificatePath === certificatePath && names.keyPath === keyPath)
    || (files?.certificate.realPath === certificatePath && files.key.realPath === keyPath))
}
